"""Starts that fail, in this process, and ends, in processes of their own. The contract of both is in e2e/."""

import signal
import socket
from pathlib import Path

import pytest

from service.core.errors import ConfigError, StorageError
from service.log.sqlite.lock import FileLock
from service.resources import resource
from service.server import loop
from service.server.serve import run
from service.settings import Settings
from tests.support.http import request
from tests.support.server import ServerProcess

CONFIG = resource("hypercorn.toml")


def settings(database: Path, **values: object) -> Settings:
    return Settings.read({"database": database, "port": 0, **values})


def test_nothing_is_touched_when_the_configuration_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        run(settings(tmp_path / "a.db"), tmp_path / "none.toml")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_touched_without_the_loop_that_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "uvloop", None)
    with pytest.raises(ConfigError) as caught:
        run(settings(tmp_path / "a.db", loop="uvloop"), CONFIG)
    assert caught.value.field == "loop"
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_touched_when_the_port_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConfigError, match="can't listen"):
        run(settings(tmp_path / "a.db", port=taken.getsockname()[1]), CONFIG)
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_can_not_be_opened_ends_the_start(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        run(settings(tmp_path), CONFIG)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_closes_everything(tmp_path: Path, number: signal.Signals) -> None:
    with ServerProcess(tmp_path) as server:
        assert (await request(server.url, "GET", "/api/ready")).status == 200
        server.signal(number)
        assert await server.await_exit() == 0
        assert "service_closed" in server.log_tail()
        assert server.faults() == []
        with FileLock(server.database):
            pass
