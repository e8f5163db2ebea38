import json
import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured
from django.template import Context, Template
from django.test import RequestFactory, override_settings
from django.utils.functional import SimpleLazyObject

from tests.support.bearers import KEYS

ADA = SimpleNamespace(pk='7</script><b title="', is_authenticated=True)
SCRIPT = re.compile(r"<script([^>]*)>([^<]*)</script>")


class Nonce(SimpleLazyObject):
    """As Django 6 and django-csp have it: false until it is read."""

    def __init__(self) -> None:
        super().__init__(lambda: "drawn")

    def __bool__(self) -> bool:
        return False


def grants(request: object) -> dict[str, Any]:
    """Whatever."""
    return {}


@pytest.fixture(autouse=True)
def _given() -> Iterator[None]:
    with override_settings(TWINWIRE={"URL": "https://live.example", "TOKEN_KEYS": KEYS, "GRANTS": grants}):
        yield


def rendered(tag: str = "{% twinwire_client %}", user: Any = ADA, **context: Any) -> str:
    request = RequestFactory().get("/")
    request.user = user
    return Template("{% load twinwire %}" + tag).render(Context({"request": request, **context}))


def imported(text: str) -> str:
    """What `twinwire` stands for."""
    (found,) = [body for attributes, body in SCRIPT.findall(text) if "importmap" in attributes]
    return str(json.loads(found)["imports"]["twinwire"])


def test_who_is_signed_in_gets_a_module_with_tokens() -> None:
    text = rendered()
    (data,) = [body for attributes, body in SCRIPT.findall(text) if 'id="twinwire-user"' in attributes]
    told = json.loads(data)
    assert imported(text) == "/live/client.js"
    assert (told["token"], told["group"]) == ("/live/token", '7</script><b title="')
    assert len(told["csrf"]) == 64
    assert len(SCRIPT.findall(text)) == 2, "nothing of a user ends a script"


def test_nobody_gets_the_services_own() -> None:
    text = rendered(user=AnonymousUser())
    assert imported(text) == "https://live.example/client/index.js"
    assert "csrf" not in text


def test_a_page_with_a_map_of_its_own_has_the_users_part_alone() -> None:
    tag = "{% twinwire_client map=False %}"
    ((attributes, told),) = SCRIPT.findall(rendered(tag))
    assert 'id="twinwire-user"' in attributes
    assert json.loads(told)["token"] == "/live/token"
    assert rendered(tag, user=AnonymousUser()) == ""
    with override_settings(TWINWIRE={"URL": "http://a"}):
        assert rendered(tag) == ""


def test_an_open_service_needs_no_request() -> None:
    with override_settings(TWINWIRE={"URL": "http://a", "PUBLIC_URL": "/live"}):
        text = Template("{% load twinwire %}{% twinwire_client %}").render(Context())
    assert text == '<script type="importmap">{"imports": {"twinwire": "/live/client/index.js"}}</script>'


def test_a_url_ends_no_script() -> None:
    with override_settings(TWINWIRE={"URL": "https://live.example/</script><script>&"}):
        text = rendered()
    assert imported(text) == "https://live.example/</script><script>&/client/index.js"
    assert text.count("<") == 2


@pytest.mark.parametrize(
    ("tag", "context", "nonce"),
    [
        ("{% twinwire_client %}", {}, None),
        ("{% twinwire_client %}", {"csp_nonce": Nonce()}, "drawn"),
        ('{% twinwire_client nonce="given" %}', {"csp_nonce": Nonce()}, "given"),
        ("{% twinwire_client nonce=mine %}", {"mine": '"><b>'}, "&quot;&gt;&lt;b&gt;"),
    ],
)
def test_the_map_has_the_pages_nonce(tag: str, context: dict[str, Any], nonce: str | None) -> None:
    text = rendered(tag, **context)
    (attributes,) = [attributes for attributes, _ in SCRIPT.findall(text) if "importmap" in attributes]
    assert attributes == ' type="importmap"' + ("" if nonce is None else f' nonce="{nonce}"')


def test_django_csp_has_it_at_the_request() -> None:
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    request.csp_nonce = Nonce()
    text = Template("{% load twinwire %}{% twinwire_client %}").render(Context({"request": request}))
    assert ' nonce="drawn">' in text


def test_what_a_project_lacks_is_told() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"context_processors\.request"):
        Template("{% load twinwire %}{% twinwire_client %}").render(Context())
    with override_settings(ROOT_URLCONF=__name__), pytest.raises(ImproperlyConfigured, match="include"):
        rendered()


urlpatterns: list[Any] = []
"""Of a project that has not included ours."""
