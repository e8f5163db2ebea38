"""Connections that have ended, remembered for some minutes: why somebody did not get what came after he had left."""

from collections import deque
from typing import Final, NamedTuple

from service.core.topics import TopicFilter
from service.stream.trail import Trail

GONE_MAX: Final = 2_000
GONE_BYTES: Final = 4 << 20
"""What is remembered of all of them, about; with short filters it is their number that counts."""

GONE_FOR: Final = 600_000
"""Milliseconds."""

_BASE: Final = 1_000
_PATTERN: Final = 120
"""Bytes of one, and of each pattern in it, beside its text."""


class Gone(NamedTuple):
    """`since` and `at`, when it ended, are in Unix ms. `offset` is how far it got, with the filter that it had then.

    `granted` is what it might read at the end; `reason` is of `StreamHub.ended`.
    """

    number: int
    id: str
    subject: str | None
    address: str | None
    transport: str
    since: int
    trail: Trail
    topics: TopicFilter
    offset: int
    granted: tuple[str, ...]
    is_admin: bool
    at: int
    reason: str

    @property
    def held(self) -> int:
        """Bytes, about."""
        texts = (*self.topics.patterns, *self.granted)
        return _BASE + _PATTERN * len(texts) + sum(map(len, texts)) + self.trail.held


class Departed:
    """The last of them. `most` 0 remembers none."""

    def __init__(self, most: int = GONE_MAX) -> None:
        self._most = most
        self._gone: deque[tuple[Gone, int]] = deque()
        """With what each holds, the first that went first."""
        self._held = 0
        self._count = 0

    def __len__(self) -> int:
        return len(self._gone)

    @property
    def held(self) -> int:
        return self._held

    def add(self, one: Gone) -> None:
        """Gets the next number among those that went."""
        if not self._most:
            return
        self._count += 1
        one = one._replace(number=self._count)
        size = one.held
        self._gone.append((one, size))
        self._held += size
        self.forget(one.at)
        while len(self._gone) > self._most or (self._held > GONE_BYTES and len(self._gone) > 1):
            self._drop()

    def forget(self, now: int) -> None:
        """Those that went too long ago; `now` in Unix ms."""
        while self._gone and now - self._gone[0][0].at > GONE_FOR:
            self._drop()

    def _drop(self) -> None:
        self._held -= self._gone.popleft()[1]

    def listed(self) -> list[Gone]:
        """All of them, the first that went first."""
        return [one for one, _ in self._gone]

    def find(self, id: str) -> Gone | None:
        return next((one for one, _ in reversed(self._gone) if one.id == id), None)
