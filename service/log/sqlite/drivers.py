"""Which SQLite is used.

SQLite 3.7.0 to 3.51.2 can lose a commit when two connections write or checkpoint at the same instant (the WAL-reset
bug, fixed in 3.51.3, 3.50.7 and 3.44.6). So a library that carries the fix comes along wherever somebody builds one:
`pysqlite3`, else, where Python's own has the bug, `apsw` behind the same interface. Python's own is what is left.
"""

import importlib
import sqlite3
from typing import Any, Final


def library_is_affected(version: tuple[int, ...]) -> bool:
    """Whether this SQLite has the WAL-reset bug."""
    if version >= (3, 51, 3) or version < (3, 7, 0):
        return False
    fixed = {(3, 50): 7, (3, 44): 6}.get((version[0], version[1]))
    return fixed is None or version[2] < fixed


def choose() -> Any:
    """The DB-API module to use."""
    try:
        return importlib.import_module("pysqlite3.dbapi2")
    except ImportError:  # no wheel for this platform
        pass
    if library_is_affected(sqlite3.sqlite_version_info):
        try:
            return importlib.import_module("service.log.sqlite.apsw_driver")
        except ImportError:
            pass
    return sqlite3


driver: Final = choose()
"""The DB-API module in use; its exceptions are its own."""

UNLOCKED: Final = {"flags": 0x1 | 0x40 | 0x8000} if driver.__name__.startswith("pysqlite3") else {}
"""What of a connection that reads: SQLITE_OPEN_READONLY, _URI and _NOMUTEX. SQLite else takes a lock for each column of
each row, a quarter of a replay's time. The standard library's module has no such parameter, and apsw wants the lock."""
