"""`twinwire token`: what it makes is valid, what it is shown is judged, and no secret is where it should not be."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from service.access.keys import KeyRing
from service.access.tokens import TOKEN_MAX
from service.clock import SystemClock
from service.command.commands import main
from service.core.errors import ConfigError, InvalidError, TwinwireError
from service.core.time import parse_rfc3339
from tests.support.server import run_command
from tests.support.tokens import OTHER_SECRET, SECRET, b64, entry, issuer, jwk, raw, signed


def run(*args: str, input: str | None = None) -> Result:
    return CliRunner().invoke(main, ["token", *args], input=input)


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AUDIENCE", "MAX_TTL", "WITHOUT_EXP"):
        monkeypatch.delenv(f"TWINWIRE_TOKEN_{name}", raising=False)
    monkeypatch.setenv("TWINWIRE_TOKEN_KEYS", json.dumps([entry("a")]))
    monkeypatch.chdir(tmp_path)


def made(*args: str) -> str:
    result = run(*args)
    assert result.exit_code == 0, result.output
    return result.output.strip()


def inspected(text: str) -> dict[str, Any]:
    result = run("--inspect", "--json", input=f"{text}\n")
    found: dict[str, Any] = json.loads(result.output)
    assert result.exit_code == (0 if found["valid"] else 1)
    return found


# Made


def test_a_token_has_the_rights_that_are_named() -> None:
    text = made(
        *("--sub", "ada", "--subscribe", "projects/*", "--subscribe", "a", "--publish", "b", "--project", "42"),
        *("--run", "projects/7"),
        *("--presence", "rooms/*", "--ephemeral", "c", "--metrics", "--info", '{"name":"é"}', "--ttl", "10m"),
    )
    found = inspected(text)
    assert found["valid"]
    assert found["subject"] == "ada"
    assert found["subscribe"] == ["projects/*", "a", "projects/42", "projects/42/**"]
    assert found["publish"] == ["b", "projects/42", "projects/42/**"]
    assert (found["presence"], found["ephemeral"]) == (["rooms/*"], ["c"])
    assert found["run"] == ["projects/7"]  # and not what --project names
    assert (found["admin"], found["metrics"], found["info"]) == (False, True, {"name": "é"})
    assert (found["key"], len(found["id"])) == ("a", 22)
    assert 599_000 <= parse_rfc3339(found["expires"]) - parse_rfc3339(found["issued"]) <= 600_000


def test_without_more_it_is_for_an_hour_and_may_nothing() -> None:
    found = inspected(made("--sub", "ada"))
    assert 3_599_000 <= parse_rfc3339(found["expires"]) - parse_rfc3339(found["issued"]) <= 3_600_000
    assert [found[name] for name in ("subscribe", "publish", "presence", "ephemeral", "run")] == [[], [], [], [], []]
    assert not found["admin"]


def test_as_json_its_end_and_claims_stand_beside_it() -> None:
    found = json.loads(made("--admin", "--json", "--aud", "us"))
    assert found["claims"]["admin"] is True
    assert found["claims"]["aud"] == "us"
    assert parse_rfc3339(found["expires"]) == found["claims"]["exp"] * 1000
    assert inspected(found["token"])["admin"]


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1.5h", 5_400), ("1d", 86_400), ("1", 1)]
)
def test_a_time_has_a_unit(text: str, seconds: float) -> None:
    found = json.loads(made("--sub", "a", "--json", "--ttl", text))["claims"]
    assert seconds - 1 < found["exp"] - found["iat"] <= seconds


@pytest.mark.parametrize("text", ["", "m", "-1m", "1w", "1m1s", "inf", "1e3", "٣", "1m\n", "9" * 10])
def test_what_is_no_time_is_an_error_of_the_command_line(text: str) -> None:
    result = run("--sub", "a", "--ttl", text)
    assert result.exit_code == 2
    assert "--ttl" in result.output


def test_what_the_service_would_not_take_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "over TWINWIRE_TOKEN_MAX_TTL" in run("--sub", "a", "--ttl", "25h").output
    monkeypatch.setenv("TWINWIRE_TOKEN_MAX_TTL", "100000")
    assert inspected(made("--sub", "a", "--ttl", "25h"))["valid"]
    assert "Name --sub" in run().output
    assert "--info is not JSON" in run("--sub", "a", "--info", "{").output
    for args in (("--subscribe", "a//b"), ("--project", "a/**/b"), ("--sub", ""), ("--info", "[]"), ("--ttl", "0.5")):
        assert isinstance(run("--sub", "a", *args).exception, InvalidError), args


def test_it_is_for_this_service_unless_another_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINWIRE_TOKEN_AUDIENCE", "us")
    assert inspected(made("--sub", "a"))["valid"]
    assert inspected(made("--sub", "a", "--aud", "them"))["reason"] == "audience"


def test_an_issuers_secret_signs_as_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINWIRE_TOKEN_KEYS", json.dumps([entry("a"), entry("b", OTHER_SECRET, iss="them")]))
    assert inspected(made("--sub", "a"))["key"] == "a"
    assert inspected(made("--sub", "a", "--iss", "them"))["key"] == "b"
    assert isinstance(run("--sub", "a", "--iss", "nobody").exception, ConfigError)


def test_without_a_key_none_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TWINWIRE_TOKEN_KEYS")
    error = run("--sub", "a").exception
    assert isinstance(error, ConfigError)
    assert "no key signs" in error.detail


# Keys


def test_a_key_that_is_made_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = made("--new-key"), made("--new-key")
    assert first != second
    (one,) = json.loads(first)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d-[0-9a-f]{4}", one["kid"])
    assert len(KeyRing.read(first, SystemClock()).signer().material) == 32  # type: ignore[arg-type]
    monkeypatch.setenv("TWINWIRE_TOKEN_KEYS", first)
    text = made("--sub", "ada")
    assert inspected(text)["key"] == one["kid"]
    monkeypatch.setenv("TWINWIRE_TOKEN_KEYS", second)
    assert inspected(text)["reason"] == "key"


def test_a_key_is_made_whatever_the_settings_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINWIRE_TOKEN_KEYS", "[")
    monkeypatch.setenv("TWINWIRE_PORT", "x")
    assert json.loads(made("--new-key"))


# Inspected


def test_a_token_is_read_from_where_it_is_said(tmp_path: Path) -> None:
    text = made("--sub", "ada")
    file = tmp_path / "token"
    file.write_text(f"{text}\n")
    for args, input in (
        (["--inspect"], text),
        (["--inspect", "-"], f" {text}\n"),
        (["--inspect", str(file)], None),
        (["--inspect", text], None),
    ):
        result = run(*args, input=input)
        assert result.exit_code == 0
        assert result.output.startswith("valid\nsubject: ada\n")
        assert "subscribe: nothing\n" in result.output


def test_why_it_is_not_valid_is_told() -> None:
    header = {"alg": "HS256", "kid": "a"}
    for text, why in (
        (raw(header, {"exp": 1}), "not valid (expired): it ended at 1970-01-01T00:00:01.000Z\n"),
        (raw(header, {"exp": 1}, OTHER_SECRET), "not valid (signature): "),
        (raw(header, {"sub": "a"}), "not valid (claims): exp is missing\n"),
        ("x", "not valid (malformed): "),
        ("", "not valid (malformed): "),
        ("\x1b[2J\xff", "not valid (malformed): "),
        ("x" * 10 * TOKEN_MAX, "not valid (malformed): "),
    ):
        result = run("--inspect", input=text)
        assert result.exit_code == 1
        assert result.output.startswith(why), result.output


def test_without_keys_none_is_valid_and_that_is_why(monkeypatch: pytest.MonkeyPatch) -> None:
    text = made("--sub", "a")
    monkeypatch.delenv("TWINWIRE_TOKEN_KEYS")
    assert inspected(text)["why"] == "TWINWIRE_TOKEN_KEYS is not set, so there are no keys"


def test_settings_of_tokens_hold_here_too(monkeypatch: pytest.MonkeyPatch) -> None:
    text = raw({"alg": "HS256", "kid": "a"}, {"sub": "ada"})
    assert inspected(text)["reason"] == "claims"
    monkeypatch.setenv("TWINWIRE_TOKEN_WITHOUT_EXP", "true")
    assert inspected(text)["expires"] is None


def test_keys_of_an_issuer_are_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    now = SystemClock().unix_ms() // 1000
    claims = {"sub": "ada", "iss": "them", "aud": "us", "iat": now, "exp": now + 600}
    text = signed(claims, "rsa", "RS256", kid="one")
    monkeypatch.setenv("TWINWIRE_TOKEN_AUDIENCE", "us")
    with issuer() as origin:
        monkeypatch.setenv(
            "TWINWIRE_TOKEN_KEYS", json.dumps([entry("a"), {"iss": "them", "alg": "RS256", "jwks": origin.url}])
        )
        origin.shows(jwk("rsa", "one"))
        assert inspected(text)["subject"] == "ada"
        assert inspected(made("--sub", "a"))["valid"]
        assert origin.asked == 1, "for its own tokens alone"
        assert inspected(signed(claims, "rsa", "RS256", 1, kid="two"))["reason"] == "key"
        origin.status = 404
        assert inspected(text) == {"valid": False, "reason": "unavailable", "why": "it answers 404"}


def test_the_argument_is_not_shown(tmp_path: Path) -> None:
    for where in ("sEcReT", "eyJsEcReT.x", "sEcReT" * 100, str(tmp_path), "sEcReT\n.a.b"):
        error = run("--inspect", where).exception
        assert isinstance(error, TwinwireError)
        assert "sEcReT" not in error.detail
    assert "sEcReT" not in run("--inspect", "eyJsEcReT.x.x").output


def test_what_others_wrote_does_not_steer_the_terminal() -> None:
    now = SystemClock().unix_ms() // 1000
    text = raw({"alg": "HS256", "kid": "a"}, {"exp": now + 600, "iat": now, "info": {"a": "\x9b2J\u202e"}})
    assert "\\u009b2J\\u202e" in run("--inspect", input=text).output


def test_as_a_shell_sees_it(tmp_path: Path) -> None:
    env = {"TWINWIRE_TOKEN_KEYS": str(tmp_path / "keys.json")}
    (tmp_path / "keys.json").write_text(json.dumps([entry("a")]))
    done = run_command("token", "--sub", "ada", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert run_command("token", "--inspect", done.stdout.strip(), env=env).returncode == 0
    refused = run_command("token", "--inspect", done.stdout.strip() + "x", env=env)
    assert (refused.returncode, refused.stderr) == (1, "")
    assert refused.stdout.startswith("not valid (signature)")
    (tmp_path / "keys.json").write_text(json.dumps([{**entry("a"), "key": b64(SECRET) + "!"}]))
    broken = run_command("token", "--sub", "ada", env=env)
    assert (broken.returncode, broken.stderr) == (
        1,
        "twinwire: TWINWIRE_TOKEN_KEYS.0.key: is not base64url: A-Z a-z 0-9 - _\n",
    )
