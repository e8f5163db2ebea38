"""Running a command over the files of a run, for the agent at whose stage it is: what `Workspace.execute` does.

A program puts out drops, of a test each perhaps; each that is told is a commit. So they are told a few times a second,
or when there are many.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from service.apps.projects.agents.base import Executed
from service.apps.projects.limits import OUTPUT_MAX
from service.apps.projects.sandbox.sandbox import Sandbox
from service.apps.projects.sandbox.values import Limits, SandboxError
from service.core.time import Clock

EVERY: Final = 0.1
"""Seconds between two drops that are told."""

TAIL_MAX: Final = 64 * 1024
"""Characters at the end of the output that an agent gets: where tools say what came of it."""

NO_RIGHT: Final = "whoever began this run has no right to run what agents wrote: the claim `run`"


class _Drops:
    """Text that was put out and is not told yet, and the end of all of it."""

    def __init__(self, tell: Callable[[str], Awaitable[None]]) -> None:
        self._tell = tell
        self._held = ""
        self._turn = asyncio.Lock()
        self.tail = ""

    async def add(self, text: str) -> None:
        self.tail = (self.tail + text)[-TAIL_MAX:]
        self._held += text
        if len(self._held) >= OUTPUT_MAX:
            await self.fall()

    async def fall(self) -> None:
        async with self._turn:
            text, self._held = self._held, ""
            if text:
                await self._tell(text)


async def execute(
    sandbox: Sandbox,
    files: Mapping[str, str],
    command: Sequence[str],
    limits: Limits,
    clock: Clock,
    tell: Callable[[str], Awaitable[None]],
    *,
    may_run: bool,
) -> Executed:
    """Run it to its end, if it may be; `tell` gets its output. Raises what `tell` raises, after ending it."""
    refusal = sandbox.refusal or (None if may_run else NO_RIGHT)
    if refusal is not None:
        return Executed(ran=False, exit=None, reason=refusal, tail="")
    drops = _Drops(tell)

    async def drip() -> None:
        while True:
            await clock.sleep(EVERY)
            await drops.fall()

    dripping = asyncio.create_task(drip())
    running = asyncio.create_task(sandbox.run(files, command, limits, drops.add))
    try:
        await asyncio.wait({running, dripping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        running.cancel()
        dripping.cancel()
        await asyncio.wait({running, dripping})
        failed = [error for task in (dripping, running) if not task.cancelled() and (error := task.exception())]
    if failed and isinstance(failed[0], SandboxError):
        return Executed(ran=False, exit=None, reason=str(failed[0]), tail="")
    if failed:
        raise failed[0]  # it could not be told, and the program was ended
    outcome = running.result()
    await drops.fall()
    return Executed(ran=True, exit=outcome.exit, reason=outcome.reason, tail=drops.tail)
