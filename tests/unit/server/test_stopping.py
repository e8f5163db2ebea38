"""Being told that the process is to stop, as a guest."""

import asyncio
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from service.server.stopping import SIGNALS, Stopping


@pytest.fixture
def handled() -> Iterator[list[int]]:
    """Signals as the server's own handlers got them."""
    found: list[int] = []
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def handle(number: int, frame: FrameType | None) -> None:
        found.append(number)

    for number in SIGNALS:
        signal.signal(number, handle)
    yield found
    for number, handler in before.items():
        signal.signal(number, handler)


async def test_the_servers_own_handler_is_called_and_the_guest_told(handled: list[int]) -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    told = asyncio.Event()
    stopping = Stopping(told.set)
    stopping.watch()
    signal.raise_signal(signal.SIGTERM)
    assert handled == [signal.SIGTERM]
    await asyncio.wait_for(told.wait(), 20)
    stopping.unwatch()
    assert [signal.getsignal(number) for number in SIGNALS] == before


async def test_a_handler_that_came_later_stays(handled: list[int]) -> None:
    stopping = Stopping(lambda: None)
    stopping.watch()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    stopping.unwatch()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN


async def test_what_nobody_handles_ends_the_process_as_ever(handled: list[int]) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    stopping = Stopping(lambda: None)
    stopping.watch()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    stopping.unwatch()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


async def test_another_thread_gets_no_signals_and_leaves_them_alone(handled: list[int]) -> None:
    before = signal.getsignal(signal.SIGTERM)

    async def watch() -> None:
        Stopping(lambda: None).watch()

    thread = threading.Thread(target=lambda: asyncio.run(watch()))
    thread.start()
    await asyncio.to_thread(thread.join)
    assert signal.getsignal(signal.SIGTERM) is before


async def test_what_calls_ours_later_still_reaches_what_was_before(handled: list[int]) -> None:
    """Or a signal would be swallowed, and the process could not be stopped."""
    stopping = Stopping(lambda: None)
    stopping.watch()
    ours = signal.getsignal(signal.SIGTERM)
    assert callable(ours)
    signal.signal(signal.SIGTERM, lambda number, frame: ours(number, frame))
    stopping.unwatch()
    signal.raise_signal(signal.SIGTERM)
    assert handled == [signal.SIGTERM]
    stopping.watch()
    signal.raise_signal(signal.SIGTERM)
    assert handled == [signal.SIGTERM] * 2
    stopping.unwatch()
