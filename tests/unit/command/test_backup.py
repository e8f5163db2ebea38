"""`twinwire backup`, `restore` and `verify` as a shell sees them; what they do is tested in log/sqlite."""

import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from service.command.commands import main
from service.core.errors import StorageError, TwinwireError
from service.log.sqlite.migrate import migrate
from tests.support.databases import MIGRATIONS, NEWEST, change, make_older, rows
from tests.support.server import ROOT, command, environment


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Named by the environment, of which the commands know."""
    path = tmp_path / "twinwire.db"
    make_older(path, NEWEST)
    monkeypatch.setenv("TWINWIRE_DATABASE", str(path))
    return path


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(main, list(map(str, args)))


def done(*args: str | Path) -> Result:
    result = run(*args)
    assert result.exit_code == 0, (result.output, result.exception)
    return result


def error_of(*args: str | Path) -> TwinwireError:
    error = run(*args).exception
    assert isinstance(error, TwinwireError), error
    return error


def test_a_way_there_and_back(tmp_path: Path, database: Path) -> None:
    backup = tmp_path / "b.db"
    result = done("backup", backup)
    assert result.stdout.startswith(f"{backup}: 10 events up to offset 10, 0.")
    assert "twinwire: copying: 100 %, 10 of 10" in result.stderr
    change(database, "DELETE FROM events")
    assert "--force" in error_of("restore", backup).detail
    result = done("restore", backup, "--force")
    assert f"{database}: restored, 10 events up to offset 10, the newest of 2023-11-14T" in result.stdout
    assert "(gap, epoch)" in result.stdout
    assert "tokens that were revoked after the backup was made are good again" in result.stderr
    assert "--revoke-all" in result.stderr
    assert rows(database, "SELECT count(*) FROM events") == [(10,)]
    done("restore", backup, "--database", tmp_path / "other.db")
    assert rows(tmp_path / "other.db", "SELECT count(*) FROM events") == [(10,)]


def test_signals_are_whose_they_were(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    done("backup", tmp_path / "b.db")
    assert isinstance(error_of("backup", tmp_path / "b.db"), StorageError)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_verify_tells_what_is_there_by_its_status_too(tmp_path: Path, database: Path) -> None:
    done("backup", tmp_path / "b.db")
    text = done("verify", tmp_path / "b.db").stdout
    assert text.splitlines() == [
        "epoch: oldepoch, and another one once it is opened",
        "events: 10, offsets 1 to 10, the newest of 2023-11-14T22:13:20.010Z; the log's head is 10",
        "topics: 2",
        f"migrations: {NEWEST}, up to date",
        f"{tmp_path / 'b.db'} is whole",
    ]
    assert f"{database} is whole" in done("verify").stdout, "the service's own, without FILE"
    change(
        tmp_path / "b.db",
        "UPDATE events SET prev = 9 WHERE offset = 10",
        "UPDATE topics SET name = char(27) WHERE id = 2",
    )
    result = run("verify", tmp_path / "b.db")
    assert result.exit_code == 1
    assert "\x1b" not in result.output
    assert "fault: event 9 on \\u001b is missing, which 10 follows" in result.stdout
    assert result.stdout.splitlines()[-1] == f"{tmp_path / 'b.db'} is damaged"


def test_verify_tells_of_one_that_nobody_has_opened(tmp_path: Path) -> None:
    migrate(tmp_path / "new.db", MIGRATIONS)
    lines = done("verify", tmp_path / "new.db").stdout.splitlines()
    assert lines[:2] == ["epoch: none yet, it was never opened", "events: 0; the log's head is 0"]
    make_older(tmp_path / "old.db", 1)
    assert f"migrations: 1, {NEWEST - 1} are not applied yet" in done("verify", tmp_path / "old.db").stdout


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    assert "there is no database" in error_of("verify", tmp_path / "x.db").detail
    assert "there is no database" in error_of("backup", tmp_path / "b.db", "--database", tmp_path / "x.db").detail
    assert "there is no backup" in error_of("restore", tmp_path / "x.db").detail
    assert not (tmp_path / "x.db").exists()


def revocations(database: Path) -> list[tuple[object, ...]]:
    return rows(
        database,
        "SELECT events.offset, prev, type, data ->> 'before' FROM events"
        " JOIN topics ON topics.id = topic WHERE name = 'twinwire/revocations'",
    )


@pytest.mark.parametrize("applied", [1, NEWEST])
def test_all_tokens_are_revoked_where_that_is_said(tmp_path: Path, database: Path, applied: int) -> None:
    """In a backup of an older program too, which is brought up to date for it."""
    make_older(tmp_path / "b.db", applied)
    result = done("restore", tmp_path / "b.db", "--force", "--revoke-all")
    assert "every token that was issued so far is revoked" in result.stdout
    assert "good again" not in result.stderr
    ((offset, prev, type, before),) = revocations(database)
    assert (offset, prev, type) == (11, 0, "all")
    assert isinstance(before, int)
    assert before > 1_700_000_000_000
    assert [path.name for path in tmp_path.glob("twinwire.db*")] == ["twinwire.db", "twinwire.db.lock"]
    assert rows(database, "SELECT epoch FROM log") != [("oldepoch",)]
    assert done("verify").exit_code == 0
    done("restore", tmp_path / "b.db", "--force", "--no-revoke-all")
    assert revocations(database) == []


@pytest.mark.parametrize(("answer", "is_revoked"), [("y", True), ("n", False), ("", False)])
def test_a_terminal_is_asked(tmp_path: Path, database: Path, answer: str, is_revoked: bool) -> None:
    done("backup", tmp_path / "b.db")
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    result = subprocess.run(
        command("restore", str(tmp_path / "b.db"), "--force"),
        env=environment(),
        cwd=ROOT,
        stdin=theirs,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(theirs)
    os.close(ours)
    assert result.returncode == 0, result.stderr
    assert "Revoke every token that was issued so far, the good ones too? [y/N]" in result.stderr
    assert len(revocations(database)) == is_revoked
