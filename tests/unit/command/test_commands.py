"""The server's commands: serve, migrate and check, as a shell sees them (docs/protocol.md, section 8)."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from service.command.commands import main
from service.command.commands import server as server_commands
from service.core.errors import ConfigError, StorageError, TwinwireError
from tests.support.server import ServerProcess, run_command


def run(*args: str) -> Result:
    return CliRunner().invoke(main, args)


def error_of(*args: str) -> TwinwireError:
    """What the command ends with; `run_command` makes one line of it."""
    error = run(*args).exception
    assert isinstance(error, TwinwireError), error
    return error


@pytest.fixture(autouse=True)
def settings_from_nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DATABASE", "HOST", "PORT", "URL"):
        monkeypatch.delenv(f"TWINWIRE_{name}", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("server"), env={"TWINWIRE_LOG_LEVEL": "warning"}) as process:
        yield process


# migrate


def test_migrate_creates_applies_and_then_has_nothing_to_do(tmp_path: Path) -> None:
    first = run("migrate", "--database", str(tmp_path / "a.db"))
    assert first.exit_code == 0, first.output
    assert "applied 0001_" in first.output
    second = run("migrate", "--database", str(tmp_path / "a.db"))
    assert "applied" not in second.output
    assert "up to date" in second.output


def test_the_database_of_a_running_service_is_left_alone(server: ServerProcess) -> None:
    assert isinstance(error_of("migrate", "--database", str(server.database)), StorageError)
    answer = run_command("serve", "--port", "0", "--database", str(server.database))
    assert answer.returncode == 1
    assert "Traceback" not in answer.stderr


# check


def test_check_tells_what_it_found(tmp_path: Path) -> None:
    result = run("check", "--database", str(tmp_path / "a.db"))
    assert result.exit_code == 0, result.output
    assert "hypercorn.toml: fine" in result.output
    assert "SQLite 3." in result.output
    assert not (tmp_path / "a.db").exists(), "nothing is started or created"


def test_check_refuses_a_configuration_that_would_do_harm(tmp_path: Path) -> None:
    config = tmp_path / "hypercorn.toml"
    config.write_text("workers = 2")
    assert "workers" in error_of("check", "--config", str(config)).detail
    assert isinstance(error_of("check", "--config", str(tmp_path / "none.toml")), ConfigError)


def test_an_error_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    answer = run_command("check", "--config", "none.toml", cwd=tmp_path)
    assert (answer.returncode, answer.stdout, answer.stderr.count("\n")) == (1, "", 1)
    assert answer.stderr.startswith("twinwire: ")


def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINWIRE_PORT", "http")
    assert "TWINWIRE_PORT" in error_of("check").detail


def test_a_variable_that_is_no_json_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINWIRE_RETENTION", "[{")
    assert "TWINWIRE_RETENTION" in error_of("check").detail


# serve


def test_flags_beat_the_environment_and_a_taken_port_is_an_error(server: ServerProcess, tmp_path: Path) -> None:
    answer = run_command(
        "serve", "--port", str(server.port), "--database", str(tmp_path / "a.db"), env={"TWINWIRE_PORT": "1"}
    )
    assert answer.returncode == 1
    assert f"port {server.port}" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_the_name_of_a_database_is_shown_whatever_it_is(tmp_path: Path, encoding: str) -> None:
    """A name that is no UTF-8, or that the terminal can't show, was a traceback."""
    for name in (b"\xff.db", "\U0001f600.db".encode()):
        database = os.fsdecode(os.fsencode(tmp_path) + b"/" + name)
        for verb, told in (("migrate", "is up to date"), ("check", "database: there, and up to date")):
            answer = run_command(verb, "--database", database, env={"PYTHONIOENCODING": encoding})
            assert (answer.returncode, answer.stderr) == (0, ""), verb
            assert told in answer.stdout


def test_they_are_told_of() -> None:
    shown = run("--help").output
    assert all(name in shown for name in ("serve", "migrate", "check", "backup", "restore", "verify", "trim", "top"))
    assert server_commands.group is main
