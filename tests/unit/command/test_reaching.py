"""What commands have in common that talk to a service: its URL, and a token that is in no argument."""

import errno
import io
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from service.command.commands import main
from service.command.reaching import connect, reaching, tell
from service.core.errors import TwinwireError


@click.command()
@reaching
def shown(url: str, token_file: Path | None) -> None:
    click.echo(f"{url} {token_file}")


def run(*args: str, **env: str) -> Result:
    return CliRunner().invoke(shown, args, env=env)


def test_flags_beat_variables_and_empty_ones_are_unset() -> None:
    env = {"TWINWIRE_URL": "http://a", "TWINWIRE_TOKEN_FILE": "b"}
    assert run(**env).output == "http://a b\n"
    assert run("--url", "http://c", "--token-file", "d", **env).output == "http://c d\n"
    assert run(TWINWIRE_URL="", TWINWIRE_TOKEN_FILE="").output == "http://127.0.0.1:8000 None\n"


def test_variables_of_nothing_but_white_space_are_unset_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINWIRE_TOKEN", " \r")
    client = connect(" \r", Path(" \r"))
    assert (client._connection.host, client._connection.port) == ("127.0.0.1", 8000)


def test_who_is_not_heard_is_told_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Closed, what belongs to standard error went to standard output; full or broken, it ended whoever followed."""
    monkeypatch.setattr(sys, "stderr", None)
    tell("trying again")
    assert capsys.readouterr().out == ""
    for error in (BrokenPipeError(), OSError(errno.ENOSPC, "full")):

        class Failing(io.StringIO):
            def write(self, text: str, error: OSError = error) -> int:
                raise error

        monkeypatch.setattr(sys, "stderr", Failing())
        tell("trying again")


def test_no_command_takes_a_token_as_an_argument() -> None:
    """What stands in an argument, everybody on the machine can read."""
    for name, command in main.commands.items():
        options = {text for one in command.params for text in one.opts}
        assert "--token" not in options, name


def test_a_token_that_is_none_is_told_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TWINWIRE_TOKEN", "very secret")
    with pytest.raises(TwinwireError, match="TWINWIRE_TOKEN holds is no token") as caught:
        connect("http://127.0.0.1:1", None)
    assert "secret" not in caught.value.detail
    (tmp_path / "good").write_text("a.b.c")
    connect("http://127.0.0.1:1", tmp_path / "good")


def test_a_token_over_plain_http_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("TWINWIRE_TOKEN", raising=False)
    connect("http://live.example", None)
    monkeypatch.setenv("TWINWIRE_TOKEN", "a.b.c")
    connect("https://live.example", None)
    connect("http://127.0.0.1:8000", None)
    assert capsys.readouterr().err == ""
    connect("http://live.example", None)
    assert capsys.readouterr().err == (
        "twinwire: the token goes to live.example over plain http: whoever is on the way can read it\n"
    )


def test_what_is_told_is_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    tell("a\x1b[2J")
    assert capsys.readouterr() == ("", "twinwire: a\\u001b[2J\n")
