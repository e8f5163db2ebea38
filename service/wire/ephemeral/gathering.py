"""What a poll hears while it waits: of each *what* the newest. Between two polls nobody hears anything."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from service.bus.encoding import EphemeralEncoding
from service.bus.ephemeral import EphemeralBus, Told
from service.core.ephemeral import What
from service.core.topics import TopicFilter

GATHERED_MAX: Final = 100
"""Of one answer; for one more the oldest goes."""

GATHERED_BYTES: Final = 1 << 20
"""Of them likewise: as long as a page of stored ones."""

GATHER: Final = 0.05
"""Seconds for which a poll goes on to wait after the first: what is sent together is one answer."""


class Gathering:
    """Of one poll. `type` None: of every type."""

    def __init__(self, bus: EphemeralBus, encoding: EphemeralEncoding[Any], type: str | None) -> None:
        self._bus = bus
        self._encoding = encoding
        self._type = type
        self._heard = bus.number
        self._found: dict[What, tuple[int, bytes]] = {}
        """The head when it was sent, and its item."""
        self._bytes = 0
        self._wake: Callable[[], None] = lambda: None

    def __bool__(self) -> bool:
        return bool(self._found)

    @contextmanager
    def during(self, topics: TopicFilter, wake: Callable[[], None]) -> Iterator[None]:
        """Hear within this context; `wake` is called with each."""
        self._wake = wake
        group = self._bus.join(topics, self._encoding, self)
        try:
            yield
        finally:
            self._bus.leave(group, self)

    def hear(self, told: Told) -> int:
        if told.number <= self._heard:
            return 0
        self._heard = told.number
        mine = [one for one in told.items if self._type in (None, one[0].type)]
        for event, frame in mine:
            self._forget(event.what)
            self._found[event.what] = event.after, frame
            self._bytes += len(frame)
            while len(self._found) > GATHERED_MAX or self._bytes > GATHERED_BYTES:
                self._forget(next(iter(self._found)))
        if mine:
            self._wake()
        return len(mine)

    def _forget(self, what: What) -> None:
        if what in self._found:
            self._bytes -= len(self._found.pop(what)[1])

    def items(self, offset: int) -> bytes:
        """Those that the answer may have whose events go up to this offset: no other stands before what is owed."""
        frames = [frame for after, frame in self._found.values() if after <= offset]
        return b",".join(frames)
