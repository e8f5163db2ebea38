"""Whether a signal that came to us went to our whole job, and so to the command too.

The system does not tell whom else a signal was sent to. A CI runner that stops a group of processes, timeout(1), and
systemd, which stops each process of a unit, look to us like somebody who sent it to us alone. Passed on in any case,
the command has it twice, which make, docker and others take for "leave all and end at once"; never passed on, it does
not hear of `kill PID`. So beside the command there is a process of our group that does nothing, in which the same
signals are blocked: those that were sent to it too are pending there, which the system shows (proc(5), ShdPnd).

| sent to | we | witness | command | passed on |
|---|---|---|---|---|
| us | has come | | | yes |
| our group, by the terminal or by a process | has come | pending | has it | no |
| each process of a unit, one after the other | has come | pending within GRACE | has it | no |
| our group, and the command is in another one | has come | pending | | yes |

What is pending stays so: after it was seen there is a new witness. The kernel sends to a group under a lock that a
fork waits for, so the old one has all that was sent before the new one was there. What is pending in the old one and
not in the new one has been seen with that; what both have, the new one has yet to be asked about. This is done by the
thread that takes the signals, so that what it has not taken yet is pending in us. Without /proc, or `cat`, there is no
witness: then all is passed on but what the terminal sends.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from twinwire.running.signals import Came

GRACE: Final = 0.1
"""Seconds for which it is waited that the witness gets a signal too."""

_LOOK: Final = 0.01
"""Seconds between two looks."""

_NONE: Final = frozenset[int]()


class Witness:
    """Made, and asked, where the signals in question are blocked; to be closed."""

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc: Final = proc
        self._program: Final = shutil.which("cat", path=os.defpath) or shutil.which("cat")
        self._lock: Final = threading.Lock()
        self._seen: set[int] = set()
        """What has come to a witness that there was before, and not to us yet."""
        self._process = self._started()

    def has_it_too(self, came: Came) -> bool:
        """Whether it went to all processes of our group. Takes GRACE seconds if not. By the one thread that takes
        signals."""
        with self._lock:
            if self._process is None:
                return came.is_everywhere
            if came.number in self._seen:
                self._seen.discard(came.number)
                return True
            until = time.monotonic() + GRACE
            while came.number not in self._pending(self._process):
                if time.monotonic() >= until:
                    return False
                time.sleep(_LOOK)
            self._renew(self._process, came.number)
            return True

    def close(self) -> None:
        with self._lock:
            if self._process is not None:
                _end(self._process)
                self._process = None

    def _started(self) -> "subprocess.Popen[bytes] | None":
        """Blocked in this thread, they are blocked there from the first moment on. It ends with us: its input does."""
        if self._program is None or not (self._proc / "self" / "status").exists():
            return None
        try:
            nowhere = subprocess.DEVNULL
            return subprocess.Popen([self._program], stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere)  # noqa: S603
        except OSError:
            return None

    def _renew(self, before: "subprocess.Popen[bytes]", number: int) -> None:
        """After a signal of this number; in this order, so that what comes in between is not counted twice."""
        self._process = self._started()
        seen = self._pending(before)
        ours = signal.sigpending() if sys.platform != "win32" else _NONE
        yet = _NONE if self._process is None else self._pending(self._process)
        _end(before)
        # Its own number once more only if it has come again: timeout(1) sends it to us, and then to the group.
        self._seen |= {one for one in seen - yet if one != number or one in ours}

    def _pending(self, process: "subprocess.Popen[bytes]") -> frozenset[int]:
        try:
            lines = (self._proc / str(process.pid) / "status").read_text("utf-8", "replace").splitlines()
            masks = [int(line.split()[1], 16) for line in lines if line.startswith(("SigPnd:", "ShdPnd:"))]
        except (OSError, ValueError, IndexError):
            return _NONE
        return frozenset(bit + 1 for mask in masks for bit in range(mask.bit_length()) if mask >> bit & 1)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()


def is_with_us(pid: int) -> bool:
    """Whether this process is in our group."""
    if sys.platform == "win32":
        return True
    try:
        return os.getpgid(pid) == os.getpgrp()
    except OSError:
        return False
