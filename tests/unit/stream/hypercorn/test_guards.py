import asyncio
import itertools
import time

import pytest

from service.stream.hypercorn.guards import (
    AT_ONCE,
    FAIRNESS,
    LEFT,
    LEFT_RATE,
    LET_IN,
    LET_IN_MAX,
    LONG,
    PATIENCE,
    Crowd,
    Guards,
    Idle,
    Rank,
    Turns,
)


async def loop_turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_who_asks_alone_does_not_wait() -> None:
    turns = Turns(time.monotonic)
    for _ in range(2):
        with pytest.raises(StopIteration):  # what a coroutine ends with that never suspends
            turns.take(Rank.BUSY).send(None)


async def hog(turns: Turns, until: asyncio.Event) -> int:
    """Take turn after turn without ever waiting for anything else; how many it got."""
    count = 0
    while not until.is_set():
        await turns.take(Rank.BUSY)
        count += 1
    return count


async def test_others_come_in_between_however_many_take_turns() -> None:
    turns, over = Turns(time.monotonic), asyncio.Event()
    hogs = [asyncio.create_task(hog(turns, over)) for _ in range(50)]
    await loop_turns(200)
    over.set()
    counts = await asyncio.wait_for(asyncio.gather(*hogs), 10)
    assert min(counts) >= 1, "first come, first served"
    waited = sorted(counts)[:-1]  # one of them began, and had the time that was left of its turn
    assert sum(waited) <= 50 + (200 + 5) * LET_IN_MAX


async def test_few_are_let_in_while_turns_are_long() -> None:
    turns = Turns(time.monotonic)
    begun: list[int] = []

    async def work(number: int) -> None:
        await turns.take(Rank.BUSY)
        begun.append(number)
        spend(2 * LONG)

    tasks = [asyncio.create_task(work(number)) for number in range(40)]
    most = 0
    while len(begun) < len(tasks):
        before = len(begun)
        await asyncio.sleep(0)
        most = max(most, len(begun) - before)
    assert most <= LET_IN, "the least, once it is known how long they take"
    await asyncio.gather(*tasks)


def spend(seconds: float) -> None:
    """Time of the loop."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


async def test_who_sends_little_does_not_wait_behind_those_who_send_much() -> None:
    turns = Turns(time.monotonic)
    served: list[Rank] = []

    async def work(rank: Rank) -> None:
        await turns.take(rank)
        served.append(rank)
        spend(LONG)

    tasks = [asyncio.create_task(work(Rank.BUSY)) for _ in range(30)]
    tasks += [asyncio.create_task(work(Rank.NEW)) for _ in range(5)]
    tasks += [asyncio.create_task(work(Rank.QUIET)) for _ in range(5)]
    await asyncio.gather(*tasks)
    last = max(place for place, rank in enumerate(served) if rank is Rank.QUIET)
    assert last < 5 + 5 + LET_IN + 5, served
    assert Rank.BUSY in served[:last], "the lowest rank has its share"


async def test_who_has_left_comes_last_and_is_not_forgotten() -> None:
    turns = Turns(time.monotonic)
    served: list[Rank] = []

    async def work(rank: Rank) -> None:
        await turns.take(rank)
        served.append(rank)

    first = asyncio.create_task(work(Rank.BUSY))
    spend(0.001)
    tasks = [asyncio.create_task(work(Rank.LEFT)) for _ in range(200)]
    tasks += [asyncio.create_task(work(Rank.NEW)) for _ in range(200)]
    await asyncio.gather(first, *tasks)
    last = max(place for place, rank in enumerate(served) if rank is Rank.NEW)
    before = served[:last].count(Rank.LEFT)
    assert 1 <= before <= LET_IN_MAX + 200 // FAIRNESS


async def test_who_was_cancelled_holds_up_nobody() -> None:
    turns, over = Turns(time.monotonic), asyncio.Event()
    hogs = [asyncio.create_task(hog(turns, over)) for _ in range(5)]
    await loop_turns(10)
    for task in hogs[:4]:
        task.cancel()
    await asyncio.gather(*hogs[:4], return_exceptions=True)
    late = asyncio.create_task(turns.take(Rank.BUSY))
    await asyncio.wait_for(late, 10)
    over.set()
    assert await asyncio.wait_for(hogs[4], 10)


def test_http_2_without_tls_is_not_spoken_unless_it_is_asked_for() -> None:
    assert not Guards(time.monotonic).h2c
    assert Guards(time.monotonic, h2c=True).h2c


def test_some_are_answered_that_have_left_and_soon_some_again() -> None:
    now = 0.0
    guards = Guards(lambda: now)
    assert sum(guards.has_room_for_left() for _ in range(100 * LEFT)) == LEFT
    now = 2 * LEFT / LEFT_RATE
    assert sum(guards.has_room_for_left() for _ in range(100 * LEFT)) == LEFT, "a flood is owed no longer than that"


class One:
    """A connection that knows how it ended."""

    def __init__(self) -> None:
        self.is_gone = False
        self.rested = 0

    def give_way(self) -> None:
        self.is_gone = True

    def has_rested(self) -> None:
        self.rested += 1


class Hand:
    """A clock that is moved by hand, in seconds."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_those_with_nothing_under_way_give_way_the_oldest_first() -> None:
    hand = Hand()
    crowd = Crowd(5, hand)
    working, rested, ending, early, other = ones = [One() for _ in range(5)]
    for one in ones:
        crowd.enter(one)
    for one in (working, rested, ending):
        crowd.becomes(one, None)
    crowd.becomes(rested, Idle.RESTING)
    crowd.becomes(ending, Idle.ENDING)
    assert not any(one.is_gone for one in ones), "there are no more than there may be"
    hand.seconds = 2 * PATIENCE
    for expected in (ending, early, other, rested):
        late = One()
        crowd.enter(late)
        crowd.becomes(late, None)
        assert [one for one in ones if one.is_gone] == [expected]
        ones.remove(expected)
        crowd.leave(expected)
    assert not working.is_gone


def test_new_ones_do_not_end_each_other_while_there_are_some_that_rest() -> None:
    """Some come in one turn of the loop, before any of them could say what it wants."""
    hand = Hand()
    crowd = Crowd(8, hand)
    resting, coming = [One() for _ in range(8)], [One() for _ in range(8)]
    for one in resting:
        crowd.enter(one)
        crowd.becomes(one, Idle.RESTING)
    hand.seconds = 2 * PATIENCE
    for one in coming:
        crowd.enter(one)
    assert all(one.is_gone for one in resting)
    assert not any(one.is_gone for one in coming)


def test_nor_do_they_end_who_has_just_been_answered() -> None:
    crowd = Crowd(2, Hand())
    first, busy, second = One(), One(), One()
    for one in (first, busy):
        crowd.enter(one)
    crowd.becomes(busy, Idle.RESTING)
    crowd.enter(second)
    assert (first.is_gone, busy.is_gone, second.is_gone) == (True, False, False)


def test_if_there_were_too_many_they_are_fewer_once_some_rest() -> None:
    crowd, ones = Crowd(10, Hand()), [One() for _ in range(30)]
    for one in ones:
        crowd.enter(one)
        crowd.becomes(one, None)
    assert not any(one.is_gone for one in ones), "all of them are at work"
    for one in ones:
        crowd.becomes(one, Idle.RESTING)
    assert sum(not one.is_gone for one in ones) == 10


def test_who_works_does_not_give_way_and_nobody_stays_in_memory() -> None:
    crowd = Crowd(1, Hand())
    one, other = One(), One()
    crowd.enter(one)
    crowd.becomes(one, None)
    crowd.enter(other)
    assert not one.is_gone
    assert not other.is_gone
    for each in (one, other):
        crowd.leave(each)
        crowd.becomes(each, Idle.RESTING)
    assert (len(crowd._open), sum(map(len, crowd._idle))) == (0, 0)


def test_without_a_bound_nobody_gives_way() -> None:
    crowd, ones = Crowd(0, Hand()), [One() for _ in range(100)]
    for one in ones:
        crowd.enter(one)
    assert not any(one.is_gone for one in ones)


async def test_no_rank_waits_for_ever_while_the_others_come_without_end() -> None:
    turns, over = Turns(time.monotonic, 2), asyncio.Event()
    served = dict.fromkeys(Rank, 0)

    async def come(rank: Rank) -> None:
        while not over.is_set():
            await turns.take(rank)
            served[rank] += 1

    tasks = [asyncio.create_task(come(rank)) for rank in Rank for _ in range(8)]
    await loop_turns(400)
    over.set()
    await asyncio.wait_for(asyncio.gather(*tasks), 10)
    assert min(served.values()) > sum(served.values()) / (4 * FAIRNESS), served
    assert served[Rank.QUIET] == max(served.values())


async def until_told(ones: list[One], times: int = 1) -> list[int]:
    """How many more were told in each turn of the loop until all were, so often."""
    counts = [0]
    async with asyncio.timeout(10):
        while any(one.rested < times for one in ones):
            await asyncio.sleep(0)
            counts.append(sum(one.rested for one in ones))
    return [after - before for before, after in itertools.pairwise(counts)]


async def test_those_that_rest_too_long_are_told_and_again_if_they_stay() -> None:
    hand, stopping = Hand(), asyncio.Event()
    crowd, working, new, answered = Crowd(0, hand), One(), One(), One()
    crowd.watch(0.01, stopping)
    crowd.watch(0.01, stopping)
    for one in (working, new, answered):
        crowd.enter(one)
    crowd.becomes(working, None)
    crowd.becomes(answered, Idle.RESTING)
    hand.seconds = 0.02
    await until_told([new, answered])
    assert (new.rested, answered.rested) == (1, 1)
    hand.seconds = 0.04
    await until_told([new, answered], 2)
    for one in (new, answered):
        crowd.leave(one)
    crowd.becomes(working, Idle.RESTING)
    hand.seconds = 0.06
    await until_told([working])
    assert (new.rested, answered.rested, working.rested) == (2, 2, 1)
    stopping.set()


async def test_many_that_rested_are_told_some_at_a_time() -> None:
    hand, stopping = Hand(), asyncio.Event()
    crowd, ones = Crowd(0, hand), [One() for _ in range(3 * AT_ONCE)]
    crowd.watch(0.001, stopping)
    for one in ones:
        crowd.enter(one)
    hand.seconds = 0.002
    assert max(await until_told(ones)) <= AT_ONCE
    stopping.set()


async def test_all_that_rest_are_told_when_the_service_stops_some_at_a_time() -> None:
    stopping = asyncio.Event()
    crowd, ones, working = Crowd(0, Hand()), [One() for _ in range(3 * AT_ONCE)], One()
    crowd.watch(60, stopping)
    for one in (working, *ones):
        crowd.enter(one)
    crowd.becomes(working, None)
    crowd.becomes(ones[0], Idle.RESTING)
    assert not crowd.is_stopping
    stopping.set()
    assert max(await until_told(ones)) <= AT_ONCE
    assert crowd.is_stopping
    assert not working.rested
    crowd.becomes(working, Idle.RESTING)
    assert working.rested == 1
