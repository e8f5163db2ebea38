"""A terminal with somebody in front of it: a test types, resizes the window, and sees what is shown."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.support.server import ROOT, environment

DEADLINE: Final = 20.0
"""Seconds until something must be shown: generous, because a shared machine starts Python slowly."""


class Terminal:
    """A program that leads a session of its own in it. `shown` is all that it was shown so far."""

    def __init__(
        self,
        args: Sequence[str],
        env: Mapping[str, str],
        *,
        cwd: Path = ROOT,
        stdin: Any = None,
        stderr: Any = None,
        size: tuple[int, int] = (24, 80),
    ) -> None:
        self._ours, self._theirs = pty.openpty()
        self.resize(*size)
        self.before = termios.tcgetattr(self._theirs)
        self.shown = b""
        self._seen = 0

        def lead() -> None:
            fcntl.ioctl(1, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            args,
            env=environment(env),
            cwd=cwd,
            stdin=self._theirs if stdin is None else stdin,
            stdout=self._theirs,
            stderr=self._theirs if stderr is None else stderr,
            start_new_session=True,
            preexec_fn=lead,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._theirs)
        os.close(self._ours)

    @property
    def attributes(self) -> list[Any]:
        return termios.tcgetattr(self._theirs)

    @property
    def is_raw(self) -> bool:
        return not self.attributes[3] & termios.ICANON

    def until_raw(self) -> None:
        """Until keys are passed on as they are. Raises AssertionError."""
        deadline = time.monotonic() + DEADLINE
        while not self.is_raw:
            assert time.monotonic() < deadline, self.shown
            self._read(0.01)

    def type(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def signal(self, number: int) -> None:
        os.kill(self.process.pid, number)

    def expect(self, text: bytes) -> None:
        """Until that is shown, behind what was expected before. Raises AssertionError."""
        deadline = time.monotonic() + DEADLINE
        while (at := self.shown.find(text, self._seen)) < 0:
            assert self._read(max(0.0, deadline - time.monotonic())), (text, self.shown)
        self._seen = at + len(text)

    def end(self) -> int:
        """Its exit code; negative: killed by that signal. All that was shown is read."""
        deadline = time.monotonic() + DEADLINE
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.shown
            self._read(0.05)
        while self._read(0.0):
            pass
        return self.process.returncode

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._ours], [], [], seconds)
        if ready:
            self.shown += os.read(self._ours, 4096)
        return bool(ready)
