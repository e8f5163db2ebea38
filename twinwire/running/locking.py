"""A lock that a process holds on a file, and that goes with it."""

import os
import sys
from pathlib import Path


class HeldError(OSError):
    """Somebody else holds it."""


def lock(path: Path) -> int:
    """The descriptor that holds it; closing it gives it back. Raises HeldError, or OSError."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        _lock(descriptor)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError | PermissionError):
            raise HeldError(*error.args) from error
        raise
    return descriptor


if sys.platform == "win32":

    def _lock(descriptor: int) -> None:
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:

    def _lock(descriptor: int) -> None:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
