import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator

import pytest

from service.bus import turns
from service.bus.turns import READERS_MAX, SHARE, TURN, Turns
from tests.support.clock import ManualClock


class LoopTurns:
    """Counts the turns of the event loop."""

    def __init__(self) -> None:
        self.count = 0
        self._tick()

    def _tick(self) -> None:
        self.count += 1
        self._handle = asyncio.get_running_loop().call_soon(self._tick)

    def stop(self) -> None:
        self._handle.cancel()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@contextlib.contextmanager
def counting() -> Iterator[LoopTurns]:
    loop_turns = LoopTurns()
    try:
        yield loop_turns
    finally:
        loop_turns.stop()


class Readers:
    """So many of them, each of whom reads once, for so many seconds. `taken` are their numbers and loop turns."""

    def __init__(self, reading: Turns, clock: ManualClock, loop_turns: LoopTurns, seconds: float) -> None:
        self.taken: list[tuple[int, int]] = []
        self._reading = reading
        self._clock = clock
        self._loop_turns = loop_turns
        self._seconds = seconds

    async def read(self, number: int) -> None:
        await self._reading.take()
        self.taken.append((number, self._loop_turns.count))
        self._clock.advance(self._seconds)

    async def all(self, count: int) -> None:
        await asyncio.wait_for(asyncio.gather(*(self.read(number) for number in range(count))), 20)


async def test_one_reader_never_waits_for_itself(clock: ManualClock) -> None:
    """Its own wait for the socket takes a turn of the event loop already."""
    reading = Turns(lambda: False, clock)
    with counting() as loop_turns:
        for _ in range(5):
            before = loop_turns.count
            await reading.take()
            assert loop_turns.count == before
            clock.advance(TURN)
            await asyncio.sleep(0)


async def test_readers_of_pages_have_a_turn_each_in_order(clock: ManualClock) -> None:
    with counting() as loop_turns:
        readers = Readers(Turns(lambda: False, clock), clock, loop_turns, TURN)
        await readers.all(5)
    assert [number for number, _ in readers.taken] == list(range(5))
    assert len({turn for _, turn in readers.taken}) == 5


async def test_readers_of_little_share_a_turn(clock: ManualClock) -> None:
    with counting() as loop_turns:
        readers = Readers(Turns(lambda: False, clock), clock, loop_turns, TURN / 10)
        await readers.all(5)
    assert len({turn for _, turn in readers.taken}) == 1


async def test_what_is_live_has_a_pause_after_a_turn_and_not_within_it(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "PAUSE", 3_600)
    with counting() as loop_turns:
        reading = Turns(lambda: True, clock)
        readers = Readers(reading, clock, loop_turns, 0.3 * TURN)
        waiting = [asyncio.create_task(readers.read(number)) for number in range(10)]
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(readers.taken) == 4
        for task in waiting:
            task.cancel()


async def test_the_pause_ends(clock: ManualClock) -> None:
    with counting() as loop_turns:
        readers = Readers(Turns(lambda: True, clock), clock, loop_turns, TURN)
        await readers.all(5)
    assert [number for number, _ in readers.taken] == list(range(5))


@pytest.mark.parametrize(("seconds", "let_in"), [(0.0, 1), (4.5 * TURN / SHARE, 4), (60.0, READERS_MAX)])
async def test_where_the_loop_is_slow_more_readers_are_let_in_at_once(
    clock: ManualClock, seconds: float, let_in: int
) -> None:
    with counting() as loop_turns:
        reading = Turns(lambda: False, clock)
        slow, readers = (Readers(reading, clock, loop_turns, cost) for cost in (seconds, TURN))
        await asyncio.gather(slow.all(1), readers.all(20))
    assert next(iter(Counter(turn for _, turn in readers.taken).values())) == let_in


async def test_readers_who_search_are_not_let_in_as_many_as_those_of_pages(clock: ManualClock) -> None:
    """Each takes eight pages' time: ten at once would make the next turn of the loop ten times as long, and so on."""
    with counting() as loop_turns:
        readers = Readers(Turns(lambda: False, clock), clock, loop_turns, 8 * TURN)
        await readers.all(100)
    together = sorted(Counter(turn for _, turn in readers.taken).values())
    assert together[-2] == 1, "two at once, before it is known how long one takes"
    assert [number for number, _ in readers.taken] == list(range(100))


async def test_a_reader_that_left_is_passed_over(clock: ManualClock) -> None:
    with counting() as loop_turns:
        readers = Readers(Turns(lambda: False, clock), clock, loop_turns, TURN)
        first, left, stays = (asyncio.create_task(readers.read(number)) for number in range(3))
        await first
        left.cancel()
        await asyncio.wait_for(stays, 20)
    assert [number for number, _ in readers.taken] == [0, 2]


async def test_a_reader_that_leaves_with_its_turn_in_hand_holds_up_nobody(clock: ManualClock) -> None:
    reading = Turns(lambda: False, clock)
    with counting() as loop_turns:
        readers = Readers(reading, clock, loop_turns, TURN)
        first, left, stays = (asyncio.create_task(readers.read(number)) for number in range(3))
        await first
        reading._let_in(1)
        left.cancel()
        await asyncio.wait_for(stays, 20)
    assert [number for number, _ in readers.taken] == [0, 2]


async def test_what_was_published_lately_makes_turns_short(clock: ManualClock) -> None:
    busy = True
    reading = Turns(lambda: busy, clock)
    assert not reading.are_shared
    await reading.take()
    await asyncio.sleep(0)
    assert reading.are_shared
    busy = False
    clock.advance(turns.LATELY - 0.01)
    assert reading.are_shared, "there may be more"
    clock.advance(0.02)
    assert not reading.are_shared
