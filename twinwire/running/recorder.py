"""Output on its way from a command: to where it would go without us, unchanged, and to the spool, with secrets starred
out and what the command says about itself picked out.

The spool comes first, so that what was seen is not lost with us. A reader that is gone is told to the command as the
system tells it: its next write fails.
"""

import os
import select
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from twinwire.running.hiding import Hider
from twinwire.running.markers import Markers
from twinwire.running.spool import Spool

READ: Final = 64 << 10
"""Bytes at a time: what a pipe holds."""


class Recorder:
    """One stream of output, for the spool. `is_terminal`: line ends are as a terminal has them, and become those that
    the command has written."""

    def __init__(self, spool: Spool | None, secrets: Iterable[bytes], *, is_terminal: bool = False) -> None:
        self._spool = spool
        self._hider = Hider(secrets)
        self._markers = Markers()
        self._is_terminal = is_terminal
        self._return = b""
        self._lock = threading.Lock()
        self._is_closed = False

    def take(self, data: bytes) -> None:
        with self._lock:
            if self._spool is None or self._is_closed:
                return
            if self._is_terminal:
                data = self._return + data
                self._return = b"\r" if data.endswith(b"\r") else b""
                data = data[: len(data) - len(self._return)].replace(b"\r\n", b"\n")
            self._put(self._hider.feed(data))

    def close(self) -> None:
        """What was held back, and nothing afterwards."""
        with self._lock:
            if self._spool is not None and not self._is_closed:
                self._put(self._hider.feed(self._return) + self._hider.flush())
            self._is_closed = True

    def _put(self, data: bytes) -> None:
        if data and self._spool is not None:
            self._spool.append(data, self._markers.feed(data))


class Pump:
    """Copies from one descriptor, which is its own from then on, to another, on a thread."""

    def __init__(self, source: int, target: int, recorder: Recorder) -> None:
        self._source = source
        self._target: Final = target
        self._recorder: Final = recorder
        self._latest = time.monotonic()
        self.is_busy = False
        """Whether something was read that is not written yet."""
        self.copied = 0
        """Bytes."""
        self._thread = threading.Thread(target=self._run, name="output", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def is_done(self) -> bool:
        return not self._thread.is_alive()

    def has_been_quiet(self, since: float) -> float:
        """For how many seconds nothing has come, from this moment of the monotonic clock on; 0 where something is there
        that is not copied yet, however slow this machine is."""
        with suppress(OSError, ValueError):  # it is just being closed
            if not self.is_busy and not select.select([self._source], [], [], 0)[0]:
                return time.monotonic() - max(since, self._latest)
        return 0.0

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)

    def close(self) -> None:
        """What is left of it goes to the spool."""
        self._recorder.close()

    def _run(self) -> None:
        with suppress(OSError):  # the end of a terminal is an error
            while data := os.read(self._source, READ):
                self.is_busy = True
                self._recorder.take(data)
                is_taken = _write(self._target, data)
                self._latest = time.monotonic()
                self.copied += len(data)
                self.is_busy = False
                if not is_taken:
                    break
        source, self._source = self._source, -1
        os.close(source)


def _write(target: int, data: bytes) -> bool:
    """Whether somebody takes it."""
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(target, left) :]
        except BlockingIOError:  # somebody else has made it so
            select.select([], [target], [])
        except OSError:
            return False
    return True
