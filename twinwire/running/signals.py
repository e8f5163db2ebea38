"""Signals as things that come, instead of interruptions.

They are blocked in every thread and taken by one that waits for them, so that no handler runs between two lines of
anything else. Whom one was sent to matters: what goes to every process of the job, as from the keyboard, the command
has already (witness.py); what came to us alone is passed on.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, NoReturn


def _those(*names: str) -> tuple[int, ...]:
    """That this system has."""
    return tuple(int(getattr(signal, name)) for name in names if hasattr(signal, name))


PASSED: Final = _those("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
"""What is meant for the command."""

SIZES: Final = _those("SIGWINCH")
STOPS: Final = _those("SIGTSTP")
OWN: Final = (*SIZES, *STOPS, *_those("SIGCONT"))
"""What is about the terminal."""

HELD: Final = _those("SIGTTIN", "SIGTTOU")
"""What would stop us while we are in the background: an error is told instead."""


class Came(NamedTuple):
    """A signal; `is_everywhere`: it went to each process of the job."""

    number: int
    is_everywhere: bool


def can_wait() -> bool:
    return hasattr(signal, "sigwait") and sys.platform != "win32"


def block(numbers: Iterable[int]) -> set[int]:
    """In this thread, and those that it starts; what was blocked before."""
    if sys.platform == "win32":
        return set()
    return {int(one) for one in signal.pthread_sigmask(signal.SIG_BLOCK, numbers)}


def restore(mask: Iterable[int]) -> None:
    """For a command, before it begins: of what is ours it is to know nothing."""
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def watch(
    numbers: Iterable[int], put: Callable[[Came], None], is_everywhere: Callable[[Came], bool] | None = None
) -> None:
    """`put` is called with each of these, on a thread that lasts as long as the process. They are blocked. Where there
    is no waiting for signals, nothing comes.

    `is_everywhere` is asked about those of PASSED, on that thread, before it takes another one; what it is given knows
    of the terminal's alone.
    """
    wanted = tuple(numbers)
    if not can_wait():
        return
    for number in wanted:  # one that is ignored by default would not even come, on some systems
        if number in OWN:
            signal.signal(number, lambda *_: None)
    threading.Thread(target=_take, args=(wanted, put, is_everywhere), name="signals", daemon=True).start()


def _take(wanted: tuple[int, ...], put: Callable[[Came], None], is_everywhere: Callable[[Came], bool] | None) -> None:
    while True:
        came = _next(wanted)
        if is_everywhere is not None and came.number in PASSED:
            came = Came(came.number, is_everywhere(came))
        put(came)


def _next(wanted: tuple[int, ...]) -> Came:
    if sys.platform == "win32":
        raise OSError("there are none")
    if hasattr(signal, "sigwaitinfo"):
        found = signal.sigwaitinfo(wanted)
        return Came(found.si_signo, found.si_code > 0)  # SI_KERNEL; what a process sends is 0 or below
    number = int(signal.sigwait(wanted))
    return Came(number, number in (signal.SIGINT, signal.SIGQUIT) and in_foreground())


def in_foreground(descriptor: int | None = None) -> bool:
    """Whether the keyboard is ours: of this terminal, or of the one that we belong to."""
    if sys.platform == "win32":
        return False
    try:
        opened = os.open(os.ctermid(), os.O_RDONLY | os.O_NOCTTY) if descriptor is None else descriptor
    except OSError:
        return False
    try:
        return os.tcgetpgrp(opened) == os.getpgrp()
    except OSError:
        return False
    finally:
        if descriptor is None:
            os.close(opened)


def die(number: int) -> NoReturn:
    """As one whom this signal has ended; without a core, which would be ours and not the command's."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
        signal.raise_signal(number)
    os._exit(128 + number)


def name_of(number: int) -> str:
    """SIGTERM; SIGRTMIN+3 where it has no other name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        first = int(getattr(signal, "SIGRTMIN", number))
        return f"SIGRTMIN+{number - first}"
