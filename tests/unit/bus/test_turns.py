import asyncio
import contextlib
from collections.abc import Iterator

import pytest

from service.bus import turns
from service.bus.turns import Turns


class Clock:
    """Counts the turns of the event loop."""

    def __init__(self) -> None:
        self.turn = 0
        self._tick()

    def _tick(self) -> None:
        self.turn += 1
        self._handle = asyncio.get_running_loop().call_soon(self._tick)

    def stop(self) -> None:
        self._handle.cancel()


@contextlib.contextmanager
def counting() -> Iterator[Clock]:
    clock = Clock()
    try:
        yield clock
    finally:
        clock.stop()


async def test_one_reader_never_waits_for_itself() -> None:
    """Its own wait for the socket takes a turn of the event loop already."""
    reading = Turns(lambda: False)
    with counting() as clock:
        for _ in range(5):
            before = clock.turn
            await reading.take()
            assert clock.turn == before
            await asyncio.sleep(0)


async def test_readers_of_little_share_a_turn() -> None:
    reading = Turns(lambda: False)
    with counting() as clock:
        before = clock.turn
        for _ in range(3):
            await reading.take()
        assert clock.turn == before


async def test_when_the_time_is_used_up_it_is_one_reader_a_turn_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN", 0.0)
    reading = Turns(lambda: False)
    taken: list[tuple[str, int]] = []
    with counting() as clock:

        async def read(name: str) -> None:
            await reading.take()
            taken.append((name, clock.turn))

        await asyncio.gather(*(read(name) for name in "abcde"))
    assert [name for name, _ in taken] == list("abcde")
    assert len({turn for _, turn in taken}) == 5, "each in a turn of its own"


async def test_a_reader_that_left_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN", 0.0)
    reading = Turns(lambda: False)
    left, stays = (asyncio.create_task(reading.take()) for _ in range(2))
    await reading.take()
    await asyncio.sleep(0)
    assert not left.done()
    left.cancel()
    await stays
    assert left.cancelled()


async def test_what_is_live_has_a_pause_between_two_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PAUSE", 0.02)
    busy = True
    reading = Turns(lambda: busy)
    loop = asyncio.get_running_loop()
    await reading.take()
    await asyncio.sleep(0)
    before = loop.time()
    await reading.take()
    assert loop.time() - before >= 0.015, "the clock is as coarse as a millisecond"
    await asyncio.sleep(0)
    busy = False
    waiting = [asyncio.create_task(reading.take()) for _ in range(3)]
    await asyncio.gather(*waiting)  # none is forgotten when the pause ends
