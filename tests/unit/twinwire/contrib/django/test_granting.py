from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from tests.support.bearers import KEYS
from tests.support.tokens import SECRET
from twinwire.contrib.django.granting import FILTERS_MAX, token_for

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
    ],
)
def test_what_cant_be_granted_is_told_to_whoever_wrote_it(granted: Any, why: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=why):
        token(granted)


def test_the_longest_list_is_granted() -> None:
    assert len(claims({"publish": ["a"] * FILTERS_MAX})["publish"]) == FILTERS_MAX


def test_without_keys_there_is_none() -> None:
    with override_settings(TWINWIRE={}), pytest.raises(ImproperlyConfigured, match=r"\['TOKEN_KEYS'\] is missing"):
        token_for(REQUEST)
