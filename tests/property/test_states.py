"""The invariant of states: whatever goes meanwhile, a client has what a plain dictionary says.

Hypothesis publishes about subjects, appends, deletes and closes, compacts, joins, trims, and restarts or kills the
service; clients begin with the state or with all that is kept, stop reading, come back by another wire from whatever
cursor they have, and fold what they hear. Who was told that something was trimmed, and has no state to begin with, does
not know.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from service.bus.bus import EventBus
from service.bus.start import Start
from service.core.errors import ClosedSubjectError
from service.core.event import APPEND, JOINED, Draft, Event
from service.core.topics import TopicFilter
from service.log.base import StateSearch
from service.log.sqlite.verify import verify
from service.resources import resource
from service.settings import RetentionPolicy
from tests.property.clients import FOREVER, STREAMS, StreamConnection
from tests.property.machine import SETTINGS, LogMachine
from tests.support.clock import ManualClock
from tests.support.frames import Frame
from tests.support.sqlitelog import open_sqlite_log
from tests.support.stream_fixtures import House

DEADLINE = 20.0
"""Seconds in which everything owed must have come; it takes milliseconds."""

TOMBSTONES = 1_000.0
SESSIONS_MAX = 6

SMALL_BOUNDS = {
    "service.bus.reading.PAGE_EVENTS": 3,
    "service.bus.reading.TAIL_SCAN": 4,
    "service.bus.fanout.SLICE": 1,
    "service.bus.states.STEP_ROWS": 2,
    "service.log.sqlite.plan.MERGE_TOPICS": 1,
    "service.log.sqlite.state.MERGE_TOPICS": 1,
    "service.log.sqlite.state.WINDOW": 3,
    "service.log.sqlite.reader.WINDOW": 5,
    "service.log.sqlite.trim.TRIM_ROWS": 3,
    "service.log.sqlite.compact.TRIM_ROWS": 2,
    "service.log.sqlite.compact.LOOK_ROWS": 3,
    "service.log.sqlite.texts.JOIN_EVENTS": 2,
    "service.log.sqlite.joining.READ_ROWS": 2,
    "service.log.sqlite.texts.KNOWN_MAX": 2,
    "service.log.sqlite.upkeep.UPKEEP_INTERVAL": FOREVER,
}

TOPICS = ("a", "b", "c/1")
SUBJECTS = (None, "s", "t")
KINDS = ("replace", "replace", "append", "append", "delete", "close")
BATCHES = st.lists(
    st.tuples(st.sampled_from(TOPICS), st.sampled_from(SUBJECTS), st.sampled_from(KINDS)), min_size=1, max_size=4
)
FILTERS = st.sampled_from([TopicFilter(("**",)), TopicFilter(("a", "b")), TopicFilter(("c/*",)), TopicFilter(("a",))])
POLICIES = (RetentionPolicy(topics="a", keep="state"), RetentionPolicy(topics="c/*", keep="state"))
"""Where texts are joined."""

PICK = st.integers(0, SESSIONS_MAX * 20)

Subject = tuple[str, str]


@dataclass
class Values:
    """Of each subject its text."""

    values: dict[Subject, str] = field(default_factory=dict)

    def take(self, about: Subject, text: str | None, *, append: bool) -> None:
        if text is None:
            self.values.pop(about, None)
        else:
            self.values[about] = (self.values.get(about, "") if append else "") + text

    def of(self, topics: TopicFilter) -> dict[Subject, str]:
        return {about: value for about, value in self.values.items() if topics.matches(about[0])}


class Session:
    """A client over all its connections. `held` is None while it does not know."""

    def __init__(self, topics: TopicFilter, held: Values | None, cut: set[Subject]) -> None:
        self.topics = topics
        self.held = held
        self._cut = cut
        self.cursor: str | None = None
        self._told: Values | None = None
        """The state so far that is being told; a connection that is cut then begins again."""

    def begins(self) -> str | None:
        """The cursor to come back with."""
        if self._told is not None or self.held is None:
            self.held = self._told = self.cursor = None
        return self.cursor

    def hear(self, frame: Frame) -> None:
        value = frame.value
        if frame.type in ("connection", "gap") and value["id"] is None:
            self._told = Values()
        elif frame.type == "gap" and value["reason"] != "compacted":
            self.held = None
        elif frame.type == "state_end":
            self.held, self._told = self._told, None
        elif frame.is_event and "subject" in value:
            values = self._told if value.get("state") else self.held
            about = value["topic"], value["subject"]
            append = value.get("append", False)
            lacks_beginning = append and about in self._cut  # whoever has no value of it asks for the state
            if values is not None and not lacks_beginning:
                values.take(about, value["data"], append=append)
        if self._told is not None:
            assert frame.position is None, "until state_end nothing moves a cursor"
        elif frame.position is not None:
            self.cursor = frame.position


class States(LogMachine):
    bounds = SMALL_BOUNDS

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.model = Values()
        self.begun: dict[Subject, int] = {}
        """The offset of the first event of each value."""
        self.closed: dict[Subject, bool] = {}
        self.cut: set[Subject] = set()
        """Subjects whose value lacks its beginning."""
        self.was_trimmed = False
        self.connections: dict[Session, StreamConnection] = {}
        self.sessions: list[Session] = []

    async def _settle(self) -> None:
        until = time.monotonic() + DEADLINE
        while not all(self._is_settled(*one) for one in self.connections.items()):
            if time.monotonic() > until:
                held = [(one.topics, one.held) for one, it in self.connections.items() if not it.is_shut]
                raise AssertionError(f"there is {self.model.values}, and clients have {held}")
            await asyncio.sleep(0)

    def _is_settled(self, session: Session, connection: StreamConnection) -> bool:
        if connection.task.done():
            connection.task.result()
            raise AssertionError("the service ended a stream by itself")
        if connection.is_shut or not connection.is_ready:
            return connection.is_shut
        return session.held is None or session.held.values == self.model.of(session.topics)

    @initialize()
    def start(self) -> None:
        self.runner.run(self._open())

    async def _open(self) -> None:
        self.log = await open_sqlite_log(self.path, self.clock, policies=POLICIES)
        self.bus = EventBus(self.log, self.clock, tail_events=6, tail_bytes=10_000)
        self.log.follow(self._committed, lambda *of: None)
        self.house = House.of(self.bus, self.clock, heartbeat=25.0, send_timeout=FOREVER)

    # What happens to subjects

    @rule(batch=BATCHES)
    def publish(self, batch: list[tuple[str, str | None, str]]) -> None:
        self.run(self._publish(batch))

    async def _publish(self, batch: list[tuple[str, str | None, str]]) -> None:
        drafts: list[Draft] = []
        closed = dict(self.closed)
        is_refused = False
        for topic, subject, kind in batch:
            append, final = kind in ("append", "close"), kind == "close"
            self.serial += 1
            data = "null" if kind == "delete" else f'"{self.serial} "'
            if subject is None:
                drafts.append(Draft(topic, "log", data))
                continue
            drafts.append(Draft(topic, "log", data, None, subject, append, final))
            about = topic, subject
            is_refused = is_refused or (append and closed.get(about, False))
            closed[about] = final
        try:
            await self.bus.publish(drafts)
        except ClosedSubjectError:
            assert is_refused
            return
        assert not is_refused
        self.closed = closed

    def _committed(self, events: Sequence[Event]) -> None:
        """What a dictionary makes of it. The log's own events have the same text in one."""
        for event in events:
            if event.subject is None:
                continue
            about, mark, text = (event.topic, event.subject), event.mark or 0, json.loads(event.data)
            if mark >= JOINED:
                assert self.model.values[about] == text
            if not mark & APPEND:
                self.cut.discard(about)
            if about not in self.cut:
                if not mark & APPEND or about not in self.model.values:
                    self.begun[about] = event.offset
                self.model.take(about, text, append=bool(mark & APPEND))

    @rule(topics=FILTERS, later=st.sampled_from([0.0, 0.0, TOMBSTONES + 1]))
    def compact(self, topics: TopicFilter, later: float) -> None:
        self.run(self._compact(topics, later))

    async def _compact(self, topics: TopicFilter, later: float) -> None:
        self.clock.advance(later)
        compactor = self.log.compactor(topics.matches, TOMBSTONES)
        await compactor.run(self.clock.now)
        await compactor.run(self.clock.now)
        await self._forget_closed(topics)

    async def _forget_closed(self, topics: TopicFilter) -> None:
        """That a deletion has closed its subject goes with it."""
        after = 0
        there: set[tuple[str, str | None]] = set()
        while after < self.log.head:
            page = await self.log.read(topics, after, 10_000, 1 << 30)
            there.update((event.topic, event.subject) for event in page.events)
            after = page.next
        for about in list(self.closed):
            if topics.matches(about[0]) and about not in there and about not in self.cut:
                del self.closed[about]

    @rule()
    def join(self) -> None:
        async def work() -> None:
            await self.log.joiner.run()

        self.run(work())

    @rule(topics=FILTERS, keep=st.integers(0, 6))
    def trim(self, topics: TopicFilter, keep: int) -> None:
        async def work() -> None:
            before = {topic: self.log.bounds(TopicFilter((topic,))).trimmed for topic in TOPICS}
            if await self.bus.trim(topics, keep):
                self.was_trimmed = True
                for session in self.sessions:  # nobody who has a value is told that it went
                    session.held = None
            for about in list(self.model.values):
                trimmed = self.log.bounds(TopicFilter((about[0],))).trimmed
                if trimmed > before[about[0]] and self.begun[about] <= trimmed:
                    del self.model.values[about]
                    self.cut.add(about)
            await self._forget_closed(topics)

        self.run(work())

    @rule(batches=st.lists(BATCHES, min_size=2, max_size=4), topics=FILTERS, joins=st.booleans())
    def flurry(self, batches: list[Any], topics: TopicFilter, joins: bool) -> None:
        """Compaction while others publish, and somebody is told the state."""

        async def work() -> None:
            compacting = asyncio.create_task(self._compact(topics, 0.0))
            joining = asyncio.create_task(self.log.joiner.run())
            if joins and len(self.sessions) < SESSIONS_MAX:
                self._join(Session(topics, None, self.cut), "websocket", None, has_state=True)
            for batch in batches:
                await self._publish(batch)
            await asyncio.gather(compacting, joining)

        self.run(work())

    # Clients

    def _join(self, session: Session, transport: str, start: str | None, *, has_state: bool) -> None:
        if session not in self.sessions:
            self.sessions.append(session)
        begin = Start.parse(start, "events" if has_state else None)
        self.connections[session] = StreamConnection(self.house, session, transport, begin)  # type: ignore[arg-type]

    @precondition(lambda self: len(self.sessions) < SESSIONS_MAX)
    @rule(topics=FILTERS, transport=st.sampled_from(STREAMS), has_state=st.booleans(), stalls=st.booleans())
    def connect(self, topics: TopicFilter, transport: str, has_state: bool, stalls: bool) -> None:
        """With the state, or with all that is kept: a log of which nothing was trimmed folds to it as well."""

        async def work() -> None:
            held = None if has_state or self.was_trimmed else Values()
            session = Session(topics, held, self.cut)
            self._join(session, transport, None if has_state else "earliest", has_state=has_state)
            if stalls:
                self.connections[session].tap.shut()
                return
            await self._settle()
            assert not has_state or session.held is not None

        self.run(work())

    async def _leave(self, session: Session) -> None:
        connection = self.connections.pop(session)
        connection.leave()
        await connection.task

    @precondition(lambda self: self.connections)
    @rule(pick=PICK)
    def disconnect(self, pick: int) -> None:
        self.run(self._leave(list(self.connections)[pick % len(self.connections)]))

    @precondition(lambda self: len(self.connections) < len(self.sessions))
    @rule(pick=PICK, transport=st.sampled_from(STREAMS), has_state=st.booleans())
    def resume(self, pick: int, transport: str, has_state: bool) -> None:
        away = [session for session in self.sessions if session not in self.connections]
        session = away[pick % len(away)]

        async def work() -> None:
            cursor = session.begins()
            self._join(session, transport, cursor, has_state=has_state or cursor is None)

        self.run(work())

    @precondition(lambda self: self.connections)
    @rule(pick=PICK, state=st.sampled_from(["shut", "shut", "open", "choppy", "smooth"]))
    def turn(self, pick: int, state: str) -> None:
        """A client stops reading, reads again, or takes every other write only."""

        async def work() -> None:
            tap = list(self.connections.values())[pick % len(self.connections)].tap
            if state in ("shut", "open"):
                getattr(tap, state)()
            else:
                tap.choppy = state == "choppy"

        self.run(work())

    # The whole

    @rule(topics=FILTERS, limit=st.integers(1, 4))
    def state(self, topics: TopicFilter, limit: int) -> None:
        async def work() -> None:
            at, after = self.log.head, 0
            found = Values()
            while after < at:
                page = await self.log.state(StateSearch(topics, at, after, limit=limit))
                for event in page.events:
                    found.take((event.topic, event.subject or ""), json.loads(event.data), append=True)
                after = page.next
            assert found.values == self.model.of(topics)

        self.run(work())

    @rule(kills=st.booleans())
    def restart(self, kills: bool) -> None:
        async def work() -> None:
            if kills:
                copied = self._copy()
            for session in list(self.connections):
                await self._leave(session)
            await self.log.close()
            if kills:
                self.path = copied
            assert verify(self.path, resource("migrations"), lambda *of: None).faults == ()
            head = self.bus.head
            await self._open()
            assert self.log.head == head

        self.run(work())

    async def _finish(self) -> None:
        try:
            for connection in self.connections.values():
                connection.tap.open()
            await self._settle()
        finally:
            for one in self.connections.values():
                one.leave()
            await asyncio.gather(*(one.task for one in self.connections.values()), return_exceptions=True)
            await self.log.close()


TestStates = States.TestCase
TestStates.settings = SETTINGS
