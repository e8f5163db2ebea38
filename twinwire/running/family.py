"""A command and what it has started: all of it ends when somebody ends the run.

A group of processes is not always its own: with pipes it is in our job, like everything else there. So it is found by
who has started whom, as far as the system tells. Once a process has ended, those that it has started are somebody
else's; so whoever was found is remembered, with when he began, since numbers are used again (proc(5)).
"""

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

SIGKILL: Final = int(getattr(signal, "SIGKILL", signal.SIGTERM))
"""Windows has one way to end a process."""

_ENDED: Final = frozenset("ZX")


class _Process(NamedTuple):
    state: str
    parent: int
    group: int
    began: str


class Family:
    """Of a command that has not ended by now. Where there is no /proc, it is the command alone."""

    def __init__(self, pid: int, proc: Path = Path("/proc")) -> None:
        self._pid: Final = pid
        self._proc: Final = proc
        self._known: dict[int, str] = {}
        processes = dict(_processes(proc))
        if (first := processes.get(pid)) is not None:
            # In a terminal of its own the command leads a group: what has lost its parent before is found by that.
            group = pid if first.group == pid else -1
            self._known = {one: found.began for one, found in processes.items() if one == pid or found.group == group}

    def living(self) -> list[int]:
        """Those that are known and have not ended, and what they have started."""
        processes = {pid: one for pid, one in _processes(self._proc) if one.state not in _ENDED}
        children: dict[int, list[int]] = {}
        for pid, one in processes.items():
            children.setdefault(one.parent, []).append(pid)
        found = [pid for pid, began in self._known.items() if pid in processes and processes[pid].began == began]
        seen = set(found)
        for pid in found:
            for child in children.get(pid, ()):
                if child not in seen:
                    seen.add(child)
                    found.append(child)
        self._known = {pid: processes[pid].began for pid in found}
        return found

    def send(self, number: int) -> None:
        """This signal to each of them; to the command in any case, which must not have been waited for."""
        living = self.living()
        send(living if self._pid in living else [*living, self._pid], number)


def send(pids: Iterable[int], number: int) -> None:
    """This signal to each, who was just found: numbers are used again."""
    for pid in pids:
        with suppress(OSError):  # it has ended, or is another user's
            os.kill(pid, number)


def _processes(proc: Path) -> Iterator[tuple[int, _Process]]:
    for path in proc.glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            # The name stands in parentheses, and may hold some itself.
            fields = path.read_text("utf-8", "replace").rpartition(")")[2].split()
            yield int(path.parent.name), _Process(fields[0], int(fields[1]), int(fields[2]), fields[19])
