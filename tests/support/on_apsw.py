"""A plugin of pytest, `-p tests.support.on_apsw`: as if `pysqlite3` had no wheel here, and Python's own had the bug."""

import sqlite3
import sys

sys.modules["pysqlite3"] = None  # type: ignore[assignment]
sqlite3.sqlite_version_info = (3, 51, 2)
