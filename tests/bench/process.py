"""Server processes: pinned to a core, awaited until they accept, looked at through /proc, ended for sure."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
HOST: Final = "127.0.0.1"
SERVER_CORE: Final = 0
CLIENT_CORE: Final = 1
START_DEADLINE: Final = 30.0
STOP_DEADLINE: Final = 30.0
_POLL: Final = 0.02
"""Seconds between two tries to connect to a server that starts."""
_IDLE_WINDOW: Final = 0.2
_IDLE_CPU: Final = 0.02
"""Seconds of processor time in so many seconds, below which a server rests."""
_CPUCLOCK_SCHED: Final = 2
"""Of a process's clocks, the one that counts what it ran (Linux, posix-timers.h)."""


class ServerError(Exception):
    """A server did not start, or did not end."""


def pin(core: int) -> Callable[[], None]:
    """For `preexec_fn`: run on one core. With a single core there is nothing to separate."""
    usable = sorted(os.sched_getaffinity(0))

    def apply() -> None:
        os.sched_setaffinity(0, {usable[core % len(usable)]})

    return apply


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


class Process:
    """One server on a port of its own, on the servers' core."""

    def __init__(self, command: Sequence[str], port: int, folder: Path, env: Mapping[str, str] | None = None) -> None:
        self.port = port
        self._command = list(command)
        self._folder = folder
        self._env = {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def worker(self) -> int:
        """The process that does the work; for a server with a master process its only child."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return int(children[0]) if children else self.pid

    def __enter__(self) -> "Process":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Raises ServerError with the end of its log if it does not accept connections in time."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=pin(SERVER_CORE),
            )
        deadline = time.monotonic() + START_DEADLINE
        while not self._accepts():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise ServerError(f"{self._command[0]} did not start:\n{self._log.read_text()[-2000:]}")
            time.sleep(_POLL)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL for one that does not listen. Idempotent."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_DEADLINE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    def kill(self) -> None:
        """As a crash does it, or a machine that has no memory left."""
        assert self._process is not None, "not started"
        self._process.kill()
        self._process.wait()
        self._process = None

    def settle(self) -> None:
        """Wait until it has nothing left to do, such as to take leave of the clients of the round before.

        Raises ServerError if that takes too long.
        """
        deadline = time.monotonic() + START_DEADLINE
        before = -1.0
        while (spent := self.cpu_seconds()) - before > _IDLE_CPU:
            if time.monotonic() > deadline:
                raise ServerError(f"{self._command[0]} does not come to rest")
            before = spent
            time.sleep(_IDLE_WINDOW)

    def restart(self) -> None:
        self.stop()
        self.start()

    # proc(5)

    def memory(self) -> int:
        """Resident memory now, in bytes."""
        return self._status("VmRSS")

    def peak_memory(self) -> int:
        """The largest resident memory since `reset_peak_memory`, in bytes."""
        return self._status("VmHWM")

    def reset_peak_memory(self) -> int:
        """Returns the memory of now, from which the peak starts anew."""
        Path(f"/proc/{self.worker}/clear_refs").write_text("5")
        return self.memory()

    def cpu_seconds(self) -> float:
        """User and system time of all its threads since it started, to the nanosecond (clock_getcpuclockid(3))."""
        return time.clock_gettime(~self.worker << 3 | _CPUCLOCK_SCHED)

    @property
    def _log(self) -> Path:
        return self._folder / "output.log"

    def _accepts(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1.0)
            return probe.connect_ex((HOST, self.port)) == 0

    def _status(self, field: str) -> int:
        text = Path(f"/proc/{self.worker}/status").read_text()
        found = re.search(rf"^{field}:\s+(\d+) kB$", text, re.MULTILINE)
        assert found is not None, f"{field} is not in /proc"
        return int(found[1]) * 1024
