"""Being at a place, by whatever door: what is said is checked here, and whether one may."""

import uuid
from math import inf
from typing import Any, Final, NamedTuple

import msgspec

from service.access.caller import Caller
from service.access.gate import Act, Gate
from service.bus.presence import PresenceBus
from service.core.errors import InvalidError, NotFoundError
from service.core.limits import PRESENCE_LEASE, PRESENCE_LEASE_LEAST, PRESENCE_LEASE_MAX
from service.core.member import as_data, as_object, check_member, patched
from service.core.place import Member, Terms
from service.core.presence import Party
from service.core.time import Clock
from service.core.topics import check_open, check_topic

NOTHING: Final = msgspec.Raw(b"")


class Said(NamedTuple):
    """What a member says of itself: all of it, or what is other (RFC 7396), or nothing."""

    data: msgspec.Raw = NOTHING
    merge: msgspec.Raw = NOTHING

    @property
    def is_empty(self) -> bool:
        return not (len(memoryview(self.data)) or len(memoryview(self.merge)))


class Held(NamedTuple):
    """By what one is there: a `connection`, which `speaks` if its silence means something, a `lease` in seconds, or
    both, and then as long as either holds: a line may be cut for many minutes before its end is noticed.
    """

    connection: str = ""
    speaks: bool = False
    lease: float = 0.0


def check_place(text: str) -> str:
    """Return `text`. Raises InvalidError for what is no topic, or in no URL, ForbiddenError if nobody can be there."""
    check_open(check_topic(text, "place"), "place")
    if not all(segment.strip(".") for segment in text.split("/")):
        raise InvalidError(f"{text!r} has a segment of dots alone, which is no part of a URL's path", field="place")
    return text


def check_lease(seconds: float | None) -> float:
    """Seconds. Raises InvalidError."""
    if seconds is None:
        return PRESENCE_LEASE
    if not PRESENCE_LEASE_LEAST <= seconds <= PRESENCE_LEASE_MAX:
        least, most = PRESENCE_LEASE_LEAST, PRESENCE_LEASE_MAX
        raise InvalidError(f"lease is a number of seconds from {least:g} to {most:g}", field="lease")
    return seconds


def party_of(caller: Caller) -> Party:
    """As whom a caller is there. No subject has a line feed in it."""
    info = msgspec.json.encode(caller.info).decode() if caller.info else None
    return Party(caller.subject, caller.subject or f"\n{caller.who}", info)


class Entering:
    """What all doors share. Raises what its parts raise, each refusal counted at the gate: then nothing has changed."""

    def __init__(self, gate: Gate, bus: PresenceBus, clock: Clock) -> None:
        self.gate: Final = gate
        self.bus: Final = bus
        self._clock = clock

    def enter(
        self, caller: Caller, act: Act, place: str, member: str | None, said: Said, held: Held, *, is_new: bool = True
    ) -> tuple[Member, bool]:
        """Be there, go on there, or say something else; and whether it is new. `is_new` False: only one that is there.

        An id that is not given is drawn at random: what is drawn from a connection's would give that away.
        """
        check_place(place)
        id = str(uuid.uuid4()) if member is None else check_member(member)
        self.check_right(caller, act, place)
        before = self.bus.find(place, id)
        if before is None and not is_new:
            raise NotFoundError(f"there is no member {id!r} at {place!r}: enter again", field="member")
        data = self._data(said, before)
        terms = self._terms(caller, held)

        def enter() -> tuple[Member, bool]:
            return self.bus.enter(
                place,
                id,
                party_of(caller),
                data=data,
                connection=held.connection,
                speaks=held.speaks,
                terms=terms,
            )

        return self.gate.counted(act, "rate", enter)

    def leave(self, caller: Caller, act: Act, place: str, member: str) -> None:
        """Be there no more."""
        check_place(place)
        self.check_right(caller, act, place)
        self.bus.leave(place, check_member(member), caller.subject)

    def check_right(self, caller: Caller, act: Act, place: str) -> None:
        """Raises ScopeError or UnauthorizedError if one may not be there."""
        if not caller.rights.may_enter(place):
            raise self.gate.lacking(caller, act, f"no right to be at {place!r}", "place")

    def _data(self, said: Said, before: Member | None) -> str | None:
        data, merge = memoryview(said.data), memoryview(said.merge)
        if len(data) and len(merge):
            raise InvalidError("there is data, or merge, and not both", field="merge")
        most, text = self.bus.bounds.data, None if before is None else before.shown.data
        if len(data):
            return as_data(as_object(data, "data", most), text, "data", most)
        if len(merge):
            return patched(text or "{}", as_object(merge, "merge", 2 * most), most)
        return None

    def _terms(self, caller: Caller, held: Held) -> Terms | None:
        """Of a lease. What becomes of a credential its connection tells, where there is one."""
        if not held.lease:
            return None
        if held.connection:
            return Terms(held.lease, inf, None)
        return Terms(held.lease, self._ends(caller), None if caller.token is None else caller.bare)

    def _ends(self, caller: Caller) -> float:
        """When his credential ends, on the clock that does not go back; of one that is asked anew, never."""
        if caller.expires is None or caller.again is not None:
            return inf
        return self.bus.now() + max(0, caller.expires - self._clock.unix_ms()) / 1000

    def answer(self, member: Member) -> dict[str, Any]:
        """What who enters is told."""
        place = member.place
        return {
            "place": place.topic,
            "member": member.shown.member,
            "lease": PRESENCE_LEASE if member.terms is None else member.terms.lease,
            "version": place.version,
        }
