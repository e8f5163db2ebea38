"""Daemon: a program that serves beside a test, and says on standard error what it does."""

import subprocess
import threading
from pathlib import Path
from typing import IO

from tests.support.server import START_DEADLINE, STOP_DEADLINE


class Daemon:
    """All that it says is read: a full pipe would stop it."""

    def __init__(self, ready: str) -> None:
        """`ready`: what it says once it serves; the empty text for one that need not be waited for."""
        self._ready_word = ready
        self._ready = threading.Event()
        self.said: list[str] = []

    def start(
        self,
        command: list[str],
        env: dict[str, str] | None = None,
        pass_fds: tuple[int, ...] = (),
        cwd: Path | None = None,
    ) -> None:
        self._process = subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=env, pass_fds=pass_fds, cwd=cwd
        )
        assert self._process.stderr is not None
        threading.Thread(target=self._listen, args=(self._process.stderr,), daemon=True).start()
        if self._ready_word:
            assert self._ready.wait(START_DEADLINE), self.said
        assert self._process.poll() is None, self.said

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self, *, is_parent: bool = False) -> None:
        """At once: politely, Caddy would wait for every stream to end. `is_parent`: with its children, who'd stay."""
        (self._process.terminate if is_parent else self._process.kill)()
        self._process.wait(STOP_DEADLINE)

    def _listen(self, stderr: IO[str]) -> None:
        for line in stderr:
            self.said.append(line)
            if self._ready_word and self._ready_word in line:
                self._ready.set()
        self._ready.set()
