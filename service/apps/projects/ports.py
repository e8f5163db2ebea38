"""What the generator needs from outside: a bus to publish on."""

from collections.abc import Sequence
from typing import Protocol

from service.core.event import Draft
from service.core.topics import TopicFilter
from service.log.base import Receipt, Statement


class Publisher(Protocol):
    """The part of `service.bus.bus.EventBus` that is used here."""

    async def publish(self, drafts: Sequence[Draft], also: Sequence[Statement] = ()) -> Receipt:
        """Commit drafts and statements in one transaction. Raises TwinwireError."""

    async def reach(self, offset: int) -> None:
        """Return once the head is at `offset` or beyond."""

    async def trim(self, topics: TopicFilter, keep: int) -> int: ...

    def cursor(self, offset: int) -> str: ...
