"""How often ephemeral events go out: a sender's rate, a lane's, what waits meanwhile, and where there is no room."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.ephemeral import (
    HELD_BYTES,
    KEYS_MAX,
    LANE_RATE,
    LANES_MAX,
    LOOK,
    SENDERS_MAX,
    TICK,
    Drop,
    Ephemeral,
    Throttle,
)
from service.core.errors import OverloadedError, RateLimitedError
from service.core.rates import Rate

SIXTY = Rate(60, 120)
BUSY = 1.0
"""Seconds that a sender goes on in these tests."""


def event(
    key: str | None = None, data: Any = 0, sender: str = "ada", until: float = 1e9, topic: str = "t"
) -> Ephemeral:
    return Ephemeral(topic, "x", str(data), key, sender, 0, 0, until)


def of(rate: Rate = SIXTY) -> tuple[Throttle, Counter[Drop]]:
    dropped: Counter[Drop] = Counter()
    return Throttle(rate, dropped), dropped


def data(events: list[Ephemeral]) -> list[int]:
    return [int(one.data) for one in events]


def test_a_burst_goes_out_at_once_and_what_is_beyond_it_at_the_rate() -> None:
    throttle, dropped = of(Rate(60, 10))
    keys = [str(n) for n in range(14)]
    assert data(throttle.take([event(key, key) for key in keys], 0)) == list(range(10))
    assert data(throttle.due(1 / 60 + 1e-9)) == [10]
    assert data(throttle.due(3 / 60 + 1e-9)) == [11, 12]
    assert data(throttle.due(1)) == [13], "no more is made up for than waits"
    assert (throttle.held, dict(dropped)) == (0, {})
    assert not throttle.due(2)
    assert not throttle.is_busy


def test_of_what_waits_for_a_senders_rate_the_newest_of_each_key_is_left() -> None:
    throttle, dropped = of(Rate(60, 1))
    throttle.take([event("first")], 0)
    for n in range(10):
        throttle.take([event("a", n), event("b", 100 + n)], 0)
    assert data([*throttle.due(0.05), *throttle.due(0.1)]) == [9, 109]
    assert dropped == {"replaced": 18}


def test_as_many_keys_wait_as_may_and_one_more_is_refused_with_all_of_its_request() -> None:
    throttle, dropped = of(Rate(60, 1))
    throttle.take([event("first")], 0)
    throttle.take([event(str(n)) for n in range(KEYS_MAX)], 0)
    with pytest.raises(RateLimitedError) as refused:
        throttle.take([event("0", 7), event("one more")], 0)
    assert refused.value.retry_after == pytest.approx(1 / 60)
    throttle.take([event("0", 8)], 0)
    throttle.take([event("elsewhere", sender="bob")], 0)  # another's is his own
    assert 7 not in data(throttle.due(60)), "nothing of what was refused was taken"
    assert dropped == {"replaced": 1}


def test_what_comes_while_something_waits_does_not_overtake_it() -> None:
    throttle, _ = of(Rate(60, 1))
    throttle.take([event("first")], 0)
    throttle.take([event("a", 1)], 0)
    assert throttle.take([event("a", 2)], 1) == [], "there are tokens, and an older one that waits"
    assert data(throttle.due(1)) == [2]


def test_of_one_topic_type_and_key_only_so_many_go_out_whoever_sends() -> None:
    throttle, dropped = of(Rate(1_000, 1_000))
    found: list[int] = []
    for step in range(1_000):
        now = step / 1_000
        found += data(throttle.take([event("one", step, sender="ada" if step % 2 else "bob")], now))
        if step % round(1_000 * TICK) == 0:
            found += data(throttle.due(now))
    assert LANE_RATE * 0.8 <= len(found) <= LANE_RATE + 1
    assert found == sorted(found), "the newest of what waited, in order"
    assert dropped["replaced"] + len(found) + bool(throttle.held) == 1_000
    assert data(throttle.due(2)) == [999], "the last one is never lost"


def test_without_a_key_each_sender_has_a_lane_of_his_own() -> None:
    throttle, _ = of()
    assert data(throttle.take([event(sender="ada"), event(data=1, sender="ada")], 0)) == [0]
    assert data(throttle.take([event(data=2, sender="bob")], 0)) == [2]


def test_what_has_waited_for_longer_than_it_is_wanted_is_dropped_and_costs_nothing() -> None:
    throttle, dropped = of(Rate(1, 1))
    throttle.take([event("first")], 0)
    throttle.take([event("a", 1, until=0.5), event("b", 2), event("c", 3, until=0.5)], 0)
    assert data(throttle.due(1.001)) == [2]
    assert data(throttle.due(2.001)) == []
    assert dropped == {"expired": 2}
    assert throttle.held == 0
    lane, dropped = of()
    lane.take([event("a", 1), event("a", 2, until=0.01)], 0)
    assert lane.due(0.05) == []
    assert (dropped, lane.held) == ({"expired": 1}, 0)


def test_what_waits_is_bounded_in_bytes_over_all_senders() -> None:
    throttle, _ = of(Rate(1, 1))
    each = event("k", "7" * 4_000).held
    for n in range(HELD_BYTES // each):
        sender, key = divmod(n, KEYS_MAX)
        if not key:
            throttle.take([event("first", sender=str(sender), topic=str(sender))], 0)
        throttle.take([event(str(key), "7" * 4_000, sender=str(sender))], 0)
    assert HELD_BYTES - each < throttle.held <= HELD_BYTES
    with pytest.raises(OverloadedError):
        throttle.take([event("k", "7" * 4_000, sender="one more")], 0)
    throttle.due(3)
    assert throttle.take([event("k", "7" * 4_000, sender="one more")], 3)


def test_lanes_and_senders_are_bounded_and_forgotten() -> None:
    throttle, _ = of(Rate(1e6, 1e6))
    for n in range(LANES_MAX):
        throttle.take([event(str(n))], 0)
    with pytest.raises(OverloadedError):
        throttle.take([event("one more")], 0)
    assert throttle.take([event("later")], 1)
    assert throttle.due(2) == []
    assert not throttle.is_busy
    for n in range(SENDERS_MAX):
        throttle.take([event("s", sender=str(n))], 10 + n)
    throttle.take([event("s", sender="one more")], 10 + SENDERS_MAX)
    assert len(throttle._senders) <= 2, "whose bucket is full is as good as new"
    slow, _ = of(Rate(1, 1))
    for n in range(SENDERS_MAX):
        slow.take([event("s", sender=str(n))], 0)
    with pytest.raises(OverloadedError):
        slow.take([event("s", sender="one more")], 0.5)
    slow.take([event("s", sender="one more")], 1)


def test_those_who_wait_have_their_turn_in_looks_that_are_bounded_and_take_no_more_lanes_than_there_are() -> None:
    throttle, dropped = of(Rate(60, 1))
    count = LANES_MAX + LOOK
    for n in range(count):
        now = n // 1_000  # the lanes of those before are free again
        throttle.take([event("first", sender=str(n), topic=str(n))], now)
        throttle.take([event("waits", n, sender=str(n), topic=str(n))], now)
    throttle.take([event("and waits", count, sender="0", topic="0")], 50)
    found: list[int] = []
    for _ in range(10):
        looked = data(throttle.due(100))
        assert len(looked) <= LOOK
        assert len(throttle._lanes) <= LANES_MAX
        found += looked
    assert len(found) == LANES_MAX, "the others wait until one is free"
    for step in range(10):
        found += data(throttle.due(101 + step))
    assert sorted(found) == list(range(count + 1))
    assert found.index(count) > LOOK, "whose second one waits is behind the others"
    assert (throttle.held, throttle.is_busy, dict(dropped)) == (0, False, {})


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 0.1)), max_size=200))
def test_of_each_key_what_goes_out_is_in_order_and_the_newest_comes_in_the_end(steps: list[tuple[str, float]]) -> None:
    """Whatever the times: at most once, never an older one behind a newer, and nothing is left behind."""
    throttle, dropped = of(Rate(60, 5))
    now, found = 0.0, list[Ephemeral]()
    for number, (key, pause) in enumerate(steps):
        now += pause
        found += throttle.due(now)
        found += throttle.take([event(key, number)], now)
    for _ in range(10):
        now += 1
        found += throttle.due(now)
    for key in "abc":
        mine = [int(one.data) for one in found if one.key == key]
        sent = [number for number, (one, _) in enumerate(steps) if one == key]
        assert mine == sorted(set(mine))
        assert mine[-1:] == sent[-1:]
    assert len(found) + dropped["replaced"] == len(steps)
    assert (throttle.held, throttle.is_busy) == (0, False)
