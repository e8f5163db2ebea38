"""What somebody wants of the gate, and what he gets: a wish, and a lease."""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, NamedTuple, Protocol, Self

from service.access.caller import Caller
from service.core.errors import NotFoundError
from service.core.topics import TopicFilter


class Wish(NamedTuple):
    """To read what matches `topics`; None: all that one may.

    `missing`: there is no such thing, which is told to those alone who might read it if there were.
    """

    topics: TopicFilter | None
    missing: NotFoundError | None = None


class Places(Protocol):
    """Who has given a place."""

    def give_back(self, lease: Any) -> None: ...


class Lease:
    """`caller` was let in, and has a place until `release`. Give it back in every path: it is a context manager too.

    `topics` are those that were wished for. `is_pending`: the caller has yet to say who he is. `told` is called when
    the caller's credential is revoked while he has a place to wait in.
    """

    __slots__ = ("_places", "caller", "is_pending", "told", "topics")

    def __init__(
        self, caller: Caller, places: Places | None, topics: TopicFilter | None = None, *, is_pending: bool = False
    ) -> None:
        self.caller = caller
        self.topics: Final = TopicFilter.all() if topics is None else topics
        self.is_pending = is_pending
        self.told: Callable[[], None] | None = None
        self._places = places  # None: no place is held, or it was given back

    def release(self) -> None:
        """Idempotent."""
        places, self._places = self._places, None
        if places is not None:
            places.give_back(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
