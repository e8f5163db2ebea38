"""The embedded log as tests open it: migrated, as durable as it is by default, and trimming nothing by itself."""

import shutil
from pathlib import Path
from typing import Any, Final

from service.core.time import Clock
from service.log.sqlite.log import SQLiteEventLog, open_log
from service.log.sqlite.migrate import migrate
from service.resources import resource

USUAL: Final[dict[str, Any]] = {
    "durability": "full",
    "policies": (),
    "retention_interval": 60.0,
    "max_topics": 1_000_000,
    "disk_reserve": 0,
}
"""Options of `open_log`."""


async def open_sqlite_log(path: Path, clock: Clock, **options: Any) -> SQLiteEventLog:
    """With the usual options but for those given. The caller closes it."""
    migrate(path, resource("migrations"))
    return await open_log(path, clock=clock, **{**USUAL, **options})


def as_killed(path: Path, folder: Path) -> Path:
    """The database as a killed process would leave it, in a new folder: the file and its WAL, not the index in shared
    memory.
    """
    folder.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(f"{path}{suffix}", f"{folder / path.name}{suffix}")
    return folder / path.name
