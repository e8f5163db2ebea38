import os
from pathlib import Path

import pytest

from service.command.check import check
from service.core.errors import ConfigError, StorageError
from service.resources import resource
from service.server import loop
from service.settings import Settings

CONFIG = resource("hypercorn.toml")


def told(folder: Path, **values: object) -> str:
    return "\n".join(check(Settings.read({"database": folder / "a.db", **values}), CONFIG))


def test_it_tells_what_it_found_and_starts_nothing(tmp_path: Path) -> None:
    text = told(tmp_path, host="127.0.0.1", port=8123)
    assert f"configuration {CONFIG}: fine" in text
    assert f"database {tmp_path / 'a.db'}, 127.0.0.1 port 8123" in text
    assert "migrations: " in text
    assert "SQLite 3." in text
    assert list(tmp_path.iterdir()) == []


def test_it_names_the_applications(tmp_path: Path) -> None:
    assert "applications: projects" in told(tmp_path)
    assert "applications: none" in told(tmp_path, apps="none")
    with pytest.raises(ConfigError, match="nobody"):
        told(tmp_path, apps="nobody")


def test_it_names_the_loop_and_refuses_one_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "event loop: asyncio" in told(tmp_path, loop="asyncio")
    monkeypatch.setattr(loop, "uvloop", None)
    assert "event loop: asyncio" in told(tmp_path, loop="auto")
    with pytest.raises(ConfigError, match="uvloop"):
        told(tmp_path, loop="uvloop")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_can_not_be_written_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="can't be written"):
        told(tmp_path)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="can't be written"):
        told(tmp_path / "none")
