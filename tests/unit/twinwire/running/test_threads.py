"""Calls that do not come back hold up nobody: no exit, and no memory either. The exit itself is in test_program.py."""

import asyncio
import threading

import pytest

from twinwire.running import threads
from twinwire.running.threads import Threads


def test_a_loop_ends_though_a_call_goes_on() -> None:
    may_end, has_ended = threading.Event(), threading.Event()

    def hang() -> None:
        may_end.wait()
        has_ended.set()

    async def main() -> int:
        asyncio.get_running_loop().set_default_executor(Threads())
        hanging = asyncio.ensure_future(asyncio.to_thread(hang))
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 // 0)
        found = await asyncio.to_thread(threading.active_count)
        hanging.cancel()
        return found

    try:
        assert asyncio.run(main()) > 1
        assert not has_ended.is_set()
    finally:
        may_end.set()
    assert has_ended.wait(20)


def test_so_many_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "MOST", 1)
    executor, may_end = Threads(), threading.Event()
    first = executor.submit(may_end.wait)
    with pytest.raises(OSError, match="too many calls"):
        executor.submit(may_end.wait)
    may_end.set()
    assert first.result(20)
