"""A program in the sandbox that serves: connections to it, and its end."""

import asyncio
from typing import Final

from service.apps.projects.sandbox.process import Program
from service.apps.projects.sandbox.values import Outcome

TAIL_MAX: Final = 16 * 1024
"""Characters of its latest output that are kept."""

PACE: Final = 1024 * 1024
"""Bytes of its output that are read in a second, for as long as it may run: a flood of it would keep the loop busy."""


class Served:
    """Made by `Sandbox.serve`; to be stopped. `ended` is done when it has ended by itself, was stopped or had to."""

    def __init__(self, program: Program, port: int) -> None:
        self._program = program
        self._port = port
        self._tail = ""
        self._reading = asyncio.create_task(program.copy(self._keep, pace=PACE))

    @property
    def ended(self) -> asyncio.Future[Outcome]:
        """Raises SandboxError if it was stopped."""
        return self._program.ended

    @property
    def tail(self) -> str:
        """The end of what it has put out so far."""
        return self._tail

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to its port. Raises ConnectionError while it does not listen, SandboxError if it has ended."""
        made = await self._program.reach()
        try:
            await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", self._port))
            return await asyncio.open_connection(sock=made)
        except BaseException:
            made.close()
            raise

    async def stop(self) -> None:
        """End all of it. Idempotent; goes on to its end if the caller is cancelled."""
        self._reading.cancel()
        try:
            await asyncio.wait({self._reading})
        finally:
            await self._program.stop()

    async def _keep(self, text: str) -> None:
        self._tail = (self._tail + text)[-TAIL_MAX:]
