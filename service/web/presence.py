"""Who is where, over HTTP (docs/protocol.md, section 11): entering, leaving, and the list."""

import asyncio
from typing import Any, Final

import msgspec
from quart import Blueprint, Response, request

from service.access.caller import Caller
from service.access.gate import Act
from service.assembly import Assembly
from service.bus.presence import PresenceBus
from service.bus.steps import in_turns
from service.core.errors import ForbiddenError, InvalidError, NotFoundError
from service.core.limits import PRESENCE_LEFT
from service.core.member import check_member, is_ours
from service.core.parameters import Parameters
from service.core.presence import CHANGES
from service.core.topics import TopicFilter, check_pattern, check_readable, is_topic
from service.stream.ending import RESTART
from service.web.caller import visit
from service.web.json import answer, answer_text, nothing, read, read_any
from service.web.query import flag, number
from service.wire.presence.entering import NOTHING, Held, Said, check_lease, check_place

LISTED_BYTES: Final = 1 << 20
"""Of places in one answer, about: the rest comes with the next one."""

PLACES_MAX: Final = 100
MEMBERS_MAX: Final = 1_000
"""Places, or of one place members, in one answer, also without a `limit`."""

LISTS_MAX: Final = 4
"""Lists that are made at a time, each in steps."""

_ENTER_BYTES: Final = 64 * 1024
_LEAVE_BYTES: Final = 256 * 1024
"""Of a body: data, and what is other of them, are some KiB; PRESENCE_LEFT members with long names are 150 KiB."""

_LISTING: Final = Parameters("place", "limit", "after")
_ENTERING: Final = Parameters()
_LEAVING: Final = Parameters("disconnect")


class EnterRequest(msgspec.Struct, forbid_unknown_fields=True):
    """`lease` in seconds; `connection` is the caller's own stream."""

    data: msgspec.Raw = NOTHING
    merge: msgspec.Raw = NOTHING
    lease: float | None = None
    connection: str | None = None


class Left(msgspec.Struct, forbid_unknown_fields=True):
    place: str
    member: str


class LeaveRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What a page sends that goes away: it can set no headers then, so its connection's id says who it is."""

    connection: str
    members: list[Left]


def presence_blueprint(assembly: Assembly) -> Blueprint:
    blueprint = Blueprint("presence", __name__)
    _add_members(blueprint, assembly)
    _add_lists(blueprint, assembly.bus.presence)
    return blueprint


def _add_members(blueprint: Blueprint, assembly: Assembly) -> None:
    entering, presence = assembly.entering, assembly.bus.presence

    @blueprint.put("/api/presence/<path:place>/<member>")
    async def enter(place: str, member: str) -> Response:
        _ENTERING.check(request.args)
        caller, body = visit().caller, await read(EnterRequest, _ENTER_BYTES)
        visit().gate.check_still(caller, Act.CHANGE)  # the body may have taken its time
        entering.check_right(caller, Act.CHANGE, check_place(place))
        if body.connection is None:
            held = Held(lease=check_lease(body.lease))
        else:
            lease = 0.0 if body.lease is None else check_lease(body.lease)
            held = Held(_own(assembly, body.connection, caller), lease=lease)
        found, is_new = entering.enter(caller, Act.CHANGE, place, member, Said(body.data, body.merge), held)
        return answer(entering.answer(found), 201 if is_new else 200)

    @blueprint.delete("/api/presence/<path:place>/<member>")
    async def leave(place: str, member: str) -> Response:
        _LEAVING.check(request.args)
        if flag("disconnect"):
            visit().check_admin()
            if is_ours(member):
                raise ForbiddenError("an application's own member is there until that says otherwise", field="member")
            found = presence.remove(check_place(place), member)
            if found.connection:
                assembly.hub.end(found.connection, RESTART)
        else:
            entering.leave(visit().caller, Act.CHANGE, place, member)
        return nothing()

    @blueprint.post("/api/presence/leave")
    async def beacon() -> Response:
        """Whoever knows the connection's id is its client, and nobody else; who does not is told nothing."""
        _ENTERING.check(request.args)
        body = await read_any(LeaveRequest, _LEAVE_BYTES)
        if len(body.members) > PRESENCE_LEFT:
            raise InvalidError(f"members are {PRESENCE_LEFT} at most", field="members")
        presence.beacon(body.connection, [(one.place, one.member) for one in body.members])
        return nothing()


def _add_lists(blueprint: Blueprint, presence: PresenceBus) -> None:
    making = asyncio.Semaphore(LISTS_MAX)

    @blueprint.get("/api/presence")
    async def listed() -> Response:
        _LISTING.check(request.args)
        pattern, limit = request.args.get("place"), request.args.get("limit")
        if pattern is None:
            topics = visit().readable()
        else:
            check_readable([check_pattern(pattern, "place")])
            visit().check_read(pattern)
            topics = TopicFilter((pattern,))
        async with making:
            if pattern is not None and is_topic(pattern):
                most = min(number("limit", presence.bounds.listed, 1), MEMBERS_MAX)
                return answer_text(await _members(presence, pattern, request.args.get("after", ""), most, limit))
            most = min(number("limit", PLACES_MAX, 1), PLACES_MAX)
            return answer_text(await _places(presence, topics, number("after", 0, 0), most))

    @blueprint.get("/api/presence/stats")
    async def stats() -> Response:
        visit().check_admin(metrics=True)
        _ENTERING.check(request.args)
        return answer(stats_of(presence))


def stats_of(presence: PresenceBus) -> dict[str, Any]:
    """How much there is of it, and what was told so far."""
    state, telling = presence.state, presence.telling
    return {
        "places": state.occupied,
        "members": state.count,
        "watchers": telling.watchers,
        "frames": telling.frames,
        "changes": {kind: state.changes[kind] for kind in CHANGES},
    }


def _own(assembly: Assembly, connection: str, caller: Caller) -> str:
    """Raises NotFoundError for another subject's stream as for one that is not there. Nobody's is another's too: who is
    somebody would be there for as long as it is open, whatever becomes of his credential."""
    stream = assembly.hub.find(connection)
    if stream is None or stream.ending is not None or not _is_same(stream.peer.caller, caller):
        raise NotFoundError("there is no such connection of yours", field="connection")
    return connection


def _is_same(one: Caller, other: Caller) -> bool:
    return (one.subject, one.is_anonymous) == (other.subject, other.is_anonymous)


async def _members(presence: PresenceBus, topic: str, after: str, most: int, limit: str | None) -> str:
    """One place, with its members in pages by their ids."""
    if after:
        check_after(after)
    place, roll = presence.state.find(topic), presence.telling.roll
    if place is None:
        return _answer([roll.nobody(topic, presence.state.version(topic))], None)
    if not (after or limit) and not roll.is_long(place):
        return _answer([roll.state(place)], None)
    found, next = await in_turns(roll.page(place, after, most))
    return _answer([roll.part(place, found)], None if next is None else f'"{next}"')


def check_after(text: str) -> None:
    """Raises InvalidError for what no page ended with."""
    try:
        check_member(text.removeprefix(":"))
    except InvalidError as error:
        raise InvalidError("after is the next of the page before", field="after") from error


async def _places(presence: PresenceBus, topics: TopicFilter, after: int, most: int) -> str:
    """Places at which somebody is, in the order in which they came to be, each with its state."""
    found: list[str] = []
    size, last = 0, after
    roll = presence.telling.roll
    for place in presence.places(topics, after):
        if place is None:
            await asyncio.sleep(0)
            continue
        if len(found) == most or size >= LISTED_BYTES:
            return _answer(found, f'"{last}"')
        found.append(roll.state(place))
        size += len(found[-1])
        last = place.number
    return _answer(found, None)


def _answer(places: list[str], next: str | None) -> str:
    if next is None:
        return f'{{"places":[{",".join(places)}],"more":false}}'
    return f'{{"places":[{",".join(places)}],"more":true,"next":{next}}}'
