"""Ephemeral events reach who is there, once, never before what he is owed, in slices, and leave nothing behind."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from service.bus.bus import EventBus
from service.bus.ephemeral import GATHER, REST, TOGETHER, TOGETHER_BYTES, WAITING_BYTES, WAITING_MAX, EphemeralBus, Told
from service.bus.fanout import SLICE
from service.bus.group import Groups
from service.bus.index import LOOKS, STEP
from service.bus.start import Start
from service.core.ephemeral import Ephemeral, EphemeralDraft
from service.core.errors import RateLimitedError
from service.core.rates import Rate
from service.core.slots import Slots
from service.core.topics import TopicFilter
from tests.support.clock import ManualClock
from tests.support.wires import OffsetText, Sink, drafts, memory_bus, until

T = TopicFilter(("t",))


class Text(OffsetText):
    """Frames are data."""

    def ephemeral(self, event: Ephemeral) -> bytes:
        self.encoded += 1
        return event.data.encode()


class Ear:
    """Keeps what it hears; `callback` runs in the midst of it."""

    def __init__(self, callback: Callable[[], None] = lambda: None) -> None:
        self.heard: list[int] = []
        self.numbers: list[int] = []
        self._callback = callback

    def hear(self, told: Told) -> int:
        assert told.payload == tuple(int(frame) for _, frame in told.items)
        if told.number in self.numbers:
            return 0
        self.numbers.append(told.number)
        self.heard += told.payload
        self._callback()
        return len(told.items)


def light(data: int, topic: str = "t", key: str | None = None, ttl: float = 5.0) -> EphemeralDraft:
    return EphemeralDraft(topic, "x", str(data), key, ttl)


def send(bus: EventBus, *found: EphemeralDraft, sender: str = "ada") -> None:
    bus.ephemeral.send(found, sender=sender)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def bus(clock: ManualClock) -> EventBus:
    return memory_bus(clock=clock)


async def test_it_reaches_who_asked_for_its_topic_and_nobody_else_in_the_step_in_which_it_came(bus: EventBus) -> None:
    encoding, mine, all, other = Text(), Ear(), Ear(), Ear()
    bus.ephemeral.join(T, encoding, mine)
    bus.ephemeral.join(TopicFilter.all(), encoding, all)
    bus.ephemeral.join(TopicFilter(("other/*",)), encoding, other)
    subscription, _ = await bus.subscribe(T, Start.now(), encoding)
    subscription.go_live(sink := Sink())
    send(bus, light(1), light(2, key="k"), light(3, "other/a"))
    assert (mine.heard, all.heard, other.heard) == ([1, 2], [1, 2, 3], [3])
    assert len(all.numbers) == 1, "what comes together is one write"
    assert sink.taken == [], "who has not asked"
    assert (bus.head, bus.deliveries, encoding.encoded) == (0, 0, 3), "once an event and encoding"
    assert (bus.ephemeral.accepted, bus.ephemeral.deliveries, bus.ephemeral.hearers) == (3, 6, 3)
    subscription.close()


async def test_what_comes_soon_after_is_one_write_later(bus: EventBus, clock: ManualClock) -> None:
    bus.ephemeral.join(T, Text(), ear := Ear())
    for n in range(2 * TOGETHER):
        send(bus, light(n, key=str(n)), sender=str(n))
    assert ear.heard == [0], "the first at once"
    await until(lambda: len(ear.heard) == 2 * TOGETHER)
    assert ear.heard == list(range(2 * TOGETHER))
    assert len(ear.numbers) == 3
    clock.advance(1)
    send(bus, light(-1, key="later"))
    assert ear.heard[-1] == -1


async def test_what_comes_in_its_time_waits_for_nothing_though_writing_takes_some_of_it(
    bus: EventBus, clock: ManualClock
) -> None:
    class Slow(Ear):
        def hear(self, told: Told) -> int:
            clock.advance(0.8 * GATHER)
            return super().hear(told)

    bus.ephemeral.join(T, Text(), ear := Slow())
    for n in range(5):
        send(bus, light(n, key=str(n)))
        assert ear.heard == list(range(n + 1))
        clock.advance(0.4 * GATHER)


async def test_after_a_delivery_that_took_long_there_is_a_rest(bus: EventBus, clock: ManualClock) -> None:
    class Slow(Ear):
        def hear(self, told: Told) -> int:
            clock.advance(8 * GATHER)
            return super().hear(told)

    bus.ephemeral.join(T, Text(), ear := Slow())
    send(bus, light(0, key="0"))
    clock.advance(0.9 * REST * 8 * GATHER)
    send(bus, light(1, key="1"))
    assert ear.heard == [0]
    await until(lambda: ear.heard == [0, 1])
    clock.advance(1.1 * REST * 8 * GATHER)
    send(bus, light(2, key="2"))
    assert ear.heard == [0, 1, 2]


async def test_its_own_connection_is_left_out_of_what_is_told_to_others(bus: EventBus) -> None:
    audience: list[Told] = []

    class Keeping(Ear):
        def hear(self, told: Told) -> int:
            audience.append(told)
            return super().hear(told)

    bus.ephemeral.join(T, Text(), Keeping())
    bus.ephemeral.send([light(1, key="a"), light(2, key="b")], sender="ada", skipped="mine")
    bus.ephemeral.send([light(3, key="c")], sender="bob")
    await until(lambda: len(audience) == 2)
    mine, others = audience
    assert (mine.to("mine"), mine.to("other")) == (None, mine)
    assert others.to("mine") is others
    bus.ephemeral.send([light(4, key="d")], sender="ada", skipped="mine")
    bus.ephemeral.send([light(5, key="e")], sender="bob")
    await until(lambda: len(audience) == 3)
    part = audience[-1].to("mine")
    assert part is not None
    assert (part.payload, part.number) == ((5,), audience[-1].number)


async def test_with_nobody_there_it_is_counted_and_over(bus: EventBus) -> None:
    group = bus.ephemeral.join(T, Text(), ear := Ear())
    bus.ephemeral.leave(group, ear)
    send(bus, light(1))
    assert (ear.heard, bus.ephemeral.accepted, bus.ephemeral.hearers) == ([], 1, 0)
    assert bus.ephemeral._waiting == {}
    assert bus.ephemeral._audiences == {}


async def test_none_comes_before_the_rest_of_a_round_that_was_under_way(bus: EventBus) -> None:
    """`after` is the head: whoever is live and has yet to get an event up to there is told it first."""
    encoding = Text()
    order: list[str] = []

    class Slow(Sink):
        def write(self, payload: Any) -> bool:
            order.append("stored")
            return True

    for _ in range(3 * SLICE):
        subscription, _ = await bus.subscribe(T, Start.now(), encoding)
        subscription.go_live(Slow())
    bus.ephemeral.join(T, encoding, Ear(lambda: order.append("ephemeral")))
    publishing = asyncio.create_task(bus.publish(drafts(1)))
    await until(lambda: len(order) >= SLICE)
    assert bus.groups.fed < bus.head, "a round is under way"
    send(bus, light(1))
    assert "ephemeral" not in order
    await publishing
    await until(lambda: "ephemeral" in order)
    assert order == ["stored"] * 3 * SLICE + ["ephemeral"]


async def test_one_that_comes_while_others_wait_for_a_round_waits_for_its_own(clock: ManualClock) -> None:
    """The head has moved on meanwhile: what was accepted there comes after the round that ends there."""
    stored, heads = Groups(), iter((1, 2))
    lights = EphemeralBus(stored, lambda: next(heads), clock, Rate(60, 120))
    lights.join(T, Text(), ear := Ear())
    lights.send([light(1, key="a"), light(2, key="b")], sender="ada")
    lights.send([light(3, key="c")], sender="bob")
    await asyncio.sleep(0)
    assert ear.heard == [], "a round is under way"
    stored.fed = 1  # it is over, and the next one under way
    await until(lambda: ear.heard == [1, 2])
    for _ in range(5):
        await asyncio.sleep(0)
    assert ear.heard == [1, 2]
    stored.fed = 2
    await until(lambda: ear.heard == [1, 2, 3])


async def test_what_nobody_wants_any_more_when_a_round_is_over_is_dropped(bus: EventBus, clock: ManualClock) -> None:
    bus.ephemeral.join(T, Text(), ear := Ear())
    await bus.publish(drafts(1))
    bus.groups.fed = 0  # as in the midst of a round
    send(bus, light(1, ttl=1))
    await asyncio.sleep(0)
    clock.advance(1)
    await until(lambda: bus.ephemeral.dropped["expired"] == 1)
    bus.groups.fed = 1
    await until(lambda: not bus.ephemeral._driver.is_busy)
    assert ear.heard == []


async def test_many_hearers_are_written_in_slices_and_who_comes_and_goes_meanwhile_disturbs_nobody(
    bus: EventBus,
) -> None:
    encoding, ears = Text(), [Ear() for _ in range(3 * SLICE)]
    groups = [bus.ephemeral.join(T, encoding, ear) for ear in ears]
    send(bus, light(1))
    assert sum(len(ear.heard) for ear in ears) < 2 * SLICE, "the rest has its turn later"
    gone, moved, late = ears[-1], ears[-2], Ear()
    bus.ephemeral.leave(groups[-1], gone)
    bus.ephemeral.join(TopicFilter.all(), encoding, moved)  # another group, which comes later or has been
    bus.ephemeral.join(T, encoding, late)
    send(bus, light(2, key="k"))
    await until(lambda: late.heard == [2] and not bus.ephemeral._driver.is_busy)
    assert gone.heard == []
    assert moved.heard.count(1) == 1, "at most once"
    assert all(ear.heard == [1, 2] for ear in ears[:-2])


async def test_what_waits_while_others_are_written_is_the_newest_of_each_and_bounded(bus: EventBus) -> None:
    encoding, first = Text(), Ear()
    bus.ephemeral.join(T, encoding, first)
    await bus.publish(drafts(1))
    bus.groups.fed = 0  # as in the midst of a round
    for n in range(20):
        send(bus, light(n, key="same"), sender="one")
        await asyncio.sleep(0)
    assert len(bus.ephemeral._waiting) <= 1
    for n in range(WAITING_MAX + 10):
        send(bus, light(100 + n, key=str(n)), sender=str(n))
    assert len(bus.ephemeral._waiting) == WAITING_MAX
    assert bus.ephemeral.dropped["full"] > 0
    bus.groups.fed = 1
    await until(lambda: not bus.ephemeral._driver.is_busy)
    await until(lambda: first.heard[-1:] == [100 + WAITING_MAX + 9])


async def test_what_waits_and_what_is_one_write_is_bounded_in_bytes(bus: EventBus) -> None:
    """An operator may let them be as long as stored events."""
    bus.ephemeral.join(T, Text(), ear := Ear())
    await bus.publish(drafts(1))
    bus.groups.fed = 0  # as in the midst of a round
    count = WAITING_BYTES // (1 << 16) + 10
    for n in range(count):
        one = EphemeralDraft("t", "x", f"{n}{' ' * (1 << 16)}", str(n), 5.0)
        bus.ephemeral.send([one], sender=str(n))
    waiting = sum(event.held for event in bus.ephemeral._waiting.values())
    assert WAITING_BYTES - (1 << 17) < waiting == bus.ephemeral._waiting_bytes <= WAITING_BYTES
    bus.groups.fed = 1
    await until(lambda: ear.heard[-1:] == [count - 1])
    assert ear.heard == list(range(count - len(ear.heard), count))
    most = 1 + TOGETHER_BYTES // (1 << 16)
    assert len(ear.numbers) >= len(ear.heard) / most
    assert bus.ephemeral._waiting_bytes == 0


async def test_patterns_that_nearly_match_take_no_more_time_than_one_round_may(bus: EventBus) -> None:
    """Each new topic would meet all of them, for which everybody else would wait."""
    encoding, mine = Text(), Ear()
    for n in range(1_000):
        head = "/".join("a" if n >> bit & 1 else "*" for bit in range(10))
        bus.ephemeral.join(TopicFilter((f"{head}/*/x{n}",)), encoding, Ear())
    bus.ephemeral.join(TopicFilter(("b/*",)), encoding, mine)
    send(bus, *(light(n, f"{'a/' * 10}{n}/y", key="k") for n in range(TOGETHER - 1)), light(7, "b/1"))
    turns = 0
    while mine.heard != [7]:
        turns += 1
        await asyncio.sleep(0)
    assert turns < 5 * LOOKS / STEP


async def test_what_waits_for_a_rate_goes_out_by_itself_and_then_nothing_ticks(
    bus: EventBus, clock: ManualClock
) -> None:
    bus.ephemeral.join(T, Text(), ear := Ear())
    send(bus, light(1, key="k"), light(2, key="k"), light(3, key="k"))
    assert ear.heard == [1]
    clock.advance(1 / 30 + 0.001)
    await until(lambda: ear.heard == [1, 3])
    clock.advance(1)
    await until(lambda: bus.ephemeral._ticking is None)
    with pytest.raises(RateLimitedError):
        send(bus, *(light(n, key=str(n)) for n in range(200)))
    assert ear.heard == [1, 3], "all or nothing"


@pytest.mark.parametrize("is_begun", [False, True])
async def test_once_it_is_closed_nothing_is_left_that_would_go_on(bus: EventBus, is_begun: bool) -> None:
    """A host that it is mounted in goes on with the same loop."""
    lights = bus.ephemeral
    lights.join(T, Text(), ear := Ear())
    Slots(lights.room).put(Ephemeral("t", "x", "0", None, "eve", 0, 0, 1e9), b"0")
    send(bus, light(1, key="k"), light(2, key="k"))
    send(bus, light(3, key="gathered"))
    await until(lambda: not lights._driver.is_busy and ear.heard == [1, 3])
    await bus.publish(drafts(1))
    bus.groups.fed = 0  # as in the midst of a round
    send(bus, light(4, key="waits for it"))
    if is_begun:
        await until(lambda: lights._driver.is_busy)
    timers = [timer for timer in (lights._gathering, lights._ticking, lights._purging) if timer is not None]
    assert len(timers) == (2 if is_begun else 3)
    tasks = {task for task in asyncio.all_tasks() if task.get_name() != "ephemeral"}
    assert (len(tasks) < len(asyncio.all_tasks())) == is_begun
    await lights.close()
    bus.groups.fed = 1
    await bus.close()
    assert all(timer.cancelled() for timer in timers)
    assert asyncio.all_tasks() == tasks
    send(bus, light(5, key="too late"))
    assert (ear.heard, lights._waiting, lights.accepted) == ([1, 3], {}, 4)
