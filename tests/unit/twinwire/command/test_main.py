"""The whole command: where its parts come from, and how it ends (docs/protocol.md, section 8)."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tests.support.server import ROOT, command, environment
from tests.unit.twinwire.command.conftest import Run
from twinwire.command import main as module
from twinwire.command.main import More, commands, run_command
from twinwire.errors import TwinwireError


class StrangeError(Exception):
    detail = "told in a line"


@click.group()
def group() -> None:
    """Of another package."""


@group.command()
def strange() -> None:
    """Fails."""
    raise StrangeError


def missing() -> More | None:
    raise ModuleNotFoundError("No module named 'quart'")


def test_what_there_is_with_the_server_and_without() -> None:
    runner = CliRunner()
    assert version("twinwire") in runner.invoke(commands(missing), ["--version"]).output
    shown = runner.invoke(commands(missing), ["-h"]).output
    assert all(name in shown for name in ("publish", "tail", "who", "pip install 'twinwire[server]'", "'quart'"))
    shown = runner.invoke(commands(lambda: More(group, (StrangeError,))), ["-h"]).output
    assert "strange" in shown
    assert "publish" in shown
    assert "pip install" not in shown
    shown = runner.invoke(commands(), ["-h"]).output
    assert all(name in shown for name in ("publish", "serve", "check")), "as it is installed"


def test_nothing_is_a_question_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["twinwire"])
    with pytest.raises(SystemExit) as caught:
        run_command(lambda: None)
    assert caught.value.code == 0
    assert "Publish one event" in capsys.readouterr().out


def test_without_its_entry_point_there_is_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "entry_points", lambda group: ())
    refused = CliRunner().invoke(commands(), ["serve"])
    assert "`python -m service` has them in a checkout" in refused.output


def test_a_command_of_the_server_that_is_not_there_says_what_would_help() -> None:
    runner = CliRunner()
    refused = runner.invoke(commands(missing), ["serve"])
    assert refused.exit_code == 2
    assert "No such command 'serve'. The server's commands come with `pip install 'twinwire[server]'`" in refused.output
    unknown = runner.invoke(commands(lambda: None), ["serv"]).output
    assert "pip install" not in unknown


@pytest.mark.parametrize("content", ["", "raise RuntimeError('not now')", "not Python"])
def test_a_package_of_the_name_of_ours_is_found_out(tmp_path: Path, content: str) -> None:
    (tmp_path / "service").mkdir()
    (tmp_path / "service" / "__init__.py").write_text(content)
    program = "from twinwire.command.main import run_command; run_command()"
    done = subprocess.run(
        [sys.executable, "-c", program, "serve"],
        cwd=tmp_path,
        env=environment({"PYTHONPATH": f"{tmp_path}:{ROOT}"}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert f"The package `service` in {tmp_path / 'service'} hides the server's" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (TwinwireError("no answer"), 1, "twinwire: no answer\n"),
        (StrangeError(), 1, "twinwire: told in a line\n"),
        (click.UsageError("no such option"), 2, "twinwire: no such option\n"),
        (module.OutputError("No space left"), 1, "twinwire: standard output can't be written: No space left\n"),
        (module.UnreadError(), module.UNREAD, ""),
        (KeyboardInterrupt(), module.INTERRUPTED, "\n"),
    ],
)
def test_how_it_ends(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
    told: str,
) -> None:
    @click.group()
    def failing() -> None:
        """Of another package."""

    @failing.command()
    def fail() -> None:
        raise error

    monkeypatch.setattr(sys, "argv", ["twinwire", "fail"])
    monkeypatch.setattr(module, "forget_stdout", lambda: None)
    with pytest.raises(SystemExit) as caught:
        run_command(lambda: More(failing, (StrangeError,)))
    assert (caught.value.code, capsys.readouterr().err) == (status, told)


def test_a_fault_of_ours_is_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["twinwire", "strange"])
    with pytest.raises(StrangeError):
        run_command(lambda: More(group, ()))


@pytest.mark.parametrize(
    ("streams", "told"),
    [
        ("publish a x 1 >/dev/full", "standard output"),
        ("publish a x 1 1</dev/null", "standard output"),
        ("tail --once --after earliest >/dev/full", "standard output"),
        ("tail --once --after earliest --json >/dev/full", "standard output"),
        ("check >/dev/full", "standard output"),
        ("publish a x - 0>/dev/null", "standard input"),
        ("publish a x - <&-", "standard input"),
    ],
)
def test_a_stream_that_fails_is_one_line(url: str, run: Run, tmp_path: Path, streams: str, told: str) -> None:
    run("publish", "a", "x", "0")
    done = subprocess.run(
        ["bash", "-c", f'"$@" {streams}', "_", *command()],
        env=environment({"TWINWIRE_URL": url, "TWINWIRE_DATABASE": str(tmp_path / "a.db")}),
        capture_output=True,
        timeout=30,
        check=False,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"twinwire: {told}"), done.stderr
    assert done.stderr.count("\n") == 1
