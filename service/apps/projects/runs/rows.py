"""A run as it is stored, and as a value."""

from typing import Any, Final

from service.apps.projects.models import Run
from service.core.time import rfc3339

Row = tuple[Any, ...]

COLUMNS: Final = (
    "r.number, r.project, r.kind, r.status, r.progress, r.message,"
    " (SELECT name FROM stages WHERE run = r.id AND number = r.stage),"
    " r.command, r.author, r.host, r.exit, r.signal, r.created, r.started, r.finished,"
    " r.silent, r.lines, r.bytes, r.cut, r.changed"
)
"""What `run_of` reads behind `r.id`, of `runs r`."""

_NAMES: Final = (
    *("id", "number", "project", "kind", "status", "progress", "message", "stage", "command", "author", "host"),
    *("exit", "signal", "created", "started", "finished", "silent", "lines", "bytes", "cut", "changed"),
)
_TIMES: Final = ("created", "started", "finished")


def run_of(row: Row) -> Run:
    found = dict(zip(_NAMES, row, strict=True))
    started, finished = found["started"], found["finished"]
    ended = started is not None and finished is not None
    for name in _TIMES:
        found[name] = None if found[name] is None else rfc3339(found[name])
    found["silent"] = bool(found["silent"])
    return Run(**found, duration=max(0, finished - started) / 1000 if ended else None)
