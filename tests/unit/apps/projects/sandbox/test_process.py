"""A program as the service holds it, with a stand-in for its launcher; tests/integration/test_sandbox.py has all."""

import asyncio
import io
import os
import socket
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from service.apps.projects.sandbox import process
from service.apps.projects.sandbox.process import Program
from service.apps.projects.sandbox.values import SandboxError


@dataclass
class Held:
    """A program, what it puts out, and the launcher's end of the control socket."""

    program: Program
    output: io.FileIO
    control: socket.socket


@pytest.fixture
async def held() -> AsyncIterator[Held]:
    control, theirs = socket.socketpair()
    control.setblocking(False)
    source, sink = os.pipe()
    launcher = subprocess.Popen(["sleep", "600"])
    out = asyncio.StreamReader()
    pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(out), io.FileIO(source)
    )
    program = Program(launcher, out, pipe, control)
    with theirs, io.FileIO(sink, "wb") as output:
        yield Held(program, output, theirs)
    launcher.kill()
    await program.stop()


async def test_stopping_has_an_end_although_somebody_keeps_its_output(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "STOP_MAX", 0.1)
    await asyncio.wait_for(held.program.stop(), 20)
    with pytest.raises(SandboxError, match="was stopped"):
        held.program.ended.result()
    for _ in range(10):  # it is closed by a later turn of the loop
        await asyncio.sleep(0)
    with pytest.raises(BrokenPipeError):
        held.output.write(b"nobody reads it any more")


async def test_a_socket_that_is_lost_fails_who_asked_for_it_and_nobody_else(held: Held) -> None:
    asked = [asyncio.create_task(held.program.reach()) for _ in range(3)]
    await asyncio.sleep(0)
    assert held.control.recv(10) == b"\n\n\n"
    line = b'{"socket": true}\n'
    with socket.create_server(("127.0.0.1", 0)) as made:
        socket.send_fds(held.control, [line], [made.fileno()])
        held.control.sendall(line)
        socket.send_fds(held.control, [line], [made.fileno()])
        first, lost, last = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 20)
        assert isinstance(lost, ConnectionError)
        for one in (first, last):
            assert isinstance(one, socket.socket)
            with one:
                assert one.getsockname() == made.getsockname()


async def test_output_is_read_at_its_pace(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def note(seconds: float) -> None:
        slept.append(seconds)

    async def heard(text: str) -> None:
        assert not text.strip("x")

    monkeypatch.setattr(asyncio, "sleep", note)
    held.output.write(b"x" * 50)
    held.output.write(b"x" * 60_000)
    held.output.close()
    assert await held.program.copy(heard, pace=1_000)
    assert 50 < max(slept) < 61
