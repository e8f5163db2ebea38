"""Standard streams that are closed, broken, full or unread, and Ctrl-C at the wrong moment (reports 23 and 24, F16)."""

import asyncio
import fcntl
import os
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.support.http import request
from tests.support.server import ServerProcess, command, environment, free_port

DEADLINE = 30.0
PIPE = 4_096
LINE = 512
"""Bytes, more than a line of the log has: a pipe with less room is full."""


async def until_healthy(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + DEADLINE
    while True:
        assert process.poll() is None, "it has ended"
        assert time.monotonic() < deadline, "it does not answer"
        try:
            if (await request(url, "GET", "/api/health")).status == 200:
                return
        except OSError:
            await asyncio.sleep(0.05)


def start(folder: Path, shell: str, **env: str) -> tuple[str, "subprocess.Popen[bytes]"]:
    """`shell` says where the streams of `"$@"` go."""
    port = free_port()
    arguments = command("serve", "--port", str(port), "--database", str(folder / "a.db"))
    process = subprocess.Popen(
        ["bash", "-c", f"exec {shell}", "_", *arguments], env=environment(env), stdin=subprocess.DEVNULL
    )
    return f"http://127.0.0.1:{port}", process


async def stop(process: "subprocess.Popen[bytes]") -> int:
    process.terminate()
    return await asyncio.to_thread(process.wait, DEADLINE)


@pytest.mark.parametrize(
    "streams", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", ">/dev/full 2>/dev/full", "> >(true) 2> >(true)"]
)
async def test_report_23_closed_broken_and_full_streams_do_not_stop_a_service(tmp_path: Path, streams: str) -> None:
    url, process = start(tmp_path, f'"$@" {streams}')
    try:
        await until_healthy(url, process)
        odd = {"Content-Type": "application/json"}
        assert (await request(url, "POST", "/api/events", body=b"{", headers=odd)).status == 400
        assert await stop(process) == 0
    finally:
        process.kill()
        process.wait()


def waiting_in(pipe: int) -> int:
    """Bytes that nobody has read."""
    (count,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))
    return int(count)


async def test_report_24_a_log_that_nobody_reads_does_not_stop_a_service(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE)
    port = free_port()
    arguments = command("serve", "--port", str(port), "--database", str(tmp_path / "a.db"))
    process = subprocess.Popen(
        arguments,
        env=environment({"TWINWIRE_RETENTION": '[{"max_count":1}]', "TWINWIRE_RETENTION_INTERVAL": "0.05"}),
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=writing,
    )
    os.close(writing)
    url = f"http://127.0.0.1:{port}"
    try:
        await until_healthy(url, process)
        n = full_at = 0
        deadline = time.monotonic() + DEADLINE
        while not full_at or n < full_at + 50:  # each pass of retention that takes something is a line
            draft = {"topic": f"t/{n % 7}", "type": "x", "data": n}
            answer = await request(url, "POST", "/api/events", json_body=draft)
            assert answer.status == 201
            n += 1
            if not full_at and waiting_in(reading) > PIPE - LINE:
                full_at = n
            assert time.monotonic() < deadline, "the pipe never was full"
        assert (await request(url, "GET", "/api/health")).status == 200
        assert await stop(process) == 0
    finally:
        process.kill()
        process.wait()
        os.close(reading)


OURS: Final = b"/service/"
"""What a traceback names of ours. While Python itself is loaded, it tells an interrupt as it likes, or loses it."""


@pytest.mark.parametrize("after", [0.05, 0.1, 0.2, 0.4, 0.8])
def test_f16_an_interrupt_while_it_starts_is_quiet(tmp_path: Path, after: float) -> None:
    arguments = command("serve", "--port", "0", "--database", str(tmp_path / "a.db"))
    process = subprocess.Popen(
        arguments, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    try:
        _, told = process.communicate(timeout=DEADLINE / 3)
    except subprocess.TimeoutExpired:  # lost, before any line of ours: a person presses it again
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=DEADLINE / 3)
    assert process.returncode in (0, -signal.SIGINT, 130) or OURS not in told
    assert b"Traceback" not in told or OURS not in told
    assert b"Aborted" not in told


def test_output_that_nobody_reads_to_its_end_is_no_error(serve: Callable[..., ServerProcess]) -> None:
    server = serve()
    publish = " ".join(command("publish", "a", "x", "1", "--url", server.url))
    tail = " ".join(command("tail", "--once", "--after", "earliest", "--url", server.url))
    shell = f"for n in 1 2 3; do {publish}; done; {tail} | head -n 1"
    done = subprocess.run(
        ["bash", "-c", shell], env=environment(), capture_output=True, timeout=DEADLINE, check=False, text=True
    )
    assert done.returncode == 0
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 4
