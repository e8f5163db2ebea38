"""What became of an event, and why one connection did or did not get it; and what a connection went through.

The first is told by the log and by the bus, which remembers the latest rounds of its fan-out. The second follows from
the invariant: a connection gets every event that matches its filter and comes after its cursor, or is told of a gap. So
its filter at the time, its gaps, where it began and how far it got are all that there is to know; they are its turns.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

from service.bus.bus import EventBus
from service.bus.rounds import Round
from service.core.cursor import Cursor
from service.core.errors import InvalidError, NotFoundError
from service.core.event import TIME, TOPIC, TYPE
from service.core.time import Clock, rfc3339
from service.core.topics import TopicFilter
from service.log.base import Pace, Search
from service.operations.connections import LOOK, TOPICS_SHOWN, Connections, Sight
from service.stream.trail import Turn

GROUPS_SHOWN: Final = 20
"""Groups that are told of one by one, those with the most subscribers; all of them are in the sums."""

Why = Literal[
    "live",
    "replayed",
    "passed",
    "rights",
    "filter",
    "gap",
    "earlier",
    "socket",
    "replaying",
    "under_way",
    "gone",
    "unknown",
]
WHYS: Final[Mapping[Why, str]] = {
    "live": "It was live: the event was written to it when it was committed.",
    "replayed": "It was reading from its cursor, and the event was among what it read.",
    "passed": "Its cursor is past the event, which matched its filter: it was written. Whether live or read from the"
    " cursor is not known any more.",
    "rights": "It has no right to the topic.",
    "filter": "Its filter does not match the topic, although it may read it.",
    "gap": "The event had been removed before it could be read, and the client was told so by a gap, or will be.",
    "earlier": "It began after the event: at the head, or at a cursor with which its client says that it has it.",
    "socket": "It has not read so far yet: its socket is full, and its client takes nothing, or little.",
    "replaying": "It has not read so far yet: it is on its way, from its cursor.",
    "under_way": "The event is being written to its subscribers.",
    "gone": "It had ended before it got so far.",
    "unknown": "What it would follow from is not known any more.",
}
"""Why a connection did or did not get an event, in words for people."""

_GOT: Final[Mapping[Why, bool | None]] = {"live": True, "replayed": True, "passed": True, "unknown": None}
"""Others are why it did not, or not yet."""


class Verdict(NamedTuple):
    """`turn` is the one of the connection's that it follows from."""

    why: Why
    turn: Turn | None = None

    @property
    def got(self) -> bool | None:
        return _GOT.get(self.why, False)


def judge(one: Sight, offset: int, topic: str | None, fed: int) -> Verdict:
    """Why a connection did or did not get the event at this offset; `topic` is None if the log has it no more.

    `fed` is up to where those that are live were.
    """
    trail = one.trail
    if topic is not None:
        topics = trail.filter_at(offset, one.topics)
        if topics is not None and not topics.matches(topic):
            lost = trail.took_away(offset, topic)
            return Verdict("rights" if lost is not None or not one.may_read(topic) else "filter", lost)
        if topics is None and offset > trail.began:
            return Verdict("unknown")
    gap = trail.gap_at(offset)
    if gap is not None:
        return Verdict("gap", gap)
    if offset <= trail.began:
        return Verdict("earlier")
    if offset > one.offset:
        return _not_yet(one, topic, offset > fed)
    if topic is None or offset <= trail.forgotten:
        return Verdict("unknown")
    return Verdict(trail.how(offset) or "passed")


def _not_yet(one: Sight, topic: str | None, is_under_way: bool) -> Verdict:
    if one.at is not None:
        return Verdict("gone")
    if topic is None:
        return Verdict("gap")
    if one.state == "live" and is_under_way:
        return Verdict("under_way")
    last = next((turn for turn in reversed(one.trail.turns) if turn.kind == "behind"), None)
    return Verdict("socket" if one.is_full else "replaying", last)


class Timeline:
    """`trace` and `of` are answers of resources, as they are described in docs/protocol.md, section 7."""

    def __init__(self, bus: EventBus, connections: Connections, clock: Clock) -> None:
        self._bus = bus
        self._connections = connections
        self._clock = clock

    # An event

    async def trace(self, id: str, connection: str | None) -> dict[str, Any]:
        """Raises InvalidError for what is no id of an event, NotFoundError if there is no such event or connection."""
        offset = self._offset(id)
        search = Search(TopicFilter.all(), after=offset - 1, before=offset + 1, limit=1)
        rows = (await self._bus.reading.search(search)).rows
        topic = rows[0][TOPIC] if rows else None
        one = None if connection is None else self._connections.find(connection)
        if connection is not None and one is None:
            raise NotFoundError("there is no such connection, nor was there one lately", field="connection")
        found: dict[str, Any] = {
            "id": id,
            "topic": topic,
            "type": rows[0][TYPE] if rows else None,
            "time": rfc3339(rows[0][TIME]) if rows else None,
            **await self._became(offset, topic),
        }
        if one is not None:
            verdict = judge(one, offset, topic, self._bus.delivered)
            found["connection"] = {
                **self._connections.row(one),
                "got": verdict.got,
                "why": verdict.why,
                "detail": WHYS[verdict.why],
                "turn": None if verdict.turn is None else self._turn(verdict.turn),
            }
        return found

    def _offset(self, id: str) -> int:
        cursor = Cursor.parse(id)
        if cursor is None or not cursor.offset:
            raise InvalidError("that is no id of an event", field="id")
        if cursor.epoch != self._bus.epoch:
            raise NotFoundError("this id is of another log")
        if cursor.offset > self._bus.head:
            raise NotFoundError("there is no event of this id yet")
        return cursor.offset

    async def _became(self, offset: int, topic: str | None) -> dict[str, Any]:
        """When it was taken, committed and fanned out; each null if that is not remembered."""
        if self._bus.rounds is None:
            return {"remembered": False, "accepted": None, "committed": None, "fanned_out": None}
        taken, committed, told = self._bus.rounds.find(offset)
        return {
            "remembered": True,
            "accepted": None if taken is None else {"time": self._time(taken)},
            "committed": None if committed is None else self._step(committed, taken),
            "fanned_out": None if told is None else await self._fanned_out(told, topic, committed),
        }

    async def _fanned_out(self, one: Round, topic: str | None, committed: float | None) -> dict[str, Any]:
        """To how many, as its topic tells; those of a group that took no write read it from their cursors."""
        if topic is None:
            unknown = dict.fromkeys(("groups", "written", "left"))
            return {**self._step(one.ended, committed), **unknown, "others": one.others, "largest": []}
        pace = Pace(self._clock.monotonic, LOOK, self._bus.reading.turn)
        groups = written = left = 0
        shown: list[tuple[int, dict[str, Any]]] = []
        for label, live, took in one.told:
            topics = label.topics
            await pace()
            if not topics.matches(topic):
                continue
            groups, written, left = groups + 1, written + took, left + live - took
            if len(shown) < GROUPS_SHOWN or live > shown[-1][0]:
                told = {"transport": label.transport, "topics": list(topics.patterns[:TOPICS_SHOWN])}
                shown.append((live, {**told, "written": took, "left": live - took}))
                shown = sorted(shown, key=lambda group: -group[0])[:GROUPS_SHOWN]
        return {
            **self._step(one.ended, committed),
            "groups": groups,
            "written": written,
            "left": left,
            "others": one.others,
            "largest": [told for _, told in shown],
        }

    def _step(self, at: float, before: float | None) -> dict[str, Any]:
        """`ms` since the step before; null if that is not known."""
        return {"time": self._time(at), "ms": None if before is None else round((at - before) * 1000, 3)}

    def _time(self, at: float) -> str:
        """A moment of the clock that never goes back, on the calendar."""
        return rfc3339(self._clock.unix_ms() - round((self._clock.monotonic() - at) * 1000))

    # A connection

    def of(self, id: str) -> dict[str, Any]:
        """What it went through. Raises NotFoundError."""
        one = self._connections.find(id)
        if one is None:
            raise NotFoundError("there is no such connection, nor was there one lately")
        trail = one.trail
        began = {"turn": "opened", "time": rfc3339(one.since), "cursor": self._bus.cursor(trail.began)}
        turns = [began, *map(self._turn, trail.turns)]
        if one.at is not None:
            cursor = self._bus.cursor(one.offset)
            turns.append({"turn": "ended", "time": rfc3339(one.at), "cursor": cursor, "reason": one.reason})
        is_whole = not (trail.blurred or trail.forgotten)
        return {**self._connections.row(one, len(one.topics.patterns)), "turns": turns, "whole": is_whole}

    def _turn(self, turn: Turn) -> dict[str, Any]:
        found: dict[str, Any] = {
            "turn": turn.kind,
            "time": rfc3339(turn.at),
            "cursor": self._bus.cursor(turn.offset),
        }
        if turn.kind == "behind":
            found["reason"] = "socket" if turn.is_full else "much"
        elif turn.kind == "gap":
            found |= {"reason": turn.reason, "after": self._bus.cursor(turn.after)}
        elif turn.is_of_filter:
            found["before"] = None if turn.before is None else list(turn.before.patterns)
        return found
