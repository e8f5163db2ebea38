"""What one connection holds: members that are there as long as it lives and, if its client speaks, as long as it does.

A client that has entered over its own WebSocket says something every now and then; after PRESENCE_LEASE seconds of
silence all that it holds counts as lost, as if its connection had ended: a line may be cut for many minutes before
anybody notices. If it speaks again while they linger, they stay.
"""

import math
from typing import Final

from service.core.errors import RateLimitedError
from service.core.limits import PRESENCE_LEASE, PRESENCE_OF_USER, PRESENCE_PLACES
from service.core.place import Member

_PLACES: Final = f"a connection is at {PRESENCE_PLACES} places at most"
_MEMBERS: Final = f"a connection has {PRESENCE_OF_USER} members at a place at most"


class Holding:
    """Of one connection. It goes into a wheel (`core/wheel.py`)."""

    __slots__ = ("_heard", "connection", "is_silent", "members", "slot", "speaks")

    def __init__(self, connection: str) -> None:
        self.connection: Final = connection
        self.members: tuple[Member, ...] = ()
        self.speaks = False
        """Whether its silence means something."""
        self._heard = 0.0
        """When its client said something last."""
        self.is_silent = False
        """It was for too long: all that it holds is about to leave."""
        self.slot = -1

    @property
    def due(self) -> float:
        """When it is to be looked at for its silence."""
        return self._heard + PRESENCE_LEASE if self.speaks and not self.is_silent else math.inf

    def hear(self, now: float) -> bool:
        """Its client says something. Whether it had been silent for too long, and is not any more."""
        self._heard = now
        was_silent, self.is_silent = self.is_silent, False
        return was_silent

    def check_room(self, topic: str) -> None:
        """Raises RateLimitedError if it can't have one more there."""
        here = sum(1 for member in self.members if member.place.topic == topic)
        if here >= PRESENCE_OF_USER:
            raise RateLimitedError(_MEMBERS, field="member")
        if not here and len({member.place for member in self.members}) >= PRESENCE_PLACES:
            raise RateLimitedError(_PLACES, field="place")

    def only(self, topic: str) -> Member | None:
        """The one that it has there, if it has one."""
        found = [member for member in self.members if member.place.topic == topic]
        return found[0] if len(found) == 1 else None

    def add(self, member: Member) -> None:
        """It holds it from now on, and nobody else."""
        if member.holder is not self:
            release(member)
            member.holder = self
            member.connection = self.connection
            self.members += (member,)


def release(member: Member) -> None:
    """Nobody holds it any more."""
    if isinstance(member.holder, Holding):
        member.holder.members = tuple(one for one in member.holder.members if one is not member)
    member.holder = None
