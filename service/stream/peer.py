"""One connection, as others can speak of it: list it, limit it, end it."""

from dataclasses import dataclass, field

from service.access.caller import Caller
from service.stream.trail import Trail


@dataclass(frozen=True, slots=True)
class Peer:
    """`id` is the `connection` that its client was told, shown to operators and nobody else; `since` is in Unix ms."""

    id: str
    caller: Caller
    transport: str
    since: int
    trail: Trail = field(default_factory=Trail, compare=False)
    """What it went through."""

    @property
    def address(self) -> str | None:
        """Where it is, as the socket gives it."""
        return self.caller.address
