import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.test import RequestFactory, override_settings
from django.urls import resolve

from tests.support.bearers import KEYS
from tests.support.needs import program
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
    assert (b'"token": "' in answer.content) is (status == 200)
    assert (b'"token": null' in answer.content) is (has_csrf and status in (401, 403))
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


SERVICES = "export const connect = (options) => options;\nexport const version = 7;\n"
"""In place of the service's client: what it is asked to open is told."""

PAGE = """\
const [element, status, body] = JSON.parse(process.argv[2]);
const asked = [];
globalThis.document = { getElementById: (id) => (id === "twinwire-user" && element ? { textContent: element } : null) };
globalThis.fetch = async (url, { body: sent }) => (asked.push([url, String(sent)]), new Response(body, { status }));
const { connect, getToken, version } = await import("./module.js");
const { getToken: own = null, ...options } = connect({ topics: "news" });
const token = await getToken().catch((error) => ({ error: error.message }));
console.log(JSON.stringify({ options, isOwn: own === getToken, token, asked, version }));
"""


def loaded(folder: Path, element: str | None, answer: HttpResponse) -> dict[str, Any]:
    """What the module does on a page with this element, where its question has this answer."""
    with override_settings(TWINWIRE={"URL": "https://live.example", "PUBLIC_URL": str(folder)}):
        module = client(RequestFactory().get("/live/client.js")).content.decode()
    (folder / "client").mkdir()
    texts = {"package.json": '{"type": "module"}', "client/index.js": SERVICES, "module.js": module, "page.js": PAGE}
    for name, text in texts.items():
        (folder / name).write_text(text)
    told = json.dumps([element, answer.status_code, answer.content.decode()])
    done = subprocess.run([program("node"), str(folder / "page.js"), told], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


USER = json.dumps({"token": "/live/token", "csrf": "abc", "group": "7"})


def test_the_module_asks_for_who_is_signed_in(tmp_path: Path) -> None:
    answer = asked(ADA)
    assert loaded(tmp_path, USER, answer) == {
        "options": {"topics": "news", "tabs": {"group": "7"}},
        "isOwn": True,
        "token": json.loads(answer.content)["token"],
        "asked": [["/live/token", "csrfmiddlewaretoken=abc"]],
        "version": 7,
    }


def test_without_the_element_it_is_the_client_as_it_is(tmp_path: Path) -> None:
    found = loaded(tmp_path, None, asked(ADA))
    assert found == {"options": {"topics": "news"}, "isOwn": False, "token": None, "asked": [], "version": 7}


@pytest.mark.parametrize(
    ("answer", "token"),
    [
        (lambda: asked(AnonymousUser()), None),
        (lambda: asked(BOB), None),
        (lambda: asked(ADA, has_csrf=False), {"error": "no token: 403"}),
        (lambda: JsonResponse({"detail": "as a CSRF_FAILURE_VIEW has it"}, status=403), {"error": "no token: 403"}),
        (lambda: HttpResponse("<h1>Server Error (500)</h1>", status=500), {"error": "no token: 500"}),
    ],
)
def test_only_the_view_says_that_there_is_no_token(tmp_path: Path, answer: Any, token: object) -> None:
    """Anything else passes, or takes another page: the client does not take it for nobody."""
    assert loaded(tmp_path, USER, answer())["token"] == token


def test_a_url_is_no_program() -> None:
    with override_settings(TWINWIRE={"URL": 'https://live.example/"+alert(1)+"'}):
        text = client(RequestFactory().get("/live/client.js")).content.decode()
    assert r'"https://live.example/\"+alert(1)+\"/client/index.js"' in text


def test_where_they_are() -> None:
    assert (resolve("/live/token").func, resolve("/live/client.js").func) == (token, client)
