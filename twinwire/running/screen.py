"""Terminals: pairs of them, sizes, and the user's own while a command has it. Only where there are such things."""

import fcntl
import os
import pty
import select
import termios
import threading
import tty
from contextlib import suppress
from typing import Any, Final

from twinwire.running.signals import in_foreground
from twinwire.running.started import STDIN

KEYS: Final = 4 << 10
"""Bytes of what is typed, or pasted, at a time."""

OFLAG: Final = 1
"""Where in a terminal's attributes those of its output stand."""


def opened(like: int, *, is_plain: bool = False) -> tuple[int, int]:
    """Our end and the command's of a terminal like this one; `is_plain`: it leaves output as it is, since that one
    ends lines itself. Raises OSError."""
    ours, theirs = pty.openpty()
    with suppress(termios.error):
        attributes: list[Any] = termios.tcgetattr(like)
        if is_plain:
            attributes[OFLAG] &= ~termios.OPOST
        termios.tcsetattr(theirs, termios.TCSANOW, attributes)
    copy_size(like, ours)
    return ours, theirs


def copy_size(source: int, target: int) -> None:
    """The command is told if it is another."""
    with suppress(OSError):
        fcntl.ioctl(target, termios.TIOCSWINSZ, fcntl.ioctl(source, termios.TIOCGWINSZ, b"\0" * 8))


class Keyboard:
    """The user's terminal, whose keys go to another one as they are while it is `taken`."""

    def __init__(self, target: int) -> None:
        self._target: Final = target
        self._before: list[Any] | None = None
        self._is_taken = threading.Event()
        self._wakes, self._wake = os.pipe()
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name="keyboard", daemon=True)
        self._thread.start()

    def take(self) -> None:
        """If it is ours to take: in the background it is somebody else's."""
        if self._is_taken.is_set() or not in_foreground(STDIN):
            return
        with suppress(termios.error):
            self._before = termios.tcgetattr(STDIN)
            tty.setraw(STDIN, termios.TCSADRAIN)
            self._is_taken.set()

    def give_back(self) -> None:
        """As it was."""
        if not self._is_taken.is_set() or self._before is None:
            return
        self._is_taken.clear()
        self._set(self._before)

    def close(self) -> None:
        """As it was, but for its output, and nothing is read from it any more. What the other one has shown last is on
        its way yet, with ends of lines that must not be made once more: `restore` comes when that is over.
        """
        if self._is_taken.is_set() and self._before is not None:
            self._is_taken.clear()
            attributes = [*self._before]
            attributes[OFLAG] &= ~termios.OPOST
            self._set(attributes)
        else:
            self._before = None
        self._is_over = True
        os.write(self._wake, b".")
        self._is_taken.set()

    def restore(self) -> None:
        """Its output too. Once it is closed; idempotent."""
        before, self._before = self._before, None
        if before is not None:
            self._set(before)

    def _set(self, attributes: list[Any]) -> None:
        with suppress(termios.error):
            termios.tcsetattr(STDIN, termios.TCSADRAIN, attributes)

    def _run(self) -> None:
        with suppress(OSError):
            while self._is_taken.wait() and not self._is_over:
                ready, _, _ = select.select([STDIN, self._wakes], [], [])
                if self._is_over:
                    return
                if STDIN in ready and self._is_taken.is_set():
                    self._pass_on()

    def _pass_on(self) -> None:
        try:
            keys = os.read(STDIN, KEYS)
        except OSError:
            if self._is_taken.is_set() and in_foreground(STDIN):
                raise
            return
        if not keys:
            raise OSError("it is gone")
        left = memoryview(keys)
        while left:
            left = left[os.write(self._target, left) :]
