"""The storm: drops, transport changes and kills while events are published. Nothing is missing, nothing comes
twice.
"""

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from tests.e2e.conftest import Serve
from tests.support import api
from tests.support.clients import TRANSPORTS
from tests.support.follower import Follower
from tests.support.frames import Frame
from tests.support.http import Connection, Response
from tests.support.server import ServerProcess

SEED = 20260731
EVENTS = 2_000
CLIENTS_PER_TRANSPORT = 4
DROPS = 8
KILLS = 3
PUBLISHERS = 4
WINDOW = 150
"""Events that the slowest client may lag behind the publishers, so that drops and kills meet live streams."""
TOPICS = ("storm/a", "storm/b", "storm/c/deep", "calm")
END = "end"
JSON = {"Content-Type": "application/json"}
FILTERS: tuple[Sequence[str], ...] = (
    ("**",),
    ("storm/*",),
    ("storm/**", "calm"),
    ("storm/c/*", "storm/a"),
)


def matches(filters: Sequence[str], topic: str) -> bool:
    """What each of FILTERS covers, written out instead of computed the way the service does it."""
    covered = {
        "**": set(TOPICS),
        "storm/*": {"storm/a", "storm/b"},
        "storm/**": {"storm/a", "storm/b", "storm/c/deep"},
        "calm": {"calm"},
        "storm/c/*": {"storm/c/deep"},
        "storm/a": {"storm/a"},
    }
    return topic == END or any(topic in covered[text] for text in filters if text in covered)


class Pulse:
    """Wakes those who wait for something to hold, whenever something has changed."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def beat(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            await self._changed.wait()


class Storm:
    """Publishers, clients and a killer on one server, coupled by counts of events, never by time."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.random = random.Random(SEED)
        self.acknowledged: dict[str, tuple[str, int]] = {}
        self.pulse = Pulse()
        self.topics = [self.random.choice(TOPICS) for _ in range(EVENTS)]
        self.todo = iter(range(EVENTS))
        self.up = True
        self.followers = [
            self._follower(f"{transport}-{n}", FILTERS[n % len(FILTERS)])
            for transport in TRANSPORTS
            for n in range(CLIENTS_PER_TRANSPORT)
        ]
        self.due = [0] * len(self.followers)

    def _follower(self, name: str, filters: Sequence[str]) -> Follower:
        mine = sum(matches(filters, topic) for topic in self.topics)
        return Follower(
            self.server.url,
            [*filters, END],
            transport=next(text for text in TRANSPORTS if name.startswith(text)),
            seed=f"{SEED}-{name}",
            drops=self.random.sample(range(5, mine - 5), DROPS),
            on_event=lambda _: self.pulse.beat(),
        )

    async def run(self) -> None:
        async with asyncio.TaskGroup() as following:
            for follower in self.followers:
                following.create_task(follower.run(_is_end))
            await asyncio.gather(*(follower.opened.wait() for follower in self.followers))
            async with asyncio.TaskGroup() as storming:
                storming.create_task(self._kill())
                for _ in range(PUBLISHERS):
                    storming.create_task(self._publish())
            await api.publish(self.server.url, END, -1)

    async def _publish(self) -> None:
        """One publisher: it repeats each event with its key until it is acknowledged."""
        connection: Connection | None = None
        for number in self.todo:
            await self.pulse.until(self._has_room)
            draft = {"topic": self.topics[number], "type": "log", "data": number, "key": f"key-{number}"}
            response: Response | None = None
            while response is None:
                try:
                    connection = connection or await Connection.open(self.server.url)
                    response = await connection.request(
                        "POST", "/api/events", headers=JSON, body=json.dumps(draft).encode()
                    )
                except OSError:
                    if connection is not None:
                        connection.reset()
                    connection = None
                    await self.pulse.until(lambda: self.up)
            assert response.status in {200, 201}, response.text
            self._acknowledge(response.json()["id"], number)
        if connection is not None:
            await connection.close()

    def _acknowledge(self, cursor: str, number: int) -> None:
        self.acknowledged[cursor] = (self.topics[number], number)
        for n, follower in enumerate(self.followers):
            self.due[n] += matches(follower.topics, self.topics[number])
        self.pulse.beat()

    def _has_room(self) -> bool:
        return all(due - len(follower.events) < WINDOW for due, follower in zip(self.due, self.followers, strict=True))

    def _has_acknowledged(self, count: int) -> bool:
        return len(self.acknowledged) >= count

    async def _kill(self) -> None:
        for count in sorted(self.random.sample(range(100, EVENTS - 100), KILLS)):
            await self.pulse.until(partial(self._has_acknowledged, count))
            self.up = False
            await self.server.akill9()
            await self.server.astart()
            self.up = True
            self.pulse.beat()


def _is_end(frame: Frame) -> bool:
    return bool(frame.value["topic"] == END)


@pytest.mark.timeout(180)
async def test_the_storm(serve: Serve) -> None:
    """Every client ends with exactly the acknowledged events of its topics, in order."""
    print(f"seed {SEED}")
    storm = Storm(serve())
    await storm.run()
    acknowledged = sorted(
        ((cursor, *value) for cursor, value in storm.acknowledged.items()),
        key=lambda item: api.offset(item[0]),
    )
    assert sorted(number for _, _, number in acknowledged) == list(range(EVENTS))
    assert storm.server.starts == 1 + KILLS
    for follower in storm.followers:
        expected = [item for item in acknowledged if matches(follower.topics, item[1])]
        seen = [(frame.id, frame.value["topic"], frame.data) for frame in follower.events[:-1]]
        assert seen == expected
        assert follower.gaps == []
        assert follower.drops_left == 0
        assert len(follower.used) >= 1 + DROPS
        assert follower.switches > 0
        assert_unbroken(follower.events)
    stored = await api.history(storm.server.url)
    assert [event["id"] for event in stored[:-1]] == [item[0] for item in acknowledged]


def assert_unbroken(events: Sequence[Frame]) -> None:
    """Each `prev` is the event that the client had last on that topic: its own proof of completeness."""
    last: dict[str, str] = {}
    for event in events:
        topic = event.value["topic"]
        assert event.value["prev"] == last.get(topic)
        last[topic] = event.id
