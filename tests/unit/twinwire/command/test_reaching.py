"""What commands have in common that talk to a service: its URL, a token that is in no argument, what is told."""

import errno
import io
import logging
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from service.command.commands import server
from twinwire.command import reaching as module
from twinwire.command.bearer import Bearer
from twinwire.command.main import OWN, commands
from twinwire.command.reaching import Telling, bearer_of, connected, reaching, tell
from twinwire.errors import RefusedError, TwinwireError
from twinwire.logs import CONNECTED


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
    assert bearer_of(Path(" \r")).text == ""
    with connected(" \r", Path(" \r")):
        pass


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


def test_what_is_told_is_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    tell("a\x1b[2J")
    assert capsys.readouterr() == ("", "twinwire: a\\u001b[2J\n")


def test_no_command_takes_a_token_as_an_argument() -> None:
    """What stands in an argument, everybody on the machine can read."""
    main = commands(lambda: server)
    context = click.Context(main)
    names = main.list_commands(context)
    assert {*OWN, "revoke"} <= set(names)
    for name in names:
        command = main.get_command(context, name)
        assert command is not None
        assert "--token" not in {text for one in command.params for text in one.opts}, name


def test_a_token_that_is_none_is_told_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TWINWIRE_TOKEN", "very secret")
    with (
        pytest.raises(TwinwireError, match="TWINWIRE_TOKEN holds is no token") as caught,
        connected("http://127.0.0.1:1", None),
    ):
        pass
    assert "secret" not in caught.value.detail
    (tmp_path / "good").write_text("a.b.c")
    assert bearer_of(tmp_path / "good").text == "a.b.c"


@pytest.mark.parametrize(
    ("status", "title", "token", "told"),
    [
        (401, "Unauthorized", "", "401 no; TWINWIRE_TOKEN, or --token-file FILE, brings one"),
        (401, "Invalid token", "a.b.c", "401 no; `twinwire token --inspect` says what is wrong with it"),
        (401, "", "a.b.c", "401 no"),
        (403, "Right missing", "a.b.c", "401 no"),
    ],
)
def test_a_refusal_says_what_would_help(
    monkeypatch: pytest.MonkeyPatch, status: int, title: str, token: str, told: str
) -> None:
    """Of the service's: of what something else on the way wants it knows nothing."""
    monkeypatch.setenv("TWINWIRE_TOKEN", token)
    with pytest.raises(RefusedError) as caught, connected("http://127.0.0.1:1", None):
        raise RefusedError("401 no", status=status, title=title)
    assert (caught.value.detail, caught.value.status, caught.value.title) == (told, status, title)


def test_a_file_that_holds_no_other_token_is_what_is_the_matter(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("a.b.c")
    bearer = Bearer(file=file)
    monkeypatch.setattr(module, "bearer_of", lambda token_file: bearer)
    file.unlink()
    assert (bearer.current(), bearer.current()) == ("a.b.c", "a.b.c")
    with (
        pytest.raises(RefusedError, match=r"401 no; the token's file .* can't be read: No such file"),
        connected("http://127.0.0.1:1", file),
    ):
        raise RefusedError("401 no", status=401, title="Token expired")


def test_a_thing_is_told_once_until_something_goes_well(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("twinwire")
    before = logger.level, logger.propagate, list(logger.handlers)
    with Telling() as telling:
        for seconds in (1.0, 2.0):
            logger.info("%s; trying again in %.1f s", "no answer", seconds)
        logger.warning("another")
        telling.forget()
        logger.info("%s; trying again in %.1f s", "no answer", 3.0)
        logger.info(CONNECTED, "sse")
        logger.info("%s; trying again in %.1f s", "no answer", 4.0)
    logger.info("%s", "not any more")
    assert capsys.readouterr().err.splitlines() == [
        "twinwire: no answer; trying again in 1.0 s",
        "twinwire: another",
        "twinwire: no answer; trying again in 3.0 s",
        "twinwire: no answer; trying again in 4.0 s",
    ]
    assert (logger.level, logger.propagate, list(logger.handlers)) == before
