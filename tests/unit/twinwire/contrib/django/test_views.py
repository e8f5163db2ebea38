import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.middleware.csrf import get_token
from django.test import RequestFactory, override_settings
from django.urls import resolve

from tests.support.bearers import KEYS
from tests.support.tokens import SECRET
from twinwire.contrib.django.views import client, token

ADA = SimpleNamespace(pk=7, is_authenticated=True)
BOB = SimpleNamespace(pk=8, is_authenticated=True)


def grants(request: Any) -> dict[str, Any] | None:
    """Ada reads her own; there is nothing for anybody else."""
    return {"subscribe": ["users/{sub}/**"]} if request.user is ADA else None


@pytest.fixture(autouse=True)
def _given() -> Iterator[None]:
    with override_settings(TWINWIRE={"URL": "https://live.example", "TOKEN_KEYS": KEYS, "GRANTS": grants}):
        yield


def asked(user: Any, method: str = "post", *, has_csrf: bool = True) -> HttpResponse:
    """As a page asks: with the token that it was rendered with, and the cookie beside it."""
    factory = RequestFactory(enforce_csrf_checks=True)
    rendered = factory.get("/")
    secret = get_token(rendered)
    request = getattr(factory, method)("/live/token", {"csrfmiddlewaretoken": secret} if has_csrf else {})
    request.COOKIES["csrftoken"] = rendered.META["CSRF_COOKIE"]
    if user is not None:
        request.user = user
    return token(request)


def test_who_is_signed_in_gets_a_token() -> None:
    answer = asked(ADA)
    claims = jwt.decode(json.loads(answer.content)["token"], SECRET, algorithms=["HS256"])
    assert answer.status_code == 200
    assert (claims["sub"], claims["subscribe"]) == ("7", ["users/{sub}/**"])


@pytest.mark.parametrize(
    ("user", "method", "has_csrf", "status"),
    [
        (ADA, "post", True, 200),
        (AnonymousUser(), "post", True, 401),
        (BOB, "post", True, 403),
        (ADA, "post", False, 403),
        (ADA, "get", True, 405),
    ],
)
def test_no_answer_is_kept(user: Any, method: str, has_csrf: bool, status: int) -> None:
    answer = asked(user, method, has_csrf=has_csrf)
    assert answer.status_code == status
    assert "no-store" in answer["Cache-Control"]
    assert (b'"token"' in answer.content) is (status == 200)
    assert answer.has_header("WWW-Authenticate") is (status == 401)


def test_a_project_that_knows_no_users_is_told() -> None:
    with pytest.raises(ImproperlyConfigured, match="AuthenticationMiddleware"):
        asked(None)


@pytest.mark.parametrize("view", [token, client])
def test_no_view_leads_to_a_login(view: Any) -> None:
    """`LoginRequiredMiddleware` would answer with a page, and 200."""
    assert view.login_required is False


def test_the_module_is_the_services_client() -> None:
    answer = client(RequestFactory().get("/live/client.js"))
    text = answer.content.decode()
    assert answer["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer["Cache-Control"] == "max-age=300"
    assert 'export * from "https://live.example/client/index.js";' in text
    assert "%" not in text


def test_a_url_is_no_program() -> None:
    with override_settings(TWINWIRE={"URL": 'https://live.example/"+alert(1)+"'}):
        text = client(RequestFactory().get("/live/client.js")).content.decode()
    assert r'"https://live.example/\"+alert(1)+\"/client/index.js"' in text


def test_where_they_are() -> None:
    assert (resolve("/live/token").func, resolve("/live/client.js").func) == (token, client)
