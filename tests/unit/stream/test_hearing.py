"""A stream that hears ephemeral events: live, stopped, replaying, with another filter, and at its end."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.bus.bus import EventBus
from service.bus.fanout import SLICE
from service.bus.reading import PAGE_EVENTS
from service.bus.subscription import State
from service.core.ephemeral import EphemeralDraft
from service.core.slots import SLOTS_MAX
from service.core.topics import TopicFilter
from service.stream.ending import RESTART
from service.stream.hearing import DEAF
from service.wire.ephemeral.gathering import Gathering
from tests.support.clock import ManualClock
from tests.support.stream_fixtures import House
from tests.support.streams import Running, stream_on
from tests.support.wires import FakePipe, drafts, memory_bus, until

BOTH = pytest.mark.parametrize("direct", [True, False], ids=["direct", "portable"])
TWO = TopicFilter(("a", "t"))
ALL = TopicFilter.all()


@pytest.fixture
async def bus(clock: ManualClock) -> EventBus:
    """On the same clock as the house."""
    return memory_bus(clock=clock)


def send(bus: EventBus, data: int, key: str | None = None, topic: str = "t", skipped: str = "") -> None:
    """Each of a sender of its own, whose rate it does not reach."""
    draft = EphemeralDraft(topic, "light", str(data), key, 5.0)
    bus.ephemeral.send([draft], sender=f"sender {data}", skipped=skipped)


def told(running: Running) -> list[int]:
    """The data of the ephemeral events, in order."""
    return [frame["data"] for frame in running.pipe.frames if frame["type"] == "light"]


def kinds(running: Running) -> list[str]:
    return ["light" if "id" not in frame else "x" for frame in running.pipe.frames if "topic" in frame]


@BOTH
async def test_who_asked_is_told_so_and_gets_them_without_id_and_prev(
    house: House, bus: EventBus, direct: bool
) -> None:
    async with stream_on(house, direct, ephemeral=True) as running, stream_on(house, direct) as other:
        await running.live()
        await other.live()
        await bus.publish(drafts(1))
        send(bus, 1)
        await until(lambda: told(running) == [1])
        await bus.publish(drafts(1))
        await until(lambda: running.pipe.events == [1, 2] and other.pipe.events == [1, 2])
        assert running.pipe.frames[0]["ephemeral"] is True
        assert "ephemeral" not in other.pipe.frames[0]
        frame = next(frame for frame in running.pipe.frames if frame["type"] == "light")
        assert list(frame) == ["topic", "type", "time", "after", "data"]
        assert frame["after"] == bus.cursor(1)
        assert "light" not in other.pipe.types
    assert (house.bus.ephemeral.hearers, running.stream.beside.hearing) == (0, DEAF)


async def test_a_direct_one_is_written_in_the_step_in_which_it_came(house: House, bus: EventBus) -> None:
    async with stream_on(house, ephemeral=True) as running:
        await running.live()
        send(bus, 1)
        assert told(running) == [1]
        assert running.state is State.LIVE


@BOTH
async def test_a_stopped_reader_gets_64_after_very_many(house: House, bus: EventBus, direct: bool) -> None:
    async with stream_on(house, direct, ephemeral=True) as running:
        await running.live()
        running.pipe.fill()
        for n in range(2_000):
            send(bus, n, key=str(n))
            await asyncio.sleep(0)
        await until(lambda: not bus.ephemeral._waiting)
        assert told(running) == []
        running.pipe.empty()
        await running.live()
        await until(lambda: told(running)[-1:] == [1_999])
        on_their_way = told(running)[:-SLOTS_MAX]
        assert on_their_way == ([] if direct else [0]), "what his pump was sending when he stopped"
        assert told(running)[-SLOTS_MAX:] == list(range(2_000 - SLOTS_MAX, 2_000))
        assert (bus.ephemeral.room.held, bus.ephemeral.room.tables) == (0, {})
        send(bus, 7)
        await until(lambda: told(running)[-1] == 7)


async def test_of_one_key_a_stopped_reader_gets_the_newest_and_none_that_is_too_old(
    house: House, bus: EventBus, clock: ManualClock
) -> None:
    async with stream_on(house, ephemeral=True) as running:
        await running.live()
        running.pipe.fill()
        sender = {"sender": "one"}
        for n in range(50):
            bus.ephemeral.send([EphemeralDraft("t", "light", str(n), "k", 5.0)], **sender)
            clock.advance(0.05)
            bus.ephemeral._deliver(bus.ephemeral._throttle.due(clock.monotonic()))
        bus.ephemeral.send([EphemeralDraft("t", "light", "99", "old", 1.0)], **sender)
        clock.advance(1)
        running.pipe.empty()
        await running.live()
        assert told(running) == [49]


@BOTH
async def test_while_it_replays_it_gets_none_before_what_it_is_owed(house: House, bus: EventBus, direct: bool) -> None:
    await bus.publish(drafts(5 * PAGE_EVENTS))
    async with stream_on(house, direct, "earliest", ephemeral=True) as running:
        for n in range(10):
            send(bus, n, key=str(n))
            await bus.publish(drafts(1))
        assert running.state is State.REPLAYING
        await until(lambda: len(told(running)) == 10)
        last = max(n for n, frame in enumerate(running.pipe.frames) if frame["type"] == "x")
        first = min(n for n, frame in enumerate(running.pipe.frames) if frame["type"] == "light")
        assert last < first
        assert running.pipe.events == list(range(1, 5 * PAGE_EVENTS + 11))


@BOTH
async def test_stored_and_ephemeral_events_of_a_slow_reader_keep_their_order(
    house: House, bus: EventBus, direct: bool
) -> None:
    """Whatever a frame says it came after has been written before it."""
    async with stream_on(house, direct, ephemeral=True) as running:
        await running.live()
        for n in range(200):
            if n % 20 == 7:
                running.pipe.fill()
            if n % 20 == 13:
                running.pipe.empty()
            await bus.publish(drafts(1))
            send(bus, n, key=str(n))
            await asyncio.sleep(0)
        running.pipe.empty()
        await until(lambda: len(running.pipe.events) == 200 and told(running)[-1:] == [199])
        assert running.pipe.events == list(range(1, 201))
        seen = 0
        for frame in running.pipe.frames:
            if "topic" in frame and "id" in frame:
                seen = int(frame["id"].rpartition("-")[2])
            elif "topic" in frame:
                assert int(frame["after"].rpartition("-")[2]) <= seen
        numbers = told(running)
        assert len(numbers) == len(set(numbers)), "at most once"


async def test_with_another_filter_it_hears_that_and_what_it_may_not_read_any_more_is_let_go_of(
    house: House, bus: EventBus
) -> None:
    async with stream_on(house, topics=TWO, ephemeral=True) as running:
        await running.live()
        running.pipe.fill()
        send(bus, 1, topic="a")
        send(bus, 2)
        await until(lambda: len(next(iter(bus.ephemeral.room.tables))) == 2)
        async with running.stream.between_pages():
            running.stream.change(TopicFilter(("t",)), is_reduced=True)
        send(bus, 3, topic="a")
        running.pipe.empty()
        await running.live()
        await until(lambda: told(running) == [2])
        async with running.stream.between_pages():
            running.stream.change(TopicFilter(("b",)))
        await running.live()
        send(bus, 5)
        send(bus, 4, topic="b")
        await until(lambda: told(running) == [2, 4])


async def test_the_senders_own_connection_does_not_get_it(house: House, bus: EventBus) -> None:
    async with stream_on(house, ephemeral=True) as mine, stream_on(house, ephemeral=True) as other:
        await mine.live()
        await other.live()
        send(bus, 1, skipped=mine.stream.peer.id)
        assert (told(mine), told(other)) == ([], [1])


async def test_one_that_ends_hears_nothing_more(house: House, bus: EventBus) -> None:
    async with stream_on(house, ephemeral=True) as running:
        await running.live()
        running.stream.end(RESTART)
        send(bus, 1)
        await running.over()
        assert "light" not in running.pipe.types
    assert bus.ephemeral.hearers == 0


async def test_it_can_begin_and_end_while_the_stream_runs(house: House, bus: EventBus) -> None:
    async with stream_on(house) as running:
        await running.live()
        house.opening.besides.listen_in(running.stream, hears=True)
        house.opening.besides.listen_in(running.stream, hears=True)
        send(bus, 1)
        house.opening.besides.listen_in(running.stream, hears=False)
        send(bus, 2)
        house.opening.besides.listen_in(running.stream, hears=False)
        assert told(running) == [1]
        assert bus.ephemeral.hearers == 0


async def test_who_ends_and_begins_anew_in_the_midst_of_a_delivery_has_it_once(house: House, bus: EventBus) -> None:
    """With another filter he is of a group whose turn comes later."""
    encoding = house.frames.websocket_messages
    async with stream_on(house, ephemeral=True) as running, stream_on(house, topics=ALL, ephemeral=True) as other:
        await running.live()
        await other.live()
        crowd = [Gathering(bus.ephemeral, encoding, None) for _ in range(3 * SLICE)]
        for one in crowd:
            bus.ephemeral.join(TWO, encoding, one)
        send(bus, 1)
        assert (told(running), told(other)) == ([1], []), "the crowd is between them"
        house.opening.besides.listen_in(running.stream, hears=False)
        async with running.stream.between_pages():
            running.stream.change(ALL)
        house.opening.besides.listen_in(running.stream, hears=True)
        await until(lambda: told(other) == [1])
        await running.live()
        send(bus, 2)
        await until(lambda: told(running)[-1:] == [2])
        assert told(running) == [1, 2]


async def test_heartbeats_come_as_ever_and_one_soon_after_a_burst(
    house: House, bus: EventBus, clock: ManualClock
) -> None:
    """It tells the position, which ephemeral events do not; and it frees the last of them from a proxy."""
    beat = house.control.heartbeat
    async with stream_on(house, ephemeral=True) as running:
        await running.live()
        for n in range(3 * int(beat)):
            send(bus, n, key=str(n))
            running.stream.sweep(clock.monotonic())
            clock.advance(1)
        assert running.pipe.types.count("heartbeat") in (2, 3)
        assert running.pipe.types[-1] == "light"
        running.stream.sweep(clock.monotonic())
        assert running.pipe.types[-1] == "heartbeat"
        before = len(running.pipe.types)
        for _ in range(int(beat) - 2):
            clock.advance(1)
            running.stream.sweep(clock.monotonic())
        assert len(running.pipe.types) == before, "one is enough"


class Full(FakePipe):
    """Takes what is pushed, and no write."""

    def write(self, payload: tuple[bytes, ...]) -> bool:
        return False


async def test_a_pipe_that_is_full_each_time_gets_them_by_its_pump(house: House, bus: EventBus) -> None:
    async with stream_on(house, pipe=Full(), ephemeral=True) as running:
        for n in range(5):
            await running.live()
            send(bus, n)
            await until(lambda n=n: told(running)[-1:] == [n])  # type: ignore[misc]
        assert kinds(running) == ["light"] * 5


STEPS = st.lists(st.sampled_from(["store", "send a", "send b", "send a", "fill", "empty", "turn", "turn"]), max_size=80)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.booleans())
def test_whatever_happens_order_holds_and_the_newest_comes(steps: list[str], direct: bool) -> None:
    """Stored events are exact; none of the others stands before what it came after, comes twice, or behind a newer one
    of its key; and the newest of each key comes in the end."""
    asyncio.run(whatever_happens(steps, direct))


async def whatever_happens(steps: list[str], direct: bool) -> None:
    clock = ManualClock()
    bus = memory_bus(clock=clock)
    newest: dict[str, int] = {}
    async with stream_on(House.of(bus, clock), direct, ephemeral=True) as running:
        await running.live()
        for number, step in enumerate(steps):
            clock.advance(0.04)
            if step == "store":
                await bus.publish(drafts(1))
            elif step.startswith("send"):
                key = key_of(step)
                newest[key] = number
                bus.ephemeral.send([EphemeralDraft("t", "light", str(number), key, 60.0)], sender="ada")
            elif step == "turn":
                await asyncio.sleep(0)
            else:
                getattr(running.pipe, step)()
        running.pipe.empty()
        await until(lambda: len(running.pipe.events) == bus.head and set(newest.values()) <= set(told(running)))
        assert running.pipe.events == list(range(1, bus.head + 1))
        check_order(running, steps)


def key_of(step: str) -> str:
    return step.removeprefix("send ")


def check_order(running: Running, steps: list[str]) -> None:
    seen, latest = 0, dict[str, int]()
    for frame in running.pipe.frames:
        if "topic" in frame and "id" in frame:
            seen = int(frame["id"].rpartition("-")[2])
        elif "topic" in frame:
            assert int(frame["after"].rpartition("-")[2]) <= seen
            key = key_of(steps[frame["data"]])
            assert frame["data"] > latest.get(key, -1)
            latest[key] = frame["data"]
