"""How a command is started: as what it would be without us.

| standard input and output | the command has |
|---|---|
| a terminal, and we are in its foreground | a terminal of its own, with job control (session.py) |
| else, for an output that is a terminal | one that nobody types into: the keyboard stays where it is, and so our job |
| for one that is none | a pipe, or one for both where both go to one place, so that the order stays |

Standard input is inherited but in the first case. Where there are no such terminals (Windows), there are pipes.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

from twinwire.running.signals import Came, in_foreground, restore
from twinwire.running.started import STDERR, STDIN, STDOUT, Ended, NotStartedError, Output, ended
from twinwire.running.witness import Witness, is_with_us


def is_interactive() -> bool:
    """Whether the command is to have a terminal of its own, with a keyboard."""
    return sys.platform != "win32" and os.isatty(STDIN) and os.isatty(STDOUT) and in_foreground(STDIN)


class Piped:
    """A command in our own job. Raises NotStartedError."""

    def __init__(self, command: Sequence[str], mask: set[int]) -> None:
        self.outputs: list[Output] = []
        self._screens: list[tuple[int, int]] = []
        inner = self._inner(STDOUT)
        other = inner if _are_one(STDOUT, STDERR) else self._inner(STDERR)
        try:
            # Signals are blocked here, and would be there. There is one thread by now.
            before = None if sys.platform == "win32" else lambda: restore(mask)
            self._process = subprocess.Popen(command, stdout=inner, stderr=other, preexec_fn=before)  # noqa: S603
        except OSError as error:
            for output in self.outputs:
                os.close(output.source)
            raise NotStartedError(command[0], error) from error
        finally:
            for descriptor in {inner, other}:
                os.close(descriptor)
        self.pid = self._process.pid
        self._witness = Witness()  # later than the command: what that one has not got is not taken for its own

    def wait(self) -> Ended:
        return ended(self._process.wait())

    def has_it_too(self, came: Came) -> bool:
        return self._witness.has_it_too(came) and is_with_us(self.pid)

    def signal(self, came: Came) -> None:
        if not came.is_everywhere:
            self._send(came.number)

    def resize(self) -> None:
        """The window is another: the terminal tells that to our job, and of ours nobody else does."""
        from twinwire.running import screen

        for source, target in self._screens:
            screen.copy_size(target, source)
        if self._screens:  # it may have looked before
            self._send(signal.SIGWINCH)

    def _send(self, number: int) -> None:
        with suppress(OSError):  # it has become another user's, as sudo does
            self._process.send_signal(number)

    def stop(self) -> None:
        """Nobody asks for it: we are stopped together."""

    suspend = resume = restored = drained = stop

    def ending(self) -> None:
        self._witness.close()

    def _inner(self, target: int) -> int:
        """The command's end of what goes to this descriptor."""
        if sys.platform != "win32" and os.isatty(target):
            from twinwire.running import screen

            source, inner = screen.opened(target, is_plain=True)
            self._screens.append((source, target))
        else:
            source, inner = os.pipe()
        self.outputs.append(Output(source, target, is_terminal=False))
        return inner


def _are_one(one: int, other: int) -> bool:
    """Whether both go to one place."""
    try:
        return os.path.sameopenfile(one, other)
    except OSError:
        return False
