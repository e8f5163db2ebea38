"""A program in the sandbox as the service holds it: its launcher, what it puts out, and sockets to it."""

import asyncio
import codecs
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import structlog

from service.apps.projects.sandbox.inside.order import Order
from service.apps.projects.sandbox.values import Outcome, SandboxError

logger = structlog.get_logger(__name__)

STOP_MAX: Final = 1.0
"""Seconds that a launcher has to end all of its program; it is killed then, and the rest with it, which has as long."""

KILLED: Final = 128 + signal.SIGKILL
"""The exit code of a program whose launcher was killed, by the kernel for want of memory perhaps: so was it."""

ASKED_MAX: Final = 64
"""Sockets that are asked for at a time: each takes the launcher a moment."""

_READ: Final = 16 * 1024
_AHEAD: Final = 0.1
"""Seconds of its pace that may be read at once: what is put out in bursts does not wait."""

_MESSAGE: Final = 4096
_ROOT: Final = Path(__file__).parents[3]
_BOOT: Final = (
    "import sys, types; service = types.ModuleType('service'); service.__path__ = [sys.argv.pop(1)];"
    " sys.modules['service'] = service;"
    " from service.apps.projects.sandbox.inside.launch import main; main()"
)
"""The launcher is the interpreter below our virtual environment, with the standard library alone: of `service` it sees
this folder's modules, and none that `service/__init__.py` would import."""

_KEPT: Final = ("LD_LIBRARY_PATH",)
"""Of the environment: an interpreter may need it to start."""


class Program:
    """Made by `start`; to be stopped, whatever comes."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        out: asyncio.StreamReader,
        pipe: asyncio.BaseTransport,
        control: socket.socket,
    ) -> None:
        """`out` is what comes out of `pipe`."""
        loop = asyncio.get_running_loop()
        self.began: Final[asyncio.Future[None]] = loop.create_future()
        self.ended: Final[asyncio.Future[Outcome]] = loop.create_future()
        self._process = process
        self._out = out
        self._pipe = pipe
        self._control = control
        self._heard = b""
        self._asked: deque[asyncio.Future[socket.socket]] = deque()
        self._stopping: asyncio.Task[None] | None = None
        for future in (self.began, self.ended):
            future.add_done_callback(_hear)
        loop.add_reader(control, self._hear)

    @classmethod
    async def start(cls, order: Order) -> "Program":
        """Start the launcher and tell it what to run. Raises SandboxError."""
        control, theirs = socket.socketpair()
        control.setblocking(False)
        starting = asyncio.create_task(asyncio.to_thread(_launch, theirs))
        try:
            process = await asyncio.shield(starting)
        except asyncio.CancelledError:
            control.close()
            starting.add_done_callback(_abandon)
            raise
        except OSError as error:
            control.close()
            raise SandboxError(f"the interpreter can't be started: {error.strerror}") from error
        out = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        pipe, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(out), process.stdout)
        program = cls(process, out, pipe, control)
        try:
            await asyncio.to_thread(_tell, process, order)
        except BaseException:
            await program.stop()
            raise
        return program

    async def copy(
        self, sink: Callable[[str], Awaitable[None]], most: int | None = None, pace: int | None = None
    ) -> bool:
        """Give what it puts out to `sink`, to its end. False if it is more than `most` bytes: the rest is not read.

        While it runs no more than `pace` bytes a second are read: who puts out more has to wait.
        """
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        left = most
        clock, due = asyncio.get_running_loop().time, 0.0
        while data := await self._out.read(_READ):
            if left is not None and len(data) > left:
                await sink(decoder.decode(data[:left], final=True))
                return False
            left = None if left is None else left - len(data)
            if text := decoder.decode(data):
                await sink(text)
            if pace is not None and not self.ended.done():
                due = max(due, clock()) + len(data) / pace
                if due - clock() > _AHEAD:
                    await asyncio.sleep(due - clock())
        if text := decoder.decode(b"", final=True):
            await sink(text)
        return True

    async def reach(self) -> socket.socket:
        """A new TCP socket of the program's network.

        Raises SandboxError if the program has ended, ConnectionError if too many are asked for or none is free.
        """
        if self._stopping is not None or self.ended.done():
            raise SandboxError("the program has ended")
        if len(self._asked) >= ASKED_MAX:
            raise ConnectionError(f"{ASKED_MAX} connections are asked for already")
        asked: asyncio.Future[socket.socket] = asyncio.get_running_loop().create_future()
        self._asked.append(asked)
        try:
            self._control.send(b"\n")
        except OSError as error:
            self._asked.remove(asked)
            raise SandboxError("the program can't be reached") from error
        try:
            return await asked
        except asyncio.CancelledError:
            asked.cancel()
            raise

    def _hear(self) -> None:
        """What the launcher says; its end is the program's, if it has not said more."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self._control, _MESSAGE, 1)
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        come = socket.socket(fileno=descriptors[0]) if descriptors else None
        *lines, self._heard = (self._heard + data).split(b"\n")
        for left, line in enumerate(lines, 1 - len(lines)):
            said = json.loads(line)
            if "socket" not in said:
                self._understand(said)
            elif left:
                self._give(None)
            else:  # the kernel ends a read behind the bytes that a descriptor came with, so it is of the last line
                self._give(come)
                come = None
        if come is not None:
            come.close()
        if not data:
            has_begun = self.began.done() and self.began.exception() is None
            early = SandboxError("the launcher has ended before its time")
            self._finish(Outcome(KILLED) if has_begun else early)

    def _give(self, made: socket.socket | None) -> None:
        """To who has asked first: each line answers one, also where its descriptor was lost for want of a free one."""
        asked = self._asked.popleft() if self._asked else None
        if asked is None or asked.done():
            if made is not None:
                made.close()
        elif made is None:
            asked.set_exception(ConnectionError("no descriptor is free for a connection to the program"))
        else:
            asked.set_result(made)

    def _understand(self, said: dict[str, Any]) -> None:
        if "begun" in said and not self.began.done():
            self.began.set_result(None)
        elif "part" in said:
            self._finish(SandboxError(f"{said['part']}: {said['why']}"))
        elif "exit" in said:
            self._finish(Outcome(said["exit"], said["reason"]))

    def _finish(self, end: Outcome | SandboxError) -> None:
        """The first that is said counts."""
        asyncio.get_running_loop().remove_reader(self._control)
        error = end if isinstance(end, SandboxError) else SandboxError("the program has ended")
        for asked in self._asked:
            if not asked.done():
                asked.set_exception(error)
        self._asked.clear()
        if not self.ended.done():
            if isinstance(end, Outcome):
                self.ended.set_result(end)
            else:
                self.ended.set_exception(end)
        if not self.began.done():
            if isinstance(end, Outcome):
                self.began.set_result(None)
            else:
                self.began.set_exception(end)

    async def stop(self) -> None:
        """End all of it. Goes on to its end if the caller is cancelled; nobody may be in `copy` meanwhile."""
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop())
        await asyncio.shield(self._stopping)

    async def _stop(self) -> None:
        self._finish(SandboxError("the program was stopped"))
        self._control.close()  # the order to end
        try:
            if not await self._is_gone():
                logger.warning("sandbox_does_not_stop", process=self._process.pid)
                with contextlib.suppress(ProcessLookupError):
                    self._process.kill()
                if not await self._is_gone():  # somebody has its output still: no reason to wait for ever
                    logger.error("sandbox_has_not_ended", process=self._process.pid)
        finally:
            self._pipe.close()

    async def _is_gone(self) -> bool:
        """Whether the launcher has ended, and all that has its output, in `STOP_MAX`."""
        waiting = asyncio.gather(asyncio.to_thread(self._process.wait), self._drain())
        try:
            async with asyncio.timeout(STOP_MAX):
                await waiting
        except TimeoutError:
            return False
        return True

    async def _drain(self) -> None:
        while await self._out.read(_READ):
            pass


def _launch(theirs: socket.socket) -> subprocess.Popen[bytes]:
    """In a thread: it waits until the other program is there, which takes its time on a busy machine. Raises OSError.

    The launcher finds out by its control socket that the service has ended, so it does not matter which thread this is.
    """
    with theirs:
        return subprocess.Popen(  # noqa: S603 - what is not to be trusted comes on its standard input
            [_interpreter(), "-I", "-S", "-c", _BOOT, str(_ROOT), str(theirs.fileno())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            pass_fds=(theirs.fileno(),),
            env={name: os.environ[name] for name in _KEPT if name in os.environ},
            start_new_session=True,
        )


def _tell(process: subprocess.Popen[bytes], order: Order) -> None:
    """In a thread."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it has ended, and says on the control socket why
        with open(process.stdin.fileno(), "wb", closefd=False) as entry:
            entry.write(order.packed())
        process.stdin.close()


def _abandon(starting: "asyncio.Task[subprocess.Popen[bytes]]") -> None:
    """Nobody waits any more for one that was just started; it has not been told what to run."""
    if starting.cancelled() or starting.exception() is not None:
        return
    process = starting.result()
    assert process.stdin is not None
    assert process.stdout is not None
    process.kill()
    process.stdin.close()
    process.stdout.close()
    asyncio.get_running_loop().run_in_executor(None, process.wait)


def _interpreter() -> str:
    """Not the virtual environment's, whose packages are in sight from it."""
    found: str = getattr(sys, "_base_executable", sys.executable)
    return found


def _hear(future: asyncio.Future[Any]) -> None:
    """Of what nobody asks for, nobody else would: asyncio takes that for a mistake, and logs it."""
    if not future.cancelled():
        future.exception()
