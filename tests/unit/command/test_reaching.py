"""How the operator's commands reach a service: where it is, and as whom."""

from pathlib import Path

import pytest

from service.command.reaching import connect
from twinwire.errors import InvalidError


def test_variables_of_nothing_but_white_space_are_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINWIRE_TOKEN", " \r")
    client = connect(" \r", Path(" \r"))
    assert (client._connection.host, client._connection.port) == ("127.0.0.1", 8000)


def test_a_token_that_is_none_is_told_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TWINWIRE_TOKEN", "very secret")
    with pytest.raises(InvalidError, match="TWINWIRE_TOKEN holds is no token") as caught:
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
        "twinwire: the token goes to http://live.example over plain http: whoever is on the way can read it\n"
    )
