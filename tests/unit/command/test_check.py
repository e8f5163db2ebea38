import json
import os
import sys
from pathlib import Path

import pytest

from service.command.check import check
from service.core.errors import ConfigError, MigrationError, StorageError
from service.log.sqlite.database import connect_writer
from service.log.sqlite.lock import FileLock
from service.log.sqlite.migrate import migrate
from service.resources import resource
from service.server import loop
from service.server.listen import listen
from service.settings import Settings
from tests.support.tokens import SECRET, b64, entry

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


def test_it_tells_how_many_keys_there_are_and_none_of_them(tmp_path: Path) -> None:
    assert "tokens: no keys" in told(tmp_path)
    keys = json.dumps([entry("a"), {"iss": "i", "alg": "RS256", "jwks": "https://i.example/jwks"}])
    text = told(tmp_path, token_keys=keys, token_audience="us")
    assert "tokens: 1 key, 1 issuer; HS256 signs (a)" in text
    assert b64(SECRET) not in text
    with pytest.raises(ConfigError, match="TWINWIRE_TOKEN_AUDIENCE"):
        told(tmp_path, token_keys=keys)
    with pytest.raises(ConfigError, match=r"TWINWIRE_TOKEN_KEYS\.0\.key: has 3 bytes"):
        told(tmp_path, token_keys=json.dumps([{**entry("a"), "key": "AAAA"}]))


def test_it_names_the_loop_and_refuses_one_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "event loop: asyncio" in told(tmp_path, loop="asyncio")
    monkeypatch.setattr(loop, "uvloop", None)
    assert "event loop: asyncio" in told(tmp_path, loop="auto")
    with pytest.raises(ConfigError, match="uvloop"):
        told(tmp_path, loop="uvloop")


def test_it_tells_whether_there_are_traces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "traces: off" in told(tmp_path)
    monkeypatch.setitem(sys.modules, "service.operations.traces", None)
    with pytest.raises(ConfigError, match=r"twinwire\[otel\]"):
        told(tmp_path, traces=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_can_not_be_written_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="can't be written"):
        told(tmp_path)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="can't be written"):
        told(tmp_path / "none")


def test_it_looks_into_a_database_that_is_there(tmp_path: Path) -> None:
    """What a start would stumble over."""
    assert "database: will be made" in told(tmp_path)
    (tmp_path / "a.db").touch()
    assert "migrations are not applied yet" in told(tmp_path)
    migrate(tmp_path / "a.db", resource("migrations"))
    assert "database: there, and up to date" in told(tmp_path)
    connection = connect_writer(tmp_path / "a.db")
    connection.execute("UPDATE migrations SET checksum = 'x'")
    connection.close()
    with pytest.raises(MigrationError, match="edited"):
        told(tmp_path)
    (tmp_path / "a.db").write_text("text" * 1_000)
    with pytest.raises(StorageError, match="not a SQLite database"):
        told(tmp_path)
    with pytest.raises(StorageError, match="is a folder"):
        check(Settings.read({"database": tmp_path}), CONFIG)


def test_it_finds_an_address_on_which_it_could_not_listen(tmp_path: Path) -> None:
    for host, why in (("0.0.0.0", "TWINWIRE_OPEN=1"), ("192.0.2.1", "can't listen"), ("a..b", "can't listen")):
        with pytest.raises(ConfigError, match=why):
            told(tmp_path, host=host, open=host != "0.0.0.0")
    assert "port 0: fine" in told(tmp_path, port=0)
    with listen("127.0.0.1", 0, 5, 30.0) as taken:
        port = taken.getsockname()[1]
        assert f"port {port}: taken at the moment" in told(tmp_path, port=port), "it may be the service's own"


def test_it_finds_a_database_that_could_not_be_locked(tmp_path: Path) -> None:
    database = tmp_path / "a.db"
    migrate(database, resource("migrations"))
    assert "a running Twinwire" not in told(tmp_path)
    assert not (tmp_path / "a.db.lock").exists(), "nothing was made"
    with FileLock(database):
        assert "up to date; a running Twinwire has it" in told(tmp_path)
    (tmp_path / "a.db.lock").unlink()
    (tmp_path / "a.db.lock").mkdir()
    with pytest.raises(StorageError, match=r"a\.db\.lock can't be opened"):
        told(tmp_path)
    (tmp_path / "a.db.lock").rmdir()
    (tmp_path / "b.db").hardlink_to(database)
    with pytest.raises(StorageError, match="2 names"):
        told(tmp_path)


def test_it_finds_a_certificate_that_is_not_there(tmp_path: Path) -> None:
    config = tmp_path / "hypercorn.toml"
    config.write_text(f'certfile = "{tmp_path}/cert.pem"\nkeyfile = "{tmp_path}/key.pem"')
    with pytest.raises(ConfigError, match=r"cert\.pem"):
        check(Settings.read({"database": tmp_path / "a.db"}), config)


def test_it_tells_of_variables_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "unknown" not in told(tmp_path)
    monkeypatch.setenv("TWINWIRE_HOSTSS", "secret")
    monkeypatch.setenv("TWINWIRE_\x1b[2J", "1")
    text = told(tmp_path)
    assert "unknown: TWINWIRE_HOSTSS is no setting; TWINWIRE_HOSTS is" in text
    assert "unknown: TWINWIRE_\\u001b[2J is no setting" in text
    assert "secret" not in text
