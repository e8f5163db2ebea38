"""Who watches places for a stream, as the stream sees it: `watching.py`, or nobody."""

from collections.abc import Callable, Collection, Iterable
from typing import Final, Protocol

from service.core.topics import TopicFilter


class Eyes(Protocol):
    """What a stream asks of who watches for it."""

    @property
    def is_owed(self) -> bool:
        """Whether a state has yet to be told."""

    def has_sent(self) -> bool:
        """Whether its client was sent any since this was asked last."""

    def change(self, topics: TopicFilter) -> None:
        """The stream has another filter."""

    def reduce(self, unread: Callable[[Iterable[str]], Collection[str]]) -> None:
        """Of what was named, `unread` says what may not be watched any more."""

    def soon(self) -> None:
        """Something may be owed to a stream that is live: see to it that it is told."""

    async def flush(self) -> None:
        """Between two pages: tell some of what is owed, with back-pressure. Raises what `Pipe.send` raises."""

    def close(self) -> "Eyes":
        """Once. Who watches from then on: nobody."""


class _Blind:
    """Of a stream that has not asked."""

    is_owed: Final = False

    def has_sent(self) -> bool:
        return False

    def change(self, topics: TopicFilter) -> None:
        return

    def reduce(self, unread: Callable[[Iterable[str]], Collection[str]]) -> None:
        return

    def soon(self) -> None:
        return

    async def flush(self) -> None:
        return

    def close(self) -> Eyes:
        return self


BLIND: Final = _Blind()
