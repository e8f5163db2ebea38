"""The last steps before a program begins: what it may no more, and how much it may."""

import fcntl
import os
import resource
import signal
from collections.abc import Mapping, Sequence
from typing import Final, NoReturn

from service.apps.projects.sandbox.inside.calls import program
from service.apps.projects.sandbox.inside.kernel import PR_SET_NO_NEW_PRIVS, CannotError, Kernel
from service.apps.projects.sandbox.inside.watch import FILES_OPEN

NICENESS: Final = 10
"""Whoever serves others comes first."""

STACK: Final = 2 * 1024 * 1024
"""Bytes of the stack, which each thread has of its address space: with the usual 8 MiB few threads would fill that."""

NOT_FOUND: Final = 127
"""The exit code of a command that is not there, as of a shell."""

_PART: Final = "limits"


def limit(limits: Mapping[str, float], *, is_confined: bool) -> None:
    """Limits of one process, which those that it starts have as well. Raises CannotError."""
    seconds, memory = int(limits["cpu_seconds"]) + 1, int(limits["memory"])
    bounds = {
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: int(limits["files"]),
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_STACK: STACK,
        resource.RLIMIT_NOFILE: FILES_OPEN,
        resource.RLIMIT_AS: memory,
    }
    if is_confined:  # unconfined it would count all that this user does on the machine
        bounds |= {resource.RLIMIT_NPROC: int(limits["processes"]) + 1, resource.RLIMIT_MEMLOCK: 0}
        bounds |= {resource.RLIMIT_MSGQUEUE: 0, resource.RLIMIT_RTPRIO: 0, resource.RLIMIT_SIGPENDING: 256}
    try:
        for which, bound in bounds.items():
            most = resource.getrlimit(which)[1]
            value = bound if most == resource.RLIM_INFINITY else min(bound, most)
            resource.setrlimit(which, (value, value))
        os.nice(NICENESS)
    except (OSError, ValueError) as error:
        raise CannotError(_PART, str(error)) from error


def lock(kernel: Kernel) -> None:
    """No capability, none to come, and few system calls. Raises CannotError."""
    kernel.drop_capabilities("capabilities")
    kernel.control(PR_SET_NO_NEW_PRIVS, 1, "no new privileges")
    kernel.filter_calls(program(kernel.machine), "filter of system calls")


def keep(descriptors: Mapping[int, int]) -> None:
    """Only these are open afterwards, under these numbers; they stay open when a program is executed."""
    moved = {number: fcntl.fcntl(one, fcntl.F_DUPFD, max(descriptors) + 1) for number, one in descriptors.items()}
    for number, one in moved.items():
        os.dup2(one, number)
    os.closerange(max(moved) + 1, os.sysconf("SC_OPEN_MAX"))


def execute(command: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Become the command, or end as a shell does if it is not there."""
    for one in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(one, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        os.execvpe(command[0], list(command), dict(environment))  # noqa: S606 - what this is for
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
        os._exit(NOT_FOUND)
