"""Running what agents wrote: where nothing of it reaches the machine, the service or its data (SECURITY.md).

`inside/` is the launcher, which is a program of its own; here is who starts it. A program has its files in memory, and
nothing of it is left when it has ended, nor when the service is killed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Final

from service.apps.projects.agents.base import check_path
from service.apps.projects.sandbox.inside.order import Order
from service.apps.projects.sandbox.process import Program
from service.apps.projects.sandbox.served import Served
from service.apps.projects.sandbox.values import Limits, Mode, Outcome, SandboxError

COMMAND_MAX: Final = 32 * 1024
"""Bytes of a command with its arguments: the kernel takes more, but no more than this is ever meant."""

_OFF: Final = "running what agents wrote is off here; TWINWIRE_RUN_APPS=1 turns it on"
_NEEDS: Final = Limits(seconds=20.0, cpu_seconds=10.0)


async def probe() -> str | None:
    """Why this machine can't shut a program in, by trying; None if it can."""
    try:
        outcome = await _run(_order({}, ["python", "-c", "pass"], _NEEDS, is_confined=True), _NEEDS, _unheard)
    except SandboxError as error:
        return str(error)
    return None if outcome == Outcome(0) else f"the interpreter does not start ({outcome.reason or outcome.exit})"


class Sandbox:
    """Made by `open`, or with what a probe has found."""

    def __init__(self, mode: Mode, cannot: str | None = None) -> None:
        """`cannot` is why this machine can't shut a program in, None if it can."""
        self._mode = mode
        self._cannot = cannot

    @classmethod
    async def open(cls, mode: Mode) -> "Sandbox":
        """Finds out what the machine can, if it is to."""
        return cls(mode, await probe() if mode is Mode.CONFINED else None)

    @property
    def is_confined(self) -> bool:
        """Whether there are walls."""
        return self._mode is not Mode.UNCONFINED

    @property
    def refusal(self) -> str | None:
        """A sentence why nothing is run here, or None."""
        if self._mode is Mode.OFF:
            return _OFF
        if self._mode is Mode.CONFINED and self._cannot is not None:
            return f"this machine can't shut a program in, so nothing is run ({self._cannot})"
        return None

    async def run(
        self,
        files: Mapping[str, str],
        command: Sequence[str],
        limits: Limits,
        output: Callable[[str], Awaitable[None]],
    ) -> Outcome:
        """Run `command` in a folder with `files`, to its end; `output` gets what it puts out, as it comes.

        `python` is this interpreter with its standard library. When it ends, so has all that it started; when the
        caller is cancelled, all of it is ended within a second. Raises SandboxError if nothing was run, AgentError for
        a path that is none.
        """
        return await _run(await self._checked(files, command, limits), limits, output)

    async def serve(self, files: Mapping[str, str], command: Sequence[str], limits: Limits, port: int) -> Served:
        """Run a command that listens on 127.0.0.1:`port`, of a network of its own. Raises as `run`.

        It may not listen yet when this returns.
        """
        program = await Program.start(await self._checked(files, command, limits))
        try:
            await program.began
        except BaseException:
            await program.stop()
            raise
        return Served(program, port)

    async def _checked(self, files: Mapping[str, str], command: Sequence[str], limits: Limits) -> Order:
        if self.refusal is not None:
            raise SandboxError(self.refusal)
        return await asyncio.to_thread(_order, files, command, limits, is_confined=self.is_confined)


NO_SANDBOX: Final = Sandbox(Mode.OFF)
"""Where nothing is run."""


def _order(files: Mapping[str, str], command: Sequence[str], limits: Limits, *, is_confined: bool) -> Order:
    size = sum(len(word.encode("utf-8", "replace")) + 1 for word in command)
    if not command or not command[0] or size > COMMAND_MAX or any("\0" in word for word in command):
        raise SandboxError(f"a command is a list of words without NUL, of at most {COMMAND_MAX:,} bytes together")
    contents = {check_path(path): text.encode("utf-8", "replace") for path, text in files.items()}
    return Order(tuple(command), asdict(limits), is_confined, contents)


async def _run(order: Order, limits: Limits, output: Callable[[str], Awaitable[None]]) -> Outcome:
    program = await Program.start(order)
    try:
        if not await program.copy(output, limits.output):
            return Outcome(None, "output")
        return await program.ended
    finally:
        await program.stop()


async def _unheard(text: str) -> None:
    """What a probe puts out concerns nobody."""
