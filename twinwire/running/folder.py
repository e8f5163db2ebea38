"""Where runs wait on this machine, and how many of them.

What is left of earlier runs has bounds, since a service may never come back: 100 of them, 2 GiB, 14 days. The oldest go
first, and that is told. A file that was kept for people, because the service has not all of it, counts too.
"""

import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from twinwire.errors import InvalidError
from twinwire.running.locking import lock
from twinwire.running.spool import ABOUT, LOCK, OUTPUT

VARIABLE: Final = "TWINWIRE_RUNS_DIR"

COUNT_MAX: Final = 100
BYTES_MAX: Final = 2 << 30
AGE_MAX: Final = 14 * 24 * 3600.0
"""Seconds."""


def runs_folder() -> Path:
    """Made if it is not there. Raises InvalidError where it can't be, or others may write into it."""
    named = os.environ.get(VARIABLE, "").strip()
    state = os.environ.get("XDG_STATE_HOME", "").strip()
    try:
        home = Path(state) if state or named else Path.home() / ".local" / "state"
    except RuntimeError as error:
        raise InvalidError(f"there is no home folder for runs, nor {VARIABLE}: {error}") from error
    path = Path(named) if named else home / "twinwire" / "runs"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.stat()
    except OSError as error:
        raise InvalidError(f"the folder for runs, {str(path)!r}, can't be made: {error.strerror}") from error
    if sys.platform != "win32" and (found.st_uid != os.geteuid() or found.st_mode & 0o022):
        raise InvalidError(f"the folder for runs, {str(path)!r}, is not ours alone: others may write into it")
    return path


def prune(folder: Path, now: float | None = None) -> int:
    """How many were dropped that nobody is at, beyond the bounds. Raises nothing: what can't be removed stays."""
    now = time.time() if now is None else now
    size = dropped = 0
    for count, path in enumerate(sorted(_runs(folder), reverse=True), 1):  # the newest first
        age = now - _time(path)
        size += _size(path)
        if count > COUNT_MAX or size > BYTES_MAX or age > AGE_MAX:
            dropped += _drop(path)
    return dropped


def earlier(folder: Path) -> list[Path]:
    """Runs that may have something to be sent, the oldest first."""
    return sorted(path for path in _runs(folder) if (path / ABOUT).exists())


def _runs(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        yield from (Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False))


def _time(path: Path) -> float:
    """When something was put into it last."""
    try:
        return max(one.stat().st_mtime for one in (path, *path.glob(OUTPUT)))
    except OSError:
        return time.time()


def _size(path: Path) -> int:
    try:
        return sum(one.stat().st_size for one in path.iterdir())
    except OSError:
        return 0


def _drop(path: Path) -> bool:
    try:
        held = lock(path / LOCK)
    except OSError:  # somebody is at it, too
        return False
    try:
        shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(held)
    return not path.exists()
