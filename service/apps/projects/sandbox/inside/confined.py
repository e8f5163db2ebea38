"""A program within walls: the namespaces that the launcher makes, and the first process in them."""

import contextlib
import fcntl
import os
import signal
import socket
import struct
from pathlib import Path
from typing import Final

from service.apps.projects.sandbox.inside import first, watch
from service.apps.projects.sandbox.inside.kernel import (
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    CannotError,
    Kernel,
    map_user,
)
from service.apps.projects.sandbox.inside.mounts import Interpreter
from service.apps.projects.sandbox.inside.order import Order

_NAMESPACES: Final = {
    "process namespace": CLONE_NEWPID,
    "network namespace": CLONE_NEWNET,
    "IPC namespace": CLONE_NEWIPC,
    "host name's namespace": CLONE_NEWUTS,
}
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 1
"""SIOCGIFFLAGS, SIOCSIFFLAGS and IFF_UP (man 7 netdevice)."""

_BUFFERS: Final = {"ipv4/tcp_rmem": "4096 131072 131072", "ipv4/tcp_wmem": "4096 16384 81920", "core/somaxconn": "64"}
"""Of this network: bytes (least, first, most) of a TCP socket's buffers, together what a descriptor counts as; and how
many connections wait until somebody accepts them, which have no descriptor."""


class Confined:
    """`folder` is a descriptor of the program's, once it is there: the launcher's to set."""

    folder: int | None = None

    def __init__(self) -> None:
        self.process = 0

    def start(self, order: Order, told: socket.socket) -> None:
        """Raises CannotError."""
        kernel, interpreter = Kernel(), Interpreter.of_this()
        if not watch.is_possible():
            raise CannotError("watch of memory", "/proc does not tell whose child a process is")
        with contextlib.suppress(OSError):  # of all that run here, let it be this that is ended when memory ends
            Path("/proc/self/oom_score_adj").write_text("1000")
        separate(kernel)
        self.process = os.fork()
        if not self.process:
            first.begin(kernel, order, interpreter, told)

    def is_full(self, most: float) -> bool:
        """Whether no byte or no file more fits into the folder, which was made of that size."""
        if self.folder is None:
            return False
        left = os.statvfs(self.folder)
        return not left.f_bavail or not left.f_favail

    @property
    def top(self) -> int:
        """The process at which the tree of all of them begins."""
        return self.process

    def end(self) -> None:
        """All others in its namespace have ended when the first process has."""
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.process, 0)


def separate(kernel: Kernel) -> None:
    """From the machine's processes, networks and names; the mounts follow in the first process. Raises CannotError."""
    if os.geteuid():
        process = os.open("/proc/self", os.O_RDONLY | os.O_DIRECTORY)
        ids = os.geteuid(), os.getegid()
        kernel.unshare(CLONE_NEWUSER, first.USERS)
        map_user(process, first.NOBODY, ids)
        os.close(process)
    for part, flag in _NAMESPACES.items():
        kernel.unshare(flag, part)
    try:
        socket.sethostname("sandbox")
        with socket.socket() as any_socket:
            asked = fcntl.ioctl(any_socket, _GET_FLAGS, struct.pack("=16sH22x", b"lo", 0))
            flags = struct.unpack("=16sH22x", asked)[1] | _UP
            fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("=16sH22x", b"lo", flags))
    except OSError as error:
        raise CannotError("network namespace", f"loopback: {error.strerror}") from error
    for name, text in _BUFFERS.items():
        with contextlib.suppress(OSError):  # /proc/sys is read-only in many a container, and the rest holds without it
            Path("/proc/sys/net", name).write_text(text)
