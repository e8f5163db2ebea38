"""Presence against a model: whatever members do, every watcher's set is the model's after each batch.

The watchers are streams: by name, by wildcards, on a portable pipe, one whose connection takes nothing for a while, one
that asks for other filters as it goes, and a client that loses frames and asks again where it sees a hole.
"""

import asyncio
import json
import math
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from service.bus.bus import EventBus
from service.bus.presence import PresenceBus
from service.bus.subscription import State
from service.core.errors import TwinwireError
from service.core.limits import PRESENCE_LEASE
from service.core.place import Terms
from service.core.presence import CLOSED, LOST, Party
from service.core.topics import TopicFilter
from tests.support.clock import ManualClock
from tests.support.company import Seen
from tests.support.stream_fixtures import House
from tests.support.streams import Running, stream_on
from tests.support.wires import drafts, memory_bus, until

PLACES = ["a", "a/x", "a/y", "b", "b/x/z"]
IDS = ["t1", "t2", "t3"]
USERS = ["ada", "bob", None]
CONNECTIONS = ["c1", "c2", "c3", ""]
FILTERS = [("a",), ("a/*",), ("**",), ("b/**", "a"), ("a", "a/x", "b")]


@dataclass
class Entry:
    user: str | None
    data: Any
    connection: str
    due: float | None
    """When it leaves, if nothing happens; None: while its connection lives."""
    why: str = "expired"


@dataclass
class Model:
    """Naive: all entries are looked at each second."""

    entries: dict[tuple[str, str], Entry] = field(default_factory=dict)
    heard: dict[str, float] = field(default_factory=dict)

    def enter(self, place: str, id: str, user: str | None, connection: str, data: Any, now: float) -> bool:
        before = self.entries.get((place, id))
        if before is not None and before.user != user:
            return False
        data = data if data is not None else before.data if before is not None else {}
        due = None if connection else now + PRESENCE_LEASE
        self.entries[place, id] = Entry(user, data, connection, due)
        if connection:
            self.hear(connection, now)
        return True

    def hear(self, connection: str, now: float) -> None:
        self.heard[connection] = now
        for entry in self.entries.values():
            if entry.connection == connection and entry.due is not None and entry.why == "silent":
                entry.due = None

    def leave(self, place: str, id: str, user: str | None) -> bool:
        entry = self.entries.get((place, id))
        if entry is None or entry.user != user:
            return False
        del self.entries[place, id]
        return True

    def end(self, connection: str, seconds: float, now: float) -> None:
        for entry in self.entries.values():
            if entry.connection == connection and (entry.due is None or entry.why == "silent"):
                due = now + seconds
                entry.due, entry.why = min(due, entry.due or due), "ended"
        self.heard.pop(connection, None)

    def tick(self, now: float) -> None:
        for connection, at in self.heard.items():
            if now == at + PRESENCE_LEASE:
                for entry in self.entries.values():
                    if entry.connection == connection and entry.due is None:
                        entry.due, entry.why = now + LOST, "silent"
        for key in [key for key, one in self.entries.items() if one.due is not None and one.due <= now]:
            del self.entries[key]

    def seen(self, topics: TopicFilter) -> dict[tuple[str, str], tuple[str | None, Any]]:
        return {key: (entry.user, entry.data) for key, entry in self.entries.items() if topics.matches(key[0])}


class Client:
    """What one stream's client knows. `loses`: it drops every so manieth frame about presence."""

    def __init__(self, running: Running, house: House, loses: int = 0) -> None:
        self.running = running
        self.seen = Seen()
        self._house = house
        self._loses = loses
        self._read = self._count = 0

    @property
    def is_settled(self) -> bool:
        """Whether nothing is on its way to it that it would take."""
        stream = self.running.stream
        is_owed = stream.beside.watching.is_owed or stream.subscription.state is not State.LIVE
        return self.running.pipe.is_full or not is_owed

    @property
    def topics(self) -> TopicFilter:
        return self.running.stream.subscription.topics

    def read(self) -> None:
        frames = self.running.pipe.frames
        for frame in frames[self._read :]:
            if frame["type"] == "presence":
                self._count += 1
                if not self._loses or self._count % self._loses:
                    self.seen.take(frame)
        self._read = len(frames)
        eyes = self._house.opening.besides.eyes(self.running.stream)
        holes, self.seen.holes = self.seen.holes, []
        for place in dict.fromkeys(holes):
            eyes.owe(place)
            eyes.soon()

    def forget(self) -> None:
        """What it watches no more, as its answer says."""
        for place in [place for place in self.seen.places if not self.topics.matches(place)]:
            del self.seen.places[place], self.seen.versions[place]

    def catch_up(self) -> None:
        """As a client that hears of nothing more: it asks once for all that it knows, and loses nothing of that."""
        self._loses = 0
        eyes = self._house.opening.besides.eyes(self.running.stream)
        for place in PLACES:
            if self.topics.matches(place):
                eyes.owe(place)
        eyes.soon()

    def known(self) -> dict[tuple[str, str], tuple[str | None, Any]]:
        return {key: value for key, value in self.seen.data().items() if self.topics.matches(key[0])}


class World:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.bus: EventBus = memory_bus()
        self.bus.presence = PresenceBus(self.clock)  # readers move the bus's own clock, when they wait for a turn
        self.house = House.of(self.bus, self.clock)
        self.model = Model()
        self.clients: list[Client] = []

    @property
    def now(self) -> float:
        return self.clock.monotonic()

    async def open(self, stack: AsyncExitStack) -> None:
        for number, patterns in enumerate(FILTERS):
            running = await stack.enter_async_context(
                stream_on(self.house, direct=number != 1, topics=TopicFilter(patterns), presence=True)
            )
            await running.live()
            self.clients.append(Client(running, self.house, loses=3 if number == 3 else 0))

    async def do(self, op: tuple[Any, ...]) -> None:
        kind, *rest = op
        match kind:
            case "enter":
                place, id, user, connection, data = rest
                self._enter(place, id, user, connection, data)
            case "leave":
                place, id, user = rest
                done = True
                try:
                    self.bus.presence.leave(place, id, user)
                except TwinwireError:
                    done = False
                assert self.model.leave(place, id, user) == done
            case "close" | "lose":
                (connection,) = rest
                why, seconds = ("closed", CLOSED) if kind == "close" else ("lost", LOST)
                self.bus.presence.over(connection, why)
                self.model.end(connection, seconds, self.now)
            case "speak":
                (connection,) = rest
                if any(one.connection == connection for one in self.model.entries.values()):
                    self.bus.presence.heard(connection)
                    if connection in self.model.heard:
                        self.model.hear(connection, self.now)
            case "publish":
                (topic,) = rest
                await self.bus.publish(drafts(3, topic))
            case "stop":
                self.clients[2].running.pipe.fill()
            case "go":
                self.clients[2].running.pipe.empty()
            case "filter":
                (patterns,) = rest
                client = self.clients[4]
                async with client.running.stream.between_pages():
                    client.read()
                    client.running.stream.change(TopicFilter(patterns))
                    client.forget()
                    client.running.stream.beside.watching.soon()
            case "wait":
                (seconds,) = rest
                for _ in range(seconds):
                    await self.second()

    def _enter(self, place: str, id: str, user: str | None, connection: str, data: Any) -> None:
        text = None if data is None else json.dumps(data, separators=(",", ":"))
        party = Party(user, user or "@")
        terms = None if connection else Terms(PRESENCE_LEASE, math.inf, None)
        done = True
        try:
            self.bus.presence.enter(
                place, id, party, data=text, connection=connection, speaks=bool(connection), terms=terms
            )
        except TwinwireError as error:
            done = error.status == 429  # too many changes: of no interest here
            if done:
                return
        assert self.model.enter(place, id, user, connection, data, self.now) == done

    async def second(self) -> None:
        """The batches of this second, and then the next one."""
        self.clock.advance(0.25)
        await self.settle()
        self.clock.advance(0.75)
        self.bus.presence._look()
        self.model.tick(self.now)

    async def settle(self) -> None:
        self.bus.presence.telling.begin()
        await self.bus.presence.settle()
        for _ in range(20):
            await asyncio.sleep(0)
        for client in self.clients:
            client.read()

    async def check(self) -> None:
        """After one batch every watcher knows what the model does; but who takes nothing."""
        await self.second()
        self.clock.advance(0.25)
        await self.settle()
        await until(lambda: all(client.is_settled for client in self.clients))
        await self.settle()
        for number, client in enumerate(self.clients):
            if client.running.pipe.is_full:
                continue
            assert client.running.stream.ending is None
            if client._loses:  # the last of all may be lost, which no hole tells
                assert set(client.seen.versions) <= set(PLACES)
                continue
            assert client.known() == self.model.seen(client.topics), number
        self.clock.advance(0.75)
        self.bus.presence._look()
        self.model.tick(self.now)


places, ids, users = st.sampled_from(PLACES), st.sampled_from(IDS), st.sampled_from(USERS)
connections = st.sampled_from(CONNECTIONS[:3])
datas = st.sampled_from([None, {}, {"x": 1}, {"x": 2}])
OPS = st.one_of(
    st.tuples(st.just("enter"), places, ids, users, st.sampled_from(CONNECTIONS), datas),
    st.tuples(st.just("enter"), places, ids, users, st.sampled_from(CONNECTIONS), datas),
    st.tuples(st.just("leave"), places, ids, users),
    st.tuples(st.sampled_from(["close", "lose", "speak"]), connections),
    st.tuples(st.just("publish"), places),
    st.tuples(st.sampled_from(["stop", "go"])),
    st.tuples(st.just("filter"), st.sampled_from(FILTERS)),
    st.tuples(st.just("wait"), st.sampled_from([1, 2, 4, 11, 31, 42])),
    st.tuples(st.just("check")),
)


@given(st.lists(OPS, min_size=20, max_size=80))
@settings(max_examples=100, deadline=None)
async def test_every_watcher_s_set_is_the_model_s_after_each_batch(ops: list[tuple[Any, ...]]) -> None:
    world = World()
    async with AsyncExitStack() as stack:
        await world.open(stack)
        for op in ops:
            if op[0] == "check":
                await world.check()
            else:
                await world.do(op)
        world.clients[2].running.pipe.empty()
        world.clients[3].catch_up()
        for _ in range(3):
            await world.check()
        for connection in CONNECTIONS:
            await world.do(("close", connection))
        await world.do(("wait", 45))
        await world.check()
        assert (world.bus.presence.state.count, world.model.entries) == (0, {})
        assert not world.bus.presence.state.is_timed
    await world.bus.presence.close()
    assert world.bus.presence.telling.watchers == 0
    assert world.bus.presence.state.places == {}
