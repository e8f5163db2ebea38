"""The first process of a confined program's own process namespace: it shuts itself in, starts the program and waits.

All others there end with it, which is why it is not the program itself: whatever that leaves behind, forks for ever or
hides from, the kernel ends when this process ends. Inside, nobody can stop or kill it: signals to the first process of
a namespace count from outside alone. It ends with the launcher (PR_SET_PDEATHSIG), and that with the service: from its
first step on, since whoever is being shut in when the launcher is killed would be watched by nobody.

    launcher, root:       its processes', network's, IPC and host name's namespaces -> fork
    first, root:          mounts, a new root -> nobody, of whom there is one in a user namespace of its own
    launcher, somebody:   a user namespace, with all capabilities in it, then as above -> fork
    first, somebody:      mounts, a new root
    both:                 the files are written -> fork
    the program:          limits, no capability, no new privileges, a filter of system calls -> exec
"""

import contextlib
import errno
import json
import os
import select
import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NoReturn

from service.apps.projects.sandbox.inside import child
from service.apps.projects.sandbox.inside.kernel import (
    CLONE_NEWUSER,
    PR_SET_DUMPABLE,
    PR_SET_PDEATHSIG,
    CannotError,
    Kernel,
    map_user,
)
from service.apps.projects.sandbox.inside.mounts import APP, Interpreter, shut_in
from service.apps.projects.sandbox.inside.order import Order

NOBODY: Final = 65_534
_STANDARD: Final = 3
"""Descriptors below it are input, output and errors."""

USERS: Final = "user namespace"
FOLDER: Final = "folder"

ENVIRONMENT: Final = {
    "PATH": "/bin",
    "HOME": "/tmp",  # noqa: S108 - of the sandbox
    "LANG": "C.UTF-8",
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "MALLOC_ARENA_MAX": "2",
}
"""All of it. The last is the C library's: each arena for threads would take 64 MiB of the address space."""


def begin(kernel: Kernel, order: Order, interpreter: Interpreter, told: socket.socket) -> NoReturn:
    """Never returns. `told` hears what can't be, or that all is ready, with the folder's descriptor; then its end."""
    try:
        signal.set_wakeup_fd(-1)  # the launcher's
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.closerange(_STANDARD, told.fileno())
        os.closerange(told.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
        _end_with_launcher(kernel, told)
        _shut_in(kernel, order, interpreter)
        _end_with_launcher(kernel, told)  # again: the kernel forgets it of who becomes somebody else
        write(Path(APP), order.files)
        folder = os.open(APP, os.O_RDONLY | os.O_DIRECTORY)
        socket.send_fds(told, [b"ready"], [folder])
    except BaseException as error:
        tell(told, error)
        os._exit(1)
    program = os.fork()
    if not program:
        _become(kernel, order, told)
    os.closerange(0, os.sysconf("SC_OPEN_MAX"))
    while True:
        ended, status = os.wait()
        if ended == program:
            os._exit(code(status))


def _end_with_launcher(kernel: Kernel, told: socket.socket) -> None:
    """From now on; and now, if it has ended before: then the other end of `told` is closed, as it was the last to have
    it. Whose child this is would not tell, for a parent beyond the process namespace is none.
    """
    kernel.control(PR_SET_PDEATHSIG, signal.SIGKILL, "process namespace")
    hung_up = select.poll()
    hung_up.register(told, 0)
    if hung_up.poll(0):
        os._exit(1)


def code(status: int) -> int:
    """The exit code of a wait's status, as shells tell it: 128 + n of who was ended by signal n."""
    found = os.waitstatus_to_exitcode(status)
    return 128 - found if found < 0 else found


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Raises CannotError, of the part `FOLDER` if they are more than it may have."""
    try:
        for path, text in files.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text)
    except OSError as error:
        raise CannotError(FOLDER if error.errno == errno.ENOSPC else "files", str(error)) from error


def tell(told: socket.socket, error: BaseException) -> None:
    known = error if isinstance(error, CannotError) else CannotError("files", str(error))
    with contextlib.suppress(OSError):  # nobody wants to know any more
        told.send(json.dumps({"part": known.part, "why": known.why}).encode())


def _shut_in(kernel: Kernel, order: Order, interpreter: Interpreter) -> None:
    process = os.open("/proc/self", os.O_RDONLY | os.O_DIRECTORY)
    is_root = os.geteuid() == 0
    shut_in(kernel, interpreter, int(order.limits["folder"]), NOBODY)
    if is_root:
        try:
            os.setgroups(())
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
        except OSError as error:
            raise CannotError(USERS, f"root can't become nobody: {error.strerror}") from error
        kernel.control(PR_SET_DUMPABLE, 1, USERS)  # else what is its own in /proc belongs to root
        kernel.unshare(CLONE_NEWUSER, USERS)
        map_user(process, NOBODY, (NOBODY, NOBODY))
    os.close(process)


def _become(kernel: Kernel, order: Order, told: socket.socket) -> NoReturn:
    """The program. Its end of `told` closes when it is executed: by that the launcher knows that it runs."""
    try:
        os.setsid()
        os.umask(0o022)
        os.chdir(APP)
        null = os.open("/dev/null", os.O_RDONLY)
        child.keep({0: null, 1: 1, 2: 1, 3: told.fileno()})
        os.set_inheritable(3, False)
        child.limit(order.limits, is_confined=True)
        child.lock(kernel)
    except BaseException as error:
        tell(socket.socket(fileno=3), error)
        os._exit(1)
    child.execute(order.command, ENVIRONMENT)
