"""One connection, as others can speak of it: list it, limit it, end it."""

from dataclasses import dataclass

from service.access.caller import Caller


@dataclass(frozen=True, slots=True)
class Peer:
    """`id` is the `connection` that its client was told, shown to nobody else; `since` is in Unix ms."""

    id: str
    caller: Caller
    transport: str
    since: int

    @property
    def address(self) -> str | None:
        """Where it is, as the socket gives it."""
        return self.caller.address
