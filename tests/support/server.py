"""ServerProcess: the service as a user starts it, in a process of its own, that a test may kill.

Waiting is event-driven: the URL line is awaited on a pipe, the end with `wait`. Every blocking method has an
`a...` twin for tests whose clients must go on meanwhile.
"""

import asyncio
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

ROOT: Final = Path(__file__).resolve().parents[2]
HOST: Final = "127.0.0.1"
SERVED_BY: Final = os.environ.get("SERVED_BY", "")
"""`uvicorn`: servers are the service mounted in nothing, on that one; else they are `twinwire serve`."""
MODULES: Final = {"": "service", "uvicorn": "tests.support.mounts"}
START_DEADLINE: Final = 30.0
"""Seconds until the URL line must be there: generous, because a shared machine starts Python slowly."""
STOP_DEADLINE: Final = 30.0
"""Seconds a server may take to end after a signal before the test gives up on it."""
URL: Final = re.compile(r"http://(?P<host>[^:/\s]+|\[[^]\s]+\]):(?P<port>\d+)/")
"""What the line on standard output holds once the service accepts connections (docs/protocol.md, 8)."""
_PORTS: Final = range(18_000 + int(os.environ.get("PORTS_OF", "0")), 32_000, 16)
"""Each group of `.ci/test` has its own: a port is picked before it is bound, and free while its server is dead."""


def free_port() -> int:
    """A port that nobody listens on, below the ephemeral range (ip_local_port_range starts at 32768).

    Clients knock on this port while the server is dead. On an ephemeral port such a knock can connect to
    itself (RFC 9293, 3.5: simultaneous open) and would then occupy the port that the server needs.
    """
    for port in random.Random().sample(_PORTS, 200):
        with socket.socket() as probe:
            # As servers do: without it a port with connections in TIME_WAIT looks taken.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no free port in {_PORTS}")


def command(*args: str) -> list[str]:
    """The command line that runs `twinwire ARGS` from this checkout."""
    return [sys.executable, "-m", "service", *args]


def environment(overrides: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a child process sees: ours, so that `TWINWIRE_LOOP=asyncio pytest` tests that loop, plus
    `overrides`.
    """
    return {**os.environ, "PYTHONPATH": str(ROOT), **(overrides or {})}


def run_command(
    *args: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `twinwire ARGS` to its end. Raises subprocess.TimeoutExpired after START_DEADLINE seconds."""
    return subprocess.run(
        command(*args),
        env=environment(env),
        cwd=cwd or ROOT,
        capture_output=True,
        text=True,
        timeout=START_DEADLINE,
        check=False,
    )


class ServerProcess:
    """One server on one database and one port, both kept across `kill9` and `start`.

    `log` holds the output of all its incarnations. `start` returns once the service accepts connections; it
    raises AssertionError with the log if the process ends first or stays silent.
    """

    def __init__(
        self,
        directory: Path,
        *,
        env: Mapping[str, str] | None = None,
        args: Sequence[str] = (),
        module: str = "",
        descriptors: int | None = None,
        wrapper: Sequence[str] = (),
    ) -> None:
        """`module` is what is run, with the command's arguments, by default what SERVED_BY says;
        `descriptors` is its limit of them, if it has one.

        `wrapper` is a program that becomes what its arguments name, as `env` does.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.database = directory / "twinwire.db"
        self.log = directory / "server.log"
        self.host = HOST
        self.port = free_port()
        self.env = dict(env or {})
        self.args = list(args)
        self._module = module or MODULES[SERVED_BY]
        limited = [] if descriptors is None else ["bash", "-c", f'ulimit -n {descriptors}; exec "$@"', "_"]
        self._prefix = [*limited, *wrapper]
        self.starts = 0
        self._process: subprocess.Popen[str] | None = None
        self._ready = threading.Event()
        self._pump: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The base URL without a trailing slash."""
        return f"http://{self.host}:{self.port}"

    @property
    def pid(self) -> int:
        return self._running().pid

    @property
    def returncode(self) -> int | None:
        """None while it runs; negative: killed by that signal."""
        return None if self._process is None else self._process.poll()

    def start(self) -> Self:
        """Start it, or start it again on the same port and database."""
        self.launch()
        self._await_url()
        return self

    def launch(self) -> None:
        """`start`, without waiting until it accepts connections."""
        if self._process is not None and self._process.poll() is None:
            raise AssertionError("the server is running already")
        self._ready = threading.Event()
        self._process = self._spawn()
        self.starts += 1
        assert self._process.stdout is not None
        self._pump = threading.Thread(target=self._copy_output, args=(self._process.stdout, self._ready), daemon=True)
        self._pump.start()

    def kill9(self) -> None:
        """SIGKILL: no handler runs, nothing is flushed. Returns when the process is gone."""
        self._running().kill()
        self._reap(STOP_DEADLINE)

    def signal(self, number: int = signal.SIGTERM) -> None:
        self._running().send_signal(number)

    def wait(self, deadline: float = STOP_DEADLINE) -> int:
        """The exit code. Raises AssertionError with the log if it still runs after `deadline` seconds."""
        return self._reap(deadline)

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    async def astart(self) -> None:
        await asyncio.to_thread(self.start)

    async def akill9(self) -> None:
        await asyncio.to_thread(self.kill9)

    async def await_exit(self, deadline: float = STOP_DEADLINE) -> int:
        return await asyncio.to_thread(self.wait, deadline)

    def memory(self) -> int:
        """Resident memory now, in bytes (proc(5), VmRSS)."""
        return self._status("VmRSS")

    def peak_memory(self) -> int:
        """The largest resident memory since the start or `reset_peak_memory`, in bytes (proc(5), VmHWM)."""
        return self._status("VmHWM")

    def reset_peak_memory(self) -> int:
        """Start `peak_memory` anew from the memory of now, which is returned (proc(5), clear_refs 5)."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        return self.memory()

    def log_tail(self, lines: int = 60) -> str:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def faults(self) -> list[str]:
        """Lines of the log that hold a traceback: exceptions that nobody expected."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return [line for line in text.splitlines() if "Traceback" in line]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()

    def discard(self) -> None:
        """Make sure that it is gone, whatever state it is in. Idempotent."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
        if self._process is not None:
            self._reap(STOP_DEADLINE)

    def _spawn(self) -> "subprocess.Popen[str]":
        args = ("--host", self.host, "--port", str(self.port), "--database", str(self.database), *self.args)
        with self.log.open("a") as log:
            return subprocess.Popen(
                [*self._prefix, sys.executable, "-m", self._module, "serve", *args],
                env=environment(self.env),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                bufsize=1,
            )

    def _copy_output(self, stdout: IO[str], ready: threading.Event) -> None:
        # Standard output is read to its end: a full pipe would stop the server at its next print.
        with self.log.open("a") as log, stdout:
            for line in stdout:
                log.write(line)
                log.flush()
                if URL.search(line):
                    self.url_line = line
                    ready.set()
        ready.set()

    def _await_url(self) -> None:
        started = time.monotonic()
        announced = self._ready.wait(START_DEADLINE)
        if announced and self._running().poll() is None and getattr(self, "url_line", None):
            return
        seconds = time.monotonic() - started
        self.discard()
        raise AssertionError(f"no URL line after {seconds:.1f} s, exit {self.returncode}:\n{self.log_tail()}")

    def _running(self) -> "subprocess.Popen[str]":
        if self._process is None:
            raise AssertionError("the server was never started")
        return self._process

    def _reap(self, deadline: float) -> int:
        try:
            code = self._running().wait(deadline)
        except subprocess.TimeoutExpired:
            self._running().kill()
            self._running().wait()
            raise AssertionError(f"still running {deadline} s later:\n{self.log_tail()}") from None
        if self._pump is not None:
            self._pump.join()
        return code

    def _status(self, field: str) -> int:
        text = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(rf"^{field}:\s+(\d+) kB$", text, re.MULTILINE)
        assert found is not None, f"{field} is not in /proc/{self.pid}/status"
        return int(found[1]) * 1024
