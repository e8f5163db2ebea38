"""The launcher: it makes the walls, starts what is to be within, watches how much that takes, and ends it.

It stays outside the mount and process namespaces that it has made, where nothing within can reach it, and inside the
network's: a socket that it makes reaches the program, and is handed to the service, which then speaks to the program
itself. What is said on the control socket, in lines:

    to the service    {"begun": true}, then {"exit": n | null, "reason": ... | null}; or {"part": ..., "why": ...}:
                      it can't be shut in, and nothing was run; {"socket": true} with a descriptor, or without one
                      where none can be had
    from it           an empty line asks for a socket; its end is the order to end all of it
"""

import contextlib
import json
import os
import select
import signal
import socket
import sys
import time
from typing import Final

from service.apps.projects.sandbox.inside import watch
from service.apps.projects.sandbox.inside.confined import Confined
from service.apps.projects.sandbox.inside.first import FOLDER, code
from service.apps.projects.sandbox.inside.kernel import CannotError
from service.apps.projects.sandbox.inside.order import Order
from service.apps.projects.sandbox.inside.unconfined import Unconfined

TICK: Final = 0.05
"""Seconds between two looks at what is used: what can be taken in that time is taken beyond a limit."""

START_MAX: Final = 30.0
"""Seconds until the program runs: a tenth of one, mostly."""

MESSAGE_MAX: Final = 4096


class Launcher:
    """One program. `run` returns when nothing of it is left."""

    def __init__(self, order: Order, control: socket.socket) -> None:
        self._limits = order.limits
        self._order = order
        self._control = control
        self._began = time.monotonic()
        self._walls = Confined() if order.is_confined else Unconfined()
        self._usage = watch.Usage()
        self._exit: int | None = None
        self._woken, waker = socket.socketpair()
        for end in (self._woken, waker):
            end.setblocking(False)
        self._waker = waker
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def run(self) -> None:
        try:
            end = self._live()
        finally:  # whatever it is that went wrong
            self._walls.end()
        self._say(end)

    def _live(self) -> object:
        """From its start to its end, which is then to be told; something of it may still be there."""
        reason = None
        try:
            if self._start():
                self._say({"begun": True})
                reason = self._watch()
        except CannotError as error:
            is_full = error.part == FOLDER
            return {"exit": None, "reason": FOLDER} if is_full else {"part": error.part, "why": error.why}
        except OSError as error:
            return {"part": "files", "why": str(error)}
        return {"exit": None if reason else self._exit, "reason": reason}

    def _say(self, value: object) -> None:
        with contextlib.suppress(OSError):  # the service is gone, or does not want to know
            self._control.sendall(_line(value))

    def _start(self) -> bool:
        """Until the program runs; False if it is to end before. Raises CannotError, also if that takes too long."""
        told, tells = socket.socketpair()
        with told:
            with tells:
                self._walls.start(self._order, tells)
            while True:
                left = max(0.0, self._began + min(self._limits["seconds"], START_MAX) - time.monotonic())
                ready = select.select([told, self._control], [], [], left)[0]
                if not ready:
                    raise CannotError("start", f"it took longer than {START_MAX:g} s, or than the program may")
                if self._control in ready and not self._obey():
                    return False
                if told not in ready:
                    continue
                data, folders, _, _ = socket.recv_fds(told, MESSAGE_MAX, 1)
                if folders:
                    self._walls.folder = folders[0]
                elif data:
                    raise CannotError(**json.loads(data))
                else:
                    return True

    def _watch(self) -> str | None:
        """Until it has ended, has to, or is to: the reason why it has to."""
        while True:
            self._reap()
            if self._exit is not None:
                return None
            ready = select.select([self._woken, self._control], [], [], TICK)[0]
            if self._control in ready and not self._obey():
                return None
            reason = self._exceeded()
            if reason:
                return reason

    def _reap(self) -> None:
        """Whoever has ended: the process that counts, and unconfined those that were left by others."""
        with contextlib.suppress(BlockingIOError):
            self._woken.recv(MESSAGE_MAX)
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == self._walls.process:
                    self._exit = code(ended[1])

    def _obey(self) -> bool:
        """Whether to go on."""
        asked = self._control.recv(MESSAGE_MAX)
        for _ in asked:
            self._hand_over()
        return bool(asked)

    def _hand_over(self) -> None:
        """A socket; or word that there is none, or the next one would go to who asked for this."""
        try:
            with socket.socket() as made:
                made.setblocking(False)
                socket.send_fds(self._control, [_line({"socket": True})], [made.fileno()])
        except OSError:  # of descriptors there are as many as there may be, here or on their way
            self._say({"socket": True})

    def _exceeded(self) -> str | None:
        used = self._usage.of(self._walls.top)
        if time.monotonic() - self._began > self._limits["seconds"] or used.seconds > self._limits["cpu_seconds"]:
            return "time"
        if used.memory > self._limits["memory"]:
            return "memory"
        return FOLDER if self._walls.is_full(self._limits["folder"]) else None


def _line(value: object) -> bytes:
    return json.dumps(value).encode() + b"\n"


def main() -> None:
    """The program's only argument is the control socket's number."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with socket.socket(fileno=int(sys.argv[1])) as control:
        control.set_inheritable(False)
        Launcher(Order.read(sys.stdin.buffer), control).run()
