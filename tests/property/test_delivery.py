"""The invariant: a connection delivers, in log order, every event that matches its filter and comes after its
cursor, each exactly once, or says in-band what it could not deliver.

Hypothesis publishes, subscribes by every transport, shuts clients, changes filters, trims, and restarts or kills the
service; after each step everything that is owed has come (see model.py). Bounds of the service are made small, so
that pages, windows, slices and batches end in the middle of things.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from msgspec.structs import replace

from service.bus.bus import EventBus
from service.bus.reading import LOCATE_STEPS
from service.bus.start import Start
from service.clock import SystemClock
from service.core.event import Draft
from service.core.topics import TopicFilter
from tests.property.clients import FOREVER, STREAMS, TRANSPORTS, Connection, PollConnection, StreamConnection, ask
from tests.property.machine import SETTINGS, LogMachine
from tests.property.model import Model, Session, offset_of
from tests.support.sqlitelog import open_sqlite_log
from tests.support.stream_fixtures import House

DEADLINE = 20.0
"""Seconds in which everything owed must have come; it takes milliseconds."""

SESSIONS_MAX = 8

SMALL_BOUNDS = {
    "service.bus.reading.PAGE_EVENTS": 3,
    "service.bus.reading.TAIL_SCAN": 4,
    "service.bus.fanout.SLICE": 1,
    "service.log.sqlite.plan.MERGE_TOPICS": 2,
    "service.log.sqlite.reader.WINDOW": 5,
    "service.log.sqlite.trim.TRIM_ROWS": 3,
    "service.log.sqlite.upkeep.UPKEEP_INTERVAL": FOREVER,
    "service.log.sqlite.forget.STEP": 2,
    "service.log.sqlite.raised.TIDY_STEP": 2,
    "service.log.sqlite.topics._GONE_MIN": 0,
    "service.log.sqlite.topics._TIDY_STEP": 2,
}

TOPICS = st.sampled_from(["a", "b", "c/1", "c/2", "c/2/x"])
PATTERNS = st.sampled_from(["a", "b", "c/1", "c/2/x", "unknown", "*", "c/*", "c/**", "*/2/*", "**"])
SHARED_FILTERS = st.sampled_from([TopicFilter(("**",)), TopicFilter(("a", "c/2"))])
FILTERS = SHARED_FILTERS | st.lists(PATTERNS, min_size=1, max_size=3).map(lambda some: TopicFilter(tuple(some)))
KEYS = st.none() | st.sampled_from(["k1", "k2"])
BATCHES = st.lists(st.tuples(TOPICS, KEYS), min_size=1, max_size=5)
STARTS = st.sampled_from(["now", "latest", "earliest", "cursor", "cursor", "epoch", "ahead", "malformed"])
PICK = st.integers(0, SESSIONS_MAX * 20)


class Delivery(LogMachine):
    bounds = SMALL_BOUNDS

    def __init__(self) -> None:
        super().__init__()
        self.connections: dict[Session, Connection] = {}
        self.sessions: list[Session] = []

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        super().run(work)
        for session in self.sessions:
            if session in self.connections and not self.connections[session].is_shut:
                session.check()

    # The service

    @initialize()
    def start(self) -> None:
        self.clock = SystemClock()
        self.runner.run(self._open())
        self.model = Model(self.log.epoch)

    async def _open(self) -> None:
        self.log = await open_sqlite_log(self.path, self.clock)
        self.bus = EventBus(self.log, self.clock, tail_events=8, tail_bytes=10_000)
        self.house = House.of(self.bus, self.clock, heartbeat=25.0, send_timeout=FOREVER)
        self.poll = self.house.poll()

    async def _settle(self) -> None:
        async with asyncio.timeout(DEADLINE):
            while not all(self._is_settled(session) for session in self.connections):
                await asyncio.sleep(0)

    def _is_settled(self, session: Session) -> bool:
        connection = self.connections[session]
        if connection.task.done():
            connection.task.result()
            raise AssertionError("the service ended a stream by itself")
        if connection.is_shut:
            return True
        if session.start is None and connection.frames:
            session.start = offset_of(connection.frames[0].id)  # "now" is when the service says it was
        return connection.is_ready and session.is_served()

    # Publishing and trimming

    def _drafts(self, batch: list[tuple[str, str | None]]) -> list[Draft]:
        drafts = []
        for topic, key in batch:
            self.serial += 1
            drafts.append(Draft(topic, "log", f'{{"n":{self.serial}}}', key))
        return drafts

    @rule(batch=BATCHES)
    def publish(self, batch: list[tuple[str, str | None]]) -> None:
        async def work() -> None:
            drafts = self._drafts(batch)
            receipt = await self.bus.publish(drafts)
            before = self.model.head
            self.model.learn([(drafts, receipt.offsets)])
            assert receipt.fresh == (self.model.head > before)

        self.run(work())

    @rule(topics=FILTERS, keep=st.integers(0, 4))
    def trim(self, topics: TopicFilter, keep: int) -> None:
        async def work() -> None:
            removed = await self.bus.trim(topics, keep)
            assert removed == self.model.trim(topics, keep)
            self.model.learn_floors(self.log)

        self.run(work())

    @precondition(lambda self: not any(one.is_shut for _, one in self._streams()))
    @rule()
    def forget(self) -> None:
        """All topics that are empty and that nobody subscribes to, but by `**`: as after a while, in which every stream
        had its heartbeats.
        """

        async def work() -> None:
            for _, connection in self._streams():
                connection.tap.choppy = False
            await self._settle()
            self._beat()
            await self._settle()
            self.log.forgetter.after = 1e-9
            count = await self.log.forgetter.run()
            model = self.model
            gone = {topic for topic in model.heads if not self.log.has_topic(topic)}
            filters = [session.topics for session in self.connections if not session.topics.covers_all]
            empty = {topic for topic in model.heads if not model.kept(TopicFilter((topic,)))}
            assert gone == {topic for topic in empty if not any(one.matches(topic) for one in filters)}
            assert len(gone) == count
            model.forget(gone)

        self.run(work())

    @rule(
        batches=st.lists(BATCHES, min_size=2, max_size=5),
        cut=st.none() | st.tuples(FILTERS, st.integers(0, 3)),
        joining=st.none() | st.tuples(FILTERS, st.sampled_from(TRANSPORTS)),
    )
    def flurry(
        self,
        batches: list[list[tuple[str, str | None]]],
        cut: tuple[TopicFilter, int] | None,
        joining: tuple[TopicFilter, str] | None,
    ) -> None:
        """Publishes that share commits, while a topic is trimmed, hearts beat and a client joins."""

        async def work() -> None:
            requests = [[replace(draft, key=None) for draft in self._drafts(batch)] for batch in batches]
            publishing = [asyncio.create_task(self.bus.publish(request)) for request in requests]
            trimming = asyncio.create_task(self.bus.trim(*cut)) if cut else None
            if joining is not None:
                self._join(Session(self.model, joining[0]), joining[1], "latest")
            while not all(task.done() for task in publishing):
                self._beat()
                await asyncio.sleep(0)
            receipts = await asyncio.gather(*publishing)
            self.model.learn(zip(requests, [receipt.offsets for receipt in receipts], strict=True))
            if trimming is not None:
                await trimming
            self.model.learn_floors(self.log)

        self.run(work())

    # Connections

    def _join(self, session: Session, transport: str, start: str | None) -> Connection:
        if session not in self.sessions:
            self.sessions.append(session)
        connection: Connection
        if transport == "poll":
            connection = PollConnection(self.poll, session, start)
        else:
            connection = StreamConnection(self.house, session, transport, Start.parse(start))
        self.connections[session] = connection
        return connection

    @precondition(lambda self: len(self.sessions) < SESSIONS_MAX)
    @rule(topics=FILTERS, transport=st.sampled_from(TRANSPORTS), kind=STARTS, pick=PICK, stalls=st.booleans())
    def connect(self, topics: TopicFilter, transport: str, kind: str, pick: int, stalls: bool) -> None:
        """A client that stalls has not read a word yet when other things happen."""
        model, session = self.model, Session(self.model, topics)
        offset = pick % (model.head + 1)
        text = {
            "now": None,
            "cursor": f"{model.epoch}-{offset}",
            "epoch": f"other-{offset}",
            "ahead": f"{model.epoch}-{model.head + 1 + offset}",
            "malformed": "not a cursor",
        }.get(kind, kind)
        floor = model.floor(topics)
        if kind == "cursor":
            session.start = offset
            session.move(f"{model.epoch}-{offset}")
        elif kind in ("earliest", "epoch"):
            session.start = 0
            if kind == "earliest":
                session.excuse(fact for fact in model.facts if not model.is_kept(fact))
        else:
            session.start = model.head

        async def work() -> None:
            connection = self._join(session, transport, text)
            if stalls and isinstance(connection, StreamConnection):
                connection.tap.shut()
                return
            await self._settle()
            expects_gap = kind in ("epoch", "ahead", "malformed") or (kind == "cursor" and offset < floor)
            # A poll asks again and again: a page that ends below the floor of another topic is followed by a gap.
            is_told_later = transport == "poll" and kind == "earliest" and floor > 0
            assert bool(session.gaps) == expects_gap or is_told_later
            if transport != "poll":
                self._check_opening(connection, kind, expects_gap, model.before_first(topics, session.start or 0))

        self.run(work())

    def _check_opening(self, connection: Connection, kind: str, expects_gap: bool, goes_on: int) -> None:
        """`connection` is the first frame, `gap` the second if there is one, and `caught_up` comes once."""
        types = [frame.type for frame in connection.frames if not frame.is_event]
        assert types == ["connection", *(["gap"] if expects_gap else []), "caught_up"]
        assert connection.frames[0].type == "connection"
        assert connection.frames[0].value["resumed"] == (kind == "cursor" and not expects_gap)
        if expects_gap:
            assert connection.frames[1].type == "gap"
            assert connection.frames[1].id == connection.frames[0].id
            # Before the first that matches; or a position before that, after so many looks, if it is far.
            looked = LOCATE_STEPS * SMALL_BOUNDS["service.log.sqlite.reader.WINDOW"]
            assert min(goes_on, looked) <= offset_of(connection.frames[1].id) <= goes_on
        position = next(n for n, frame in enumerate(connection.frames) if frame.type == "caught_up")
        replayed = [frame for frame in connection.frames[:position] if frame.is_event]
        assert connection.frames[position].value["replayed"] == len(replayed)

    def _open_sessions(self) -> list[Session]:
        return [session for session in self.sessions if session in self.connections]

    def _streams(self) -> list[tuple[Session, StreamConnection]]:
        found = [(session, self.connections[session]) for session in self._open_sessions()]
        return [(session, one) for session, one in found if isinstance(one, StreamConnection)]

    async def _leave(self, session: Session) -> None:
        connection = self.connections.pop(session)
        connection.leave()
        await connection.task

    @precondition(lambda self: self._open_sessions())
    @rule(pick=PICK)
    def disconnect(self, pick: int) -> None:
        sessions = self._open_sessions()
        self.run(self._leave(sessions[pick % len(sessions)]))

    @precondition(lambda self: len(self._open_sessions()) < len(self.sessions))
    @rule(pick=PICK, transport=st.sampled_from(TRANSPORTS))
    def resume(self, pick: int, transport: str) -> None:
        """By whatever transport, from the cursor that the client holds."""
        away = [session for session in self.sessions if session not in self.connections]
        session = away[pick % len(away)]
        if not session.topics.patterns and transport == "poll":
            transport = STREAMS[0]  # a query without a topic asks for all of them: that one wants none, it can't say

        async def work() -> None:
            if session.cursor is None:
                self.sessions.remove(session)  # it never heard a word: nothing to resume from
            else:
                self._join(session, transport, session.come_back())

        self.run(work())

    @precondition(lambda self: self._streams())
    @rule(pick=PICK, state=st.sampled_from(["shut", "shut", "open", "choppy", "smooth"]))
    def turn(self, pick: int, state: str) -> None:
        """A client stops reading, reads again, or takes every other write only."""

        async def work() -> None:
            streams = self._streams()
            tap = streams[pick % len(streams)][1].tap
            if state in ("shut", "open"):
                getattr(tap, state)()
            else:
                tap.choppy = state == "choppy"

        self.run(work())

    @precondition(lambda self: any(not one.is_shut for _, one in self._streams()))
    @rule(pick=PICK, topics=FILTERS, adds=st.booleans())
    def change(self, pick: int, topics: TopicFilter, adds: bool) -> None:
        """As the operations `subscribe` and `unsubscribe` do."""

        async def work() -> None:
            streams = [(session, one) for session, one in self._streams() if not one.is_shut]
            session, connection = streams[pick % len(streams)]
            stream = connection.stream
            assert stream is not None
            changed = session.topics.plus(topics.patterns) if adds else session.topics.minus(topics.patterns)
            async with stream.between_pages():
                offset = stream.subscription.change(changed)
                session.change(offset, changed)

        self.run(work())

    @rule()
    def beat(self) -> None:
        """Silence on all streams: a heartbeat's position is a cursor too."""

        async def work() -> None:
            self._beat()

        self.run(work())

    def _beat(self) -> None:
        now = self.house.hub.now()
        for _, connection in self._streams():
            if connection.stream is not None:
                connection.stream.sweep(now)
                connection.stream.sweep(now + 1_000)

    # The whole

    @rule(topics=FILTERS, newest_first=st.booleans(), limit=st.integers(1, 4))
    def history(self, topics: TopicFilter, newest_first: bool, limit: int) -> None:
        async def work() -> None:
            found: list[int] = []
            query: dict[str, Any] = {"order": "desc"} if newest_first else {"after": "earliest"}
            more = True
            while more:
                answer = await ask(self.poll, asyncio.Event(), topics=topics.patterns, limit=limit, **query)
                assert answer is not None
                found += [offset_of(event["id"]) for event in answer["events"]]
                query["before" if newest_first else "after"] = answer["cursor"]
                more = answer["more"]
            expected = [fact.offset for fact in self.model.kept(topics)]
            assert found == (expected[::-1] if newest_first else expected)

        self.run(work())

    @rule(kills=st.booleans())
    def restart(self, kills: bool) -> None:
        """Every connection breaks. Killed, the service finds what was on disk at that instant."""

        async def work() -> None:
            if kills:
                copied = self._copy()
            for session in self._open_sessions():
                await self._leave(session)
            await self.log.close()
            if kills:
                self.path = copied
            await self._open()
            assert (self.log.epoch, self.log.head) == (self.model.epoch, self.model.head)
            assert self.log.bounds(TopicFilter(("never",))).floor == self.model.folded

        self.run(work())

    def check(self) -> None:
        """In the end every client came back and has read, and then nothing may be missing."""
        for session in self.sessions:
            session.check()

    async def _finish(self) -> None:
        try:
            for _, connection in self._streams():
                connection.tap.open()
            for session in self.sessions:
                if session not in self.connections and session.cursor is not None:
                    self._join(session, "websocket", session.come_back())
            await self._settle()
            self.sessions = [session for session in self.sessions if session in self.connections]
        finally:
            for one in self.connections.values():
                one.leave()
            await asyncio.gather(*(one.task for one in self.connections.values()), return_exceptions=True)
            await self.log.close()


TestDelivery = Delivery.TestCase
TestDelivery.settings = SETTINGS
