"""Which SQLite is used: one without the WAL-reset bug, if there is one."""

import sqlite3
import sys

import pytest

from service.log.sqlite.drivers import choose, library_is_affected

AFFECTED = [(3, 7, 0), (3, 40, 1), (3, 44, 5), (3, 45, 0), (3, 50, 6), (3, 51, 0), (3, 51, 2)]
FIXED = [(3, 6, 23), (3, 44, 6), (3, 44, 9), (3, 50, 7), (3, 51, 3), (3, 52, 0), (4, 0, 0)]
APSW = "service.log.sqlite.apsw_driver"


@pytest.mark.parametrize("version", AFFECTED)
def test_versions_with_the_wal_reset_bug(version: tuple[int, ...]) -> None:
    assert library_is_affected(version)


@pytest.mark.parametrize("version", FIXED)
def test_versions_without_it(version: tuple[int, ...]) -> None:
    assert not library_is_affected(version)


@pytest.mark.parametrize(
    ("missing", "version", "expected"),
    [
        ((), (3, 51, 2), "pysqlite3.dbapi2"),
        (("pysqlite3",), (3, 51, 2), APSW),
        (("pysqlite3",), (3, 51, 3), "sqlite3"),
        (("pysqlite3", APSW), (3, 51, 2), "sqlite3"),
        (("pysqlite3", APSW), (3, 51, 3), "sqlite3"),
    ],
)
def test_a_fixed_one_comes_first(
    monkeypatch: pytest.MonkeyPatch, missing: tuple[str, ...], version: tuple[int, ...], expected: str
) -> None:
    if "pysqlite3" not in missing:
        pytest.importorskip("pysqlite3", reason="no wheel for this platform")
    for name in missing:
        monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.delitem(sys.modules, f"{name}.dbapi2", raising=False)
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    assert choose().__name__ == expected
