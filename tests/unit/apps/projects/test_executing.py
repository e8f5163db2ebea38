"""A command over files, and what becomes of what it puts out: on real processes, which need no walls for this."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from service.apps.projects.agents.base import Executed
from service.apps.projects.executing import NO_RIGHT, TAIL_MAX, execute
from service.apps.projects.limits import OUTPUT_MAX
from service.apps.projects.sandbox.sandbox import NO_SANDBOX, Sandbox
from service.apps.projects.sandbox.values import MIB, Mode
from service.clock import SystemClock
from tests.support.sandboxes import QUICK

OPEN = Sandbox(Mode.UNCONFINED)


class Told:
    def __init__(self) -> None:
        self.texts: list[str] = []

    async def __call__(self, text: str) -> None:
        self.texts.append(text)


async def carried_out(
    code: str, tell: Callable[[str], Awaitable[None]], sandbox: Sandbox = OPEN, *, may_run: bool = True
) -> Executed:
    limits = replace(QUICK, output=MIB)
    return await execute(sandbox, {"x.py": code}, ["python", "x.py"], limits, SystemClock(), tell, may_run=may_run)


async def test_what_it_puts_out_is_told_in_few_pieces_and_whole() -> None:
    told = Told()
    done = await carried_out("for n in range(500): print(n)\nraise SystemExit(3)", told)
    whole = "".join(f"{n}\n" for n in range(500))
    assert (done.ran, done.exit, done.reason, done.tail) == (True, 3, None, whole)
    assert "".join(told.texts) == whole
    assert len(told.texts) < 100


async def test_much_is_told_at_once_and_its_end_is_kept() -> None:
    told = Told()
    done = await carried_out("print('é' * 100_000, end='')\nprint('end')", told)
    assert len("".join(told.texts)) == 100_004
    assert len(told.texts) <= 100_004 // OUTPUT_MAX + 5
    assert len(done.tail) == TAIL_MAX
    assert done.tail.endswith("éend\n")


async def test_a_drop_is_told_before_the_next_one_comes() -> None:
    told = asyncio.Event()

    async def tell(text: str) -> None:
        told.set()

    code = "import time\nprint('one', end='')\ntime.sleep(60)"
    task = asyncio.create_task(carried_out(code, tell))
    await asyncio.wait_for(told.wait(), 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_who_can_not_tell_it_ends_it() -> None:
    async def tell(text: str) -> None:
        raise RuntimeError("the disk is full")

    for code in ("print('x')", "import time\nprint('x')\ntime.sleep(60)", "while True: print('x' * 10_000)"):
        with pytest.raises(RuntimeError, match="disk is full"):
            await asyncio.wait_for(carried_out(code, tell), 20)


async def test_where_nothing_may_be_run_the_answer_says_why() -> None:
    told = Told()
    refused = Sandbox(Mode.CONFINED, "user namespace: Operation not permitted")
    assert await carried_out("print('x')", told, NO_SANDBOX) == Executed(False, None, NO_SANDBOX.refusal, "")
    assert "user namespace" in ((await carried_out("print('x')", told, refused)).reason or "")
    assert await carried_out("print('x')", told, may_run=False) == Executed(False, None, NO_RIGHT, "")
    bad = await execute(OPEN, {}, ["\0"], QUICK, SystemClock(), told, may_run=True)
    assert (bad.ran, "a command is" in (bad.reason or "")) == (False, True)
    assert told.texts == []
