"""Who is at a place, for programs without an event loop: a watch and a room of the client's own thread, seen from
another one. What is there to be read is replaced as a whole there, and never changed."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from twinwire.chooser import Transport
from twinwire.connection import State
from twinwire.errors import ClosedError, ForkedError
from twinwire.portal import Portal
from twinwire.presence import Room, Watch
from twinwire.roll import Change, Member, Roll, User

W = TypeVar("W", bound=Watch)


class _Blocking(Generic[W]):
    """What both are."""

    def __init__(self, opened: Callable[[], Portal], watch: W) -> None:
        """`opened` gives the client's thread. Raises ClosedError, ForkedError."""
        self._opened = opened
        self._watch = watch
        self._taken = 0
        """Changes that were given out: one that was fetched and did not arrive here is fetched again."""
        self._pid = os.getpid()

    @property
    def state(self) -> State:
        """As `Watch.state`."""
        return self._watch.state

    @property
    def transport(self) -> Transport | None:
        """As `Watch.transport`."""
        return self._watch.transport

    def __enter__(self) -> Self:
        """Raises TwinwireError if it is refused."""
        self._opened().call(self._watch.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """As `aclose`; nothing where its client is closed, or another process's."""
        with suppress(ClosedError, ForkedError):
            self._opened().call(self._watch.aclose())

    def __iter__(self) -> Iterator[Change]:
        return self

    def __next__(self) -> Change:
        """As `Watch.__anext__`."""
        portal = self._opened()  # says so in a fork
        if self._pid != os.getpid():
            raise ForkedError("this was made in another process, of which this one is a fork")
        change = portal.call(self._watch.take(self._taken))
        if change is None:
            raise StopIteration
        self._taken += 1
        return change


class BlockingWatch(_Blocking[Watch]):
    """`with live.watch("projects/*") as watch`, and `for change in watch`. As `Watch`."""

    @property
    def rolls(self) -> tuple[Roll, ...]:
        """As `Watch.rolls`."""
        return self._watch.rolls


class BlockingRoom(_Blocking[Room]):
    """`with live.place("projects/42", data={"name": "Ada"}) as room`. As `Room`."""

    @property
    def place(self) -> str:
        return self._watch.place

    @property
    def member(self) -> str:
        """As `Room.member`."""
        return self._watch.member

    @property
    def roll(self) -> Roll:
        """As `Room.roll`."""
        return self._watch.roll

    @property
    def members(self) -> tuple[Member, ...]:
        """As `Room.members`."""
        return self._watch.members

    @property
    def users(self) -> tuple[User, ...]:
        """As `Room.users`."""
        return self._watch.users

    @property
    def self(self) -> Member | None:
        """As `Room.self`."""
        return self._watch.self

    def set(self, data: Mapping[str, Any]) -> None:
        """As `Room.set`."""
        self._opened().call(self._watch.set(data))

    def merge(self, patch: Mapping[str, Any]) -> None:
        """As `Room.merge`."""
        self._opened().call(self._watch.merge(patch))
