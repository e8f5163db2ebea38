"""What all processes of a program together use, seen from outside of it, in /proc.

A limit of the kernel is one process's; the sum is nobody's without a control group, which a service seldom may make.
So it is added up every few hundredths of a second, along the tree below the first process. Whoever leaves the tree is
below that process again, for it is the first of its own namespace; unconfined, below the launcher.

The kernel adds the time of a process that has ended to its parent's, but only if the parent waits for it. Of children
that nobody waits for it is lost, so it is kept here: as it was when they were last seen. Both sums are too small at
times, and none ever too large, so the larger one counts.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

FILES_OPEN: Final = 256
"""Descriptors that one process may have."""

_KIB: Final = 1024
_ANONYMOUS: Final = (b"RssAnon:", b"VmSwap:")
"""Memory that is a process's own. What is in files is either read-only or in the folder, which has its own bound."""

_AFTER_NAME: Final = 3
_STATE, _OWN, _WAITED, _STARTED = 3, slice(14, 16), slice(16, 18), 22
"""Fields of /proc/PID/stat (man 5 proc), of which the second may hold spaces: utime and stime; cutime and cstime."""


DESCRIPTOR: Final = 208 * 1024
"""Bytes that each open descriptor counts as: so much waits in the buffer of a socket that nobody reads
(net.core.wmem_default), which is the kernel's memory and no process's."""


class Used(NamedTuple):
    """Bytes of memory, with what the kernel may hold for open descriptors, and seconds of the processor."""

    memory: int
    seconds: float


class _Look(NamedTuple):
    """At one process: when it started, by which its number is known from later ones; ticks of its own, and of children
    that it has waited for; bytes."""

    started: bytes
    own: int
    waited: int
    memory: int


class Usage:
    """Of one program, from its start on."""

    def __init__(self) -> None:
        self._times: dict[tuple[int, bytes], int] = {}
        self._vanished = 0

    def of(self, process: int) -> Used:
        """By it and all below, and those that were there before."""
        below_it = set(below(process))
        looks = {}
        # Who changes his place in the tree meanwhile may be passed over, and is no less there.
        for one in below_it | {number for number, _ in self._times}:
            with contextlib.suppress(OSError):
                look = _look(one)
                if one in below_it or (one, look.started) in self._times:
                    looks[one, look.started] = look
        self._vanished += sum(ticks for known, ticks in self._times.items() if known not in looks)
        self._times = {known: look.own for known, look in looks.items()}
        waited = sum(look.waited for look in looks.values())
        ticks = sum(self._times.values()) + max(waited, self._vanished)
        return Used(sum(look.memory for look in looks.values()), ticks / os.sysconf("SC_CLK_TCK"))


def is_possible() -> bool:
    """Whether the kernel tells who is whose child (CONFIG_PROC_CHILDREN)."""
    own = os.getpid()
    return Path(f"/proc/{own}/task/{own}/children").exists()


def below(process: int) -> Iterator[int]:
    """It, and all that it and they have started; whoever ends meanwhile is passed over."""
    waiting = [process]
    while waiting:
        one = waiting.pop()
        yield one
        waiting += _children(one)


def _children(process: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{process}/task"):  # noqa: PTH208 - numbers
            with contextlib.suppress(OSError):
                found += map(int, Path(f"/proc/{process}/task/{thread}/children").read_text().split())
    return found


def _look(process: int) -> _Look:
    """Raises OSError if it is gone."""
    place = f"/proc/{process}"
    text = Path(f"{place}/stat").read_bytes().rpartition(b")")[2]
    fields = [*[b""] * _AFTER_NAME, *text.split()]
    memory = _left(process) if fields[_STATE] == b"Z" else _memory(place)
    return _Look(fields[_STARTED], sum(map(int, fields[_OWN])), sum(map(int, fields[_WAITED])), memory)


def _left(process: int) -> int:
    """Of one whose first thread has ended: nothing, if it was the last. Else the others have what was the process's."""
    most = 0
    for thread in os.listdir(f"/proc/{process}/task"):  # noqa: PTH208 - numbers
        if thread != str(process):
            with contextlib.suppress(OSError):
                most = max(most, _memory(f"/proc/{process}/task/{thread}"))
    return most


def _memory(place: str) -> int:
    """Of the process, or thread, of that folder."""
    status = Path(f"{place}/status").read_bytes()
    own = _KIB * sum(int(line.split()[1]) for line in status.splitlines() if line.startswith(_ANONYMOUS))
    return own + _opened(f"{place}/fd") * DESCRIPTOR


def _opened(folder: str) -> int:
    """How many descriptors there are: since Linux 6.2 the size of the folder says it."""
    try:
        return Path(folder).stat().st_size or len(os.listdir(folder))  # noqa: PTH208 - numbers
    except PermissionError:  # it hides them: it may have as many as it may
        return FILES_OPEN
