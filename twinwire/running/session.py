"""A command in a terminal of its own, with job control.

A terminal belongs to a session, and of a session whose only group has no parent in it nothing can be stopped by Ctrl-Z
(POSIX calls that group orphaned). So there is a process between: it leads the session, as a shell would, starts the
command in a group of its own in the foreground, and tells us what becomes of it.

    twinwire run   keeps our end of the terminal, the user's, and all else
      the leader   a fork of us with nothing but a pipe to tell on, and one that says when it may go
        command    its input and outputs are the terminal

What the leader tells, each a line: `pid N`, `failed ERRNO`, `stopped N`, `ended CODE`. It goes once all output is read:
at the end of a session the system drops what is still under way in its terminal. If we are killed, the terminal hangs
up, and the command is told so as if its window had been closed.
"""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, NoReturn

from twinwire.running.screen import Keyboard, copy_size, opened
from twinwire.running.signals import Came, restore
from twinwire.running.started import STDERR, STDIN, STDOUT, Ended, NotStartedError, Output, ended

_DESCRIPTORS: Final = 1 << 16


class Session:
    """`stopped` is called, on the thread that waits, when the command was stopped. Raises NotStartedError."""

    def __init__(self, command: Sequence[str], mask: set[int], stopped: Callable[[], None]) -> None:
        self._stopped = stopped
        self._has_ended = False
        ours, self._theirs = opened(STDIN)
        self._ours = ours
        self.outputs = [Output(ours, STDOUT, is_terminal=True)]
        inner = self._theirs
        if not os.isatty(STDERR):
            source, inner = os.pipe()
            self.outputs.append(Output(source, STDERR, is_terminal=False))
        told, tells = os.pipe()
        waits, self._go = os.pipe()
        self._leader = os.fork()
        if self._leader == 0:
            _lead(command, self._theirs, inner, tells, waits, mask)
        for descriptor in {tells, waits, inner} - {self._theirs}:
            os.close(descriptor)
        self._told = os.fdopen(told, "r")
        word, number = self._told.readline().split() or ("failed", errno.EIO)
        if word == "failed":
            error = OSError(int(number), os.strerror(int(number)))
            self.drained()
            raise NotStartedError(command[0], error)
        self.pid = int(number)
        self._keyboard = Keyboard(ours)
        self._keyboard.take()

    def wait(self) -> Ended:
        """On a thread."""
        for line in self._told:
            word, number = line.split()
            if word == "ended":
                self._has_ended = True
                return ended(int(number))
            self._stopped()
        self._has_ended = True
        return Ended(None, signal.SIGKILL)  # the leader was killed, and the terminal with it

    def has_it_too(self, came: Came) -> bool:
        """The command is neither in the user's terminal nor in our group."""
        return False

    def signal(self, came: Came) -> None:
        if not self._has_ended:
            with suppress(OSError):  # it is another user's
                os.kill(self.pid, came.number)

    def stop(self) -> None:
        """Stops it, of which we are told, as if that had been typed."""
        with suppress(OSError):
            os.killpg(self.pid, signal.SIGTSTP)

    def suspend(self) -> None:
        """We stop as the command has, and go on with it. On the main thread."""
        self._keyboard.give_back()
        before = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTSTP])
        os.killpg(os.getpgrp(), signal.SIGTSTP)  # nothing happens where nobody could let us go on
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGTSTP, before)
        self.resume()
        with suppress(OSError):
            os.killpg(self.pid, signal.SIGCONT)

    def resume(self) -> None:
        """We go on, or are in the foreground again."""
        self._keyboard.take()
        self.resize()

    def resize(self) -> None:
        copy_size(STDIN, self._ours)

    def ending(self) -> None:
        """The command has ended: keys are the user's terminal's again, and the end of the other can be seen."""
        self._keyboard.close()
        os.close(self._theirs)

    def restored(self) -> None:
        """The user's terminal is as it was, its output too."""
        self._keyboard.restore()

    def drained(self) -> None:
        """All output was read: the leader may go."""
        os.close(self._go)
        os.waitpid(self._leader, 0)


def _lead(command: Sequence[str], theirs: int, errors: int, tells: int, waits: int, mask: set[int]) -> NoReturn:
    """In the fork. Nothing of what it was forked from runs on."""
    try:
        hangup = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # by which the leader of a session learns that it is over
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGHUP])
        os.setsid()
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)
        _close_all_but({0, 1, 2, theirs, errors, tells, waits})
        _tell(tells, _started(command, theirs, errors, mask, hangup, tells))
        os.read(waits, 1)
    except BaseException as error:
        _tell(tells, f"failed {getattr(error, 'errno', None) or errno.EIO}")
    os._exit(0)


def _started(command: Sequence[str], theirs: int, errors: int, mask: set[int], hangup: Any, tells: int) -> str:
    def before() -> None:
        signal.signal(signal.SIGHUP, hangup)
        os.tcsetpgrp(STDIN, os.getpid())  # while what it would be stopped by is blocked
        restore(mask)

    try:
        process = subprocess.Popen(  # noqa: S603
            command, stdin=theirs, stdout=theirs, stderr=errors, process_group=0, preexec_fn=before
        )
    except OSError as error:
        return f"failed {error.errno}"
    _tell(tells, f"pid {process.pid}")
    for descriptor in (theirs, errors):
        _replace(descriptor)
    for descriptor in (STDIN, STDOUT, STDERR):
        _replace(descriptor)
    while True:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            _tell(tells, f"stopped {os.WSTOPSIG(status)}")
        else:
            return f"ended {os.waitstatus_to_exitcode(status)}"


def _replace(descriptor: int) -> None:
    """By nothing: nobody waits for us to close it."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _tell(tells: int, line: str) -> None:
    with suppress(OSError):  # we are alone
        os.write(tells, f"{line}\n".encode())


def _close_all_but(kept: set[int]) -> None:
    limit = min(os.sysconf("SC_OPEN_MAX"), _DESCRIPTORS) if sys.platform != "win32" else 0
    at = 0
    for descriptor in (*sorted(kept), limit):
        if at < descriptor:  # an empty range up to 0 would be all of them
            os.closerange(at, descriptor)
        at = descriptor + 1
