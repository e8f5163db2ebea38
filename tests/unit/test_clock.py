"""The machine's clock tells the machine's time."""

import time

from service.clock import SystemClock


async def test_it_tells_the_time_and_waits() -> None:
    clock = SystemClock()
    assert abs(clock.unix_ms() / 1000 - time.time()) < 1.0
    before = clock.monotonic()
    await clock.sleep(0.01)
    assert 0.0099 <= clock.monotonic() - before < 5.0


def test_a_command_may_stand_still() -> None:
    clock = SystemClock()
    before = clock.monotonic()
    clock.pause(0.01)
    assert clock.monotonic() - before >= 0.0099
