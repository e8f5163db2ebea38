"""The calendar is believed as long as it keeps up with the time that passes."""

from service.core.trust import JUMP, TrustedClock
from tests.support.clock import ManualClock

MINUTE = 60_000


def test_a_calendar_that_keeps_up_is_believed_whatever_it_drifts() -> None:
    clock = ManualClock()
    trusted = TrustedClock(clock)
    for _ in range(100):
        clock.advance(3_600)
        clock.now += 10_000  # ten seconds an hour
        assert (trusted.unix_ms(), trusted.doubt) == (clock.now, 0.0)
        clock.now -= 30_000
        assert (trusted.unix_ms(), trusted.doubt) == (clock.now, 0.0)


def test_one_that_jumps_is_not_and_time_goes_on_from_where_it_was() -> None:
    for jump in (JUMP + 1, -JUMP - 1, 86_400, -10 * 365 * 86_400):
        clock = ManualClock()
        trusted = TrustedClock(clock)
        before = trusted.unix_ms()
        clock.advance(5)
        clock.now += round(jump * 1000)
        assert trusted.unix_ms() == before + 5_000
        assert trusted.doubt == jump
        clock.advance(3_600)
        assert trusted.unix_ms() == before + 3_605_000


def test_it_is_believed_again_once_it_is_back() -> None:
    clock = ManualClock()
    trusted = TrustedClock(clock)
    clock.now += 60 * MINUTE
    assert trusted.doubt == 3_600
    clock.advance(10)
    clock.now -= 60 * MINUTE
    assert (trusted.unix_ms(), trusted.doubt, trusted.steps) == (clock.now, 0.0, 0)


def test_whoever_knows_says_that_it_is_right() -> None:
    clock = ManualClock()
    trusted = TrustedClock(clock)
    assert trusted.confirm() == 0
    clock.now -= 60 * MINUTE
    assert trusted.confirm() == -3_600
    assert (trusted.unix_ms(), trusted.doubt, trusted.steps) == (clock.now, 0.0, 1)


def test_at_the_start_it_is_held_against_the_newest_event() -> None:
    clock = ManualClock()
    trusted = TrustedClock(clock)
    trusted.not_before(clock.now + 1_000)
    assert trusted.doubt == 0, "as much as a clock may drift"
    trusted.not_before(clock.now + 60 * MINUTE)
    assert trusted.doubt == -3_600
    clock.advance(7)
    assert trusted.unix_ms() == clock.now + 60 * MINUTE
    trusted.not_before(0)
    assert trusted.doubt == -3_600


def test_all_else_is_the_clocks() -> None:
    clock = ManualClock()
    trusted = TrustedClock(clock)
    clock.advance(5)
    assert (trusted.monotonic(), trusted.elapsed(), trusted.worked()) == (
        clock.monotonic(),
        clock.elapsed(),
        clock.worked(),
    )
