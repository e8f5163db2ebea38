"""A command's token: from the environment, or from a file that may be rotated; never shown."""

from pathlib import Path

import pytest

from twinwire.command.bearer import Bearer
from twinwire.errors import TwinwireError
from twinwire.token import TOKEN_MAX


def test_a_file_beats_the_variable_and_white_space_is_none_of_it(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(" of.the.file\r\n")
    assert Bearer(" of.the.variable\n").text == "of.the.variable"
    assert Bearer("of.the.variable", file).text == "of.the.file"
    assert Bearer("").text == ""


def test_a_file_is_read_again_and_another_token_is_used(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("one")
    bearer = Bearer(file=file)
    assert not bearer.is_another()
    file.write_text("two\n")
    assert bearer.is_another()
    assert bearer.text == "two"
    assert not bearer.is_another(), "it is the same one by now"
    for bad in ("", "no token"):
        file.write_text(bad)
        assert not bearer.is_another()
    file.unlink()
    assert not bearer.is_another()
    assert bearer.text == "two"
    assert not Bearer("one").is_another(), "a variable does not change"


@pytest.mark.parametrize("text", ["two words", "a\nb", "é", "a,b", "x" * (TOKEN_MAX + 1), "=", "a\x00"])
def test_what_is_no_token_is_refused_unseen(text: str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(text)
    for make in (lambda: Bearer(text), lambda: Bearer(file=file)):
        with pytest.raises(TwinwireError, match="no token") as caught:
            make()
        assert text not in caught.value.detail
    assert Bearer("x" * TOKEN_MAX).text


def test_a_file_without_a_token_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(TwinwireError, match="empty' is empty"):
        Bearer(file=tmp_path / "empty")
    for file in (tmp_path / "none", tmp_path, Path("a\0b")):
        with pytest.raises(TwinwireError, match="can't be read"):
            Bearer(file=file)


def test_what_others_say_is_told_without_it() -> None:
    assert Bearer("a.b.c").without("you sent Bearer a.b.c") == "you sent Bearer (the token)"
    assert Bearer("").without("as it is") == "as it is"


def test_a_client_asks_for_a_file_again_and_for_a_variable_never(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("one")
    source = Bearer(file=file).source
    assert callable(source)
    file.write_text("two")
    assert source() == "one", "what was read: a file may be a pipe, and give it once"
    assert source() == "two"
    file.write_text("")
    assert source() == "two", "it is just being written"
    assert Bearer("of.the.variable").source == "of.the.variable"
    assert Bearer("").source == ""
