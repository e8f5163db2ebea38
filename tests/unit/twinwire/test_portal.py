import asyncio
import threading
from typing import Any

import pytest

from twinwire.errors import ClosedError
from twinwire.portal import Portal


async def who() -> str:
    return threading.current_thread().name


def test_it_runs_elsewhere_and_ends() -> None:
    portal = Portal()
    assert portal.call(who()) == "twinwire"
    portal.close()
    portal.close()
    assert "twinwire" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(ClosedError):
        portal.call(who())


def test_what_is_raised_there_is_raised_here() -> None:
    async def fail() -> None:
        raise KeyError("x")

    portal = Portal()
    with pytest.raises(KeyError):
        portal.call(fail())
    portal.close()


def test_what_still_runs_is_ended_with_it() -> None:
    ended: list[str] = []

    async def forever() -> None:
        try:
            await asyncio.sleep(3_600)
        finally:
            ended.append("yes")

    async def begin() -> None:
        running.append(asyncio.create_task(forever()))
        await asyncio.sleep(0)

    running: list[Any] = []
    portal = Portal()
    portal.call(begin())
    portal.close()
    assert ended == ["yes"]


def test_it_does_not_wait_for_itself() -> None:
    portal = Portal()

    async def ask() -> str:
        return portal.call(who())

    with pytest.raises(RuntimeError, match="can't wait for it"):
        portal.call(ask())
    portal.close()


def test_who_waits_is_told_when_it_ends_first() -> None:
    async def never() -> None:
        begun.set()
        await asyncio.sleep(3_600)

    begun = threading.Event()
    portal = Portal()
    told: list[Exception] = []

    def wait() -> None:
        try:
            portal.call(never())
        except ClosedError as error:
            told.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert begun.wait(10)
    portal.close()
    waiting.join(10)
    assert len(told) == 1
