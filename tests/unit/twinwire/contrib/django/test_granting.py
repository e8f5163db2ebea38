from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from service.access.claims import ClaimError, read_caller, read_times
from tests.support.bearers import KEYS
from tests.support.tokens import SECRET
from twinwire.contrib.django.granting import FILTER_MAX, FILTERS_MAX, INFO_MAX, SUBJECT_MAX, token_for
from twinwire.token import TOKEN_MAX

REQUEST = SimpleNamespace(user=SimpleNamespace(pk=7, is_authenticated=True))


def token(granted: Any, **more: Any) -> str | None:
    with override_settings(TWINWIRE={"TOKEN_KEYS": KEYS, "GRANTS": lambda request: granted, **more}):
        return token_for(REQUEST)


def claims(granted: Any, **more: Any) -> dict[str, Any]:
    return jwt.decode(token(granted, **more) or "", SECRET, algorithms=["HS256"], audience=more.get("TOKEN_AUDIENCE"))


def test_it_says_who_and_what() -> None:
    found = claims({"subscribe": ["users/{sub}/**", "news/*", "**"], "publish": ()}, TOKEN_TTL=90)
    assert found.pop("exp") - found.pop("iat") == 90
    assert found == {"sub": "7", "subscribe": ["users/{sub}/**", "news/*", "**"], "publish": []}


def test_another_subject_and_an_audience() -> None:
    found = claims({"sub": "ada", "admin": True, "info": {"name": "Ada"}}, TOKEN_AUDIENCE="live")
    assert (found["sub"], found["admin"], found["info"], found["aud"]) == ("ada", True, {"name": "Ada"}, "live")


def test_nothing_is_granted() -> None:
    assert token(None) is None


@pytest.mark.parametrize(
    ("granted", "why"),
    [
        ("news/*", "gives str, where a dict or None is asked for"),
        ({"subscribed": []}, "gives 'subscribed': there are admin, ephemeral,"),
        ({"exp": 1}, "gives 'exp'"),
        ({"subscribe": "news/*"}, "gives no list of 100 filters at most as 'subscribe'"),
        ({"publish": 7}, "gives no list of 100 filters"),
        ({"publish": ["a"] * (FILTERS_MAX + 1)}, "gives no list of 100 filters"),
        ({"publish": ["a//b"]}, "gives 'a//b' as 'publish', which is no filter of topics"),
        ({"publish": ["**/a"]}, "which is no filter"),
        ({"publish": ["a b"]}, "which is no filter"),
        ({"publish": [7]}, "which is no filter"),
        ({"info": {"at": datetime(2026, 1, 1, tzinfo=UTC)}}, "gives no dict of at most 1,024 bytes in JSON as 'info'"),
    ],
)
def test_what_cant_be_granted_is_told_to_whoever_wrote_it(granted: Any, why: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=why):
        token(granted)


def served(found: dict[str, Any]) -> None:
    """As the service reads it."""
    read_caller(found, read_times(found), "a")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"sub": 7}, "gives no text of 1-128 printable characters as 'sub', which is the user's primary key unless"),
        ({"sub": None}, "as 'sub'"),
        ({"sub": ""}, "as 'sub'"),
        ({"sub": "a\n"}, "as 'sub'"),
        ({"sub": "a" * (SUBJECT_MAX + 1)}, "as 'sub'"),
        ({"admin": "yes"}, "gives neither True nor False as 'admin'"),
        ({"metrics": 1}, "gives neither True nor False as 'metrics'"),
        ({"info": "Ada"}, "gives no dict of at most 1,024 bytes in JSON as 'info'"),
        ({"info": {"a": "x" * (INFO_MAX - 7)}}, "as 'info'"),
        ({"info": {"a": float("inf")}}, "as 'info'"),
        ({"info": {"a": "\ud800"}}, "as 'info'"),
        ({"streams": -1}, "gives no number from 0 on as 'streams'"),
        ({"streams": True}, "as 'streams'"),
        ({"streams": "2"}, "as 'streams'"),
        ({"publish": ["a" * (FILTER_MAX + 1)]}, "as 'publish', which is no filter"),
        ({"publish": ["{sub}" + "a" * FILTER_MAX]}, "as 'publish', which is no filter"),
        ({"publish": ["a"] * (FILTERS_MAX + 1)}, "gives no list of 100 filters"),
    ],
)
def test_what_the_service_would_refuse_without_a_word_is_told(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(ClaimError):
        served({"sub": "7"} | wrong)
    with pytest.raises(ImproperlyConfigured, match=why):
        token(wrong)


@pytest.mark.parametrize(
    "most",
    [
        {"sub": "é" * SUBJECT_MAX},
        {"admin": False, "metrics": True},
        {"info": {"a": "x" * (INFO_MAX - 8)}},
        {"streams": 0},
        {"publish": ["a" * FILTER_MAX, "{sub}" + "a" * (FILTER_MAX - 1)]},
        {"publish": ["a"] * FILTERS_MAX},
    ],
)
def test_what_the_service_takes_is_granted(most: dict[str, Any]) -> None:
    found = claims(most)
    served(found)
    assert found | most == found


def test_a_primary_key_may_be_no_subject() -> None:
    request = SimpleNamespace(user=SimpleNamespace(pk="a" * (SUBJECT_MAX + 1), is_authenticated=True))
    why = "as 'sub', which is the user's primary key unless it is given"
    given = override_settings(TWINWIRE={"TOKEN_KEYS": KEYS, "GRANTS": lambda request: {}})
    with given, pytest.raises(ImproperlyConfigured, match=why):
        token_for(request)


def test_no_token_is_longer_than_the_service_takes() -> None:
    """Each of them one character of a filter longer than the last, until one is too long."""
    lengths: list[int] = []
    sized = (token({"publish": [*["a" * FILTER_MAX] * 29, "a" * number]}) for number in range(1, FILTER_MAX))
    with pytest.raises(ImproperlyConfigured, match=f"a token of 8,19[34] characters: at most {TOKEN_MAX:,}"):
        lengths.extend(len(made or "") for made in sized)
    assert lengths[-1] in (TOKEN_MAX - 1, TOKEN_MAX), "base64 has not every length"


def test_without_keys_there_is_none() -> None:
    with override_settings(TWINWIRE={}), pytest.raises(ImproperlyConfigured, match=r"\['TOKEN_KEYS'\] is missing"):
        token_for(REQUEST)
