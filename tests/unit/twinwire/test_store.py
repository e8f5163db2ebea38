import sqlite3
from pathlib import Path

import pytest

from twinwire.errors import InvalidError
from twinwire.store import FileStore, SqlStore


def test_a_file(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "cursor")
    assert store.load() is None
    store.save("e-1")
    store.save("e-2")
    assert FileStore(tmp_path / "cursor").load() == "e-2"
    assert [path.name for path in tmp_path.iterdir()] == ["cursor"]


def test_a_file_that_is_empty_holds_none(tmp_path: Path) -> None:
    (tmp_path / "cursor").write_text("\n")
    assert FileStore(tmp_path / "cursor").load() is None


def test_nothing_is_left_where_it_cant_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "cursor").mkdir()
    (tmp_path / "cursor" / "x").touch()
    with pytest.raises(OSError, match="cursor"):
        FileStore(tmp_path / "cursor").save("e-1")
    assert [path.name for path in tmp_path.iterdir()] == ["cursor"]


def test_a_table(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    store = SqlStore(lambda: sqlite3.connect(path), "mails")
    assert store.load() is None
    store.save("e-1")
    store.save("e-2")
    other = SqlStore(lambda: sqlite3.connect(path), "bills")
    assert other.load() is None
    other.save("e-9")
    assert SqlStore(lambda: sqlite3.connect(path), "mails").load() == "e-2"


def test_the_cursor_belongs_to_the_programs_transaction(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "app.db")
    store = SqlStore(lambda: connection, commit=False)
    assert store.load() is None
    store.save("e-1")
    connection.rollback()
    assert store.load() is None
    store.save("e-2")
    connection.commit()
    assert SqlStore(lambda: sqlite3.connect(tmp_path / "app.db")).load() == "e-2"


def test_a_table_has_a_plain_name() -> None:
    with pytest.raises(InvalidError):
        SqlStore(lambda: None, table="x; DROP TABLE y")
