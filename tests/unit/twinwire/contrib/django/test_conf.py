import json
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

import twinwire
from tests.support.bearers import KEYS
from tests.support.tokens import SECRET
from twinwire.contrib.django import conf

OURS = Path(twinwire.__file__).parent
OF_A_SECRET = '[{"alg": "HS256", "key": "secret"}]'


def nothing(request: object) -> None:
    """Is granted."""


HERE = f"{__name__}.nothing"


def given(**values: Any) -> Any:
    return override_settings(TWINWIRE=values)


def test_where_the_service_is() -> None:
    with given(URL="https://live.example/below/"):
        assert conf.url() == conf.public_url() == "https://live.example/below"
    with given(URL="http://twinwire:8000", PUBLIC_URL="/live/"):
        assert (conf.url(), conf.public_url()) == ("http://twinwire:8000", "/live")
    with given(URL="http://twinwire:8000", PUBLIC_URL="https://live.example"):
        assert conf.public_url() == "https://live.example"


def test_the_environment_is_asked_for_what_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("URL", "http://from.env"), ("TOKEN_KEYS", KEYS), ("TOKEN_AUDIENCE", "live"), ("TOKEN", "a.b")):
        monkeypatch.setenv(f"TWINWIRE_{name}", value)
    with given(GRANTS=HERE):
        assert (conf.url(), conf.audience(), conf.relay_token()) == ("http://from.env", "live", "a.b")
        assert conf.signer() is not None
    with given(URL="http://from.dict"):
        assert conf.url() == "http://from.dict"


def test_an_open_service_needs_its_url_alone() -> None:
    with given(URL="http://127.0.0.1:8000"):
        assert [read() for read in conf.SETTINGS[3:]] == [None, None, conf.TTL, None, None]


def test_keys_sign_and_somebody_says_who_may_what() -> None:
    with given(TOKEN_KEYS=json.loads(KEYS), GRANTS=HERE):
        assert conf.grants() is nothing
    with given(TOKEN_KEYS=KEYS, GRANTS=nothing, TOKEN_TTL=conf.TTL_MIN):
        assert conf.grants() is nothing
        assert conf.ttl() == conf.TTL_MIN


def test_the_relay_makes_its_token_if_it_is_given_none() -> None:
    with given(TOKEN_KEYS=KEYS, TOKEN_AUDIENCE="live"):
        made = conf.relay_token()
    assert callable(made)
    claims = jwt.decode(str(made()), SECRET, algorithms=["HS256"], audience="live")
    assert (claims["publish"], claims["exp"] - claims["iat"]) == (["**"], conf.RELAY_TTL)
    with given(TOKEN_KEYS=KEYS, TOKEN=made):
        assert conf.relay_token() is made


@pytest.mark.parametrize(
    ("values", "read", "why"),
    [
        ({"GRANT": HERE}, conf.known, "TWINWIRE has no 'GRANT': there are URL,"),
        ({"GRANT": HERE, "TOKEN": "secret"}, conf.known, "TWINWIRE has no 'GRANT'"),
        ({}, conf.url, r"TWINWIRE\['URL'\] is missing, as TWINWIRE_URL is"),
        ({"URL": "live.example"}, conf.url, r"TWINWIRE\['URL'\] is no http or https URL"),
        ({"URL": "ftp://live.example"}, conf.url, "is no http or https URL"),
        ({"URL": "http://"}, conf.url, "is no http or https URL"),
        ({"URL": "http://live:port"}, conf.url, "is no http or https URL"),
        ({"URL": "http://me:secret@live"}, conf.url, "without a password"),
        ({"URL": "http://live?a=secret"}, conf.url, "without a password and a query"),
        ({"URL": 7}, conf.url, "is no http or https URL"),
        ({"URL": "http://a", "PUBLIC_URL": "//live"}, conf.public_url, r"TWINWIRE\['PUBLIC_URL'\] is no http"),
        ({"TOKEN_KEYS": "["}, conf.signer, r"TWINWIRE\['TOKEN_KEYS'\] is not JSON"),
        ({"TOKEN_KEYS": OF_A_SECRET}, conf.signer, r"TWINWIRE\['TOKEN_KEYS'\] has a `key` of 4 bytes"),
        ({"TOKEN_KEYS": json.loads(OF_A_SECRET)}, conf.grants, r"TWINWIRE\['TOKEN_KEYS'\] has a `key` of 4 bytes"),
        ({"TOKEN_KEYS": OF_A_SECRET}, conf.relay_token, r"TWINWIRE\['TOKEN_KEYS'\] has a `key` of 4 bytes"),
        ({"TOKEN_AUDIENCE": 7}, conf.audience, r"TWINWIRE\['TOKEN_AUDIENCE'\] is no text"),
        (
            {"TOKEN_TTL": conf.TTL_MIN - 1},
            conf.ttl,
            r"TWINWIRE\['TOKEN_TTL'\] is no number of seconds from 30 to 86,400",
        ),
        ({"TOKEN_TTL": conf.TTL_MAX + 1}, conf.ttl, "is no number of seconds"),
        ({"TOKEN_TTL": "600"}, conf.ttl, "is no number of seconds"),
        ({"TOKEN_TTL": True}, conf.ttl, "is no number of seconds"),
        ({"TOKEN_KEYS": KEYS}, conf.grants, r"TWINWIRE\['GRANTS'\] is missing, and TOKEN_KEYS is there"),
        ({"TOKEN_KEYS": KEYS, "GRANTS": "shop.none.grants"}, conf.grants, r"\['GRANTS'\] can't be imported: No module"),
        ({"TOKEN_KEYS": KEYS, "GRANTS": f"{__name__}.HERE"}, conf.grants, r"\['GRANTS'\] is neither a function"),
        ({"TOKEN": "secret with spaces"}, conf.relay_token, r"TWINWIRE\['TOKEN'\] is no token"),
        ({"TOKEN": 7}, conf.relay_token, r"TWINWIRE\['TOKEN'\] is neither a token nor a function"),
    ],
)
def test_what_is_wrong_is_told_by_its_name(values: dict[str, Any], read: Any, why: str) -> None:
    with given(**values), pytest.raises(ImproperlyConfigured, match=why) as refused:
        read()
    shown = [str(refused.value), *variables(refused.value)]
    assert len(shown) > 1
    assert not [text for text in shown if "secret" in text]


def variables(error: BaseException | None) -> Iterator[str]:
    """Of our functions, as a report of the error shows them: those that it has passed, and its causes have."""
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if Path(frame.f_code.co_filename).is_relative_to(OURS):
                yield from map(repr, frame.f_locals.values())
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def test_it_is_a_dict() -> None:
    with override_settings(TWINWIRE="http://live"), pytest.raises(ImproperlyConfigured, match="and not str"):
        conf.known()
