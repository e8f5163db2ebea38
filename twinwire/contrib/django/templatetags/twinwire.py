"""`{% load twinwire %}`: a page's part of the client."""

import json
from typing import Any, Final

from django import template
from django.core.exceptions import ImproperlyConfigured
from django.middleware.csrf import get_token
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, json_script
from django.utils.safestring import SafeString, mark_safe

from twinwire.contrib.django import conf
from twinwire.contrib.django.views import DATA_ID

register = template.Library()

_ESCAPES: Final = {ord(char): f"\\u{ord(char):04X}" for char in "<>&"}
"""What ends a script, or begins something in it, where JSON may have it otherwise."""


@register.simple_tag(takes_context=True)
def twinwire_client(context: Any, nonce: object = None, *, map: object = True) -> SafeString:
    """With it a page's modules write `import { connect } from "twinwire"`: stands before the first of them.

    It is the client of the service; where there are keys and somebody is signed in, with his tokens. `nonce` is that of
    the Content-Security-Policy; without it the one that Django or django-csp has made for this page. With
    `map=False` it writes what the module of `twinwire:client` reads, alone, which may be nothing: for a page with an
    import map of its own. Raises ImproperlyConfigured.
    """
    data = SafeString()
    module = f"{conf.public_url()}/client/index.js"
    user = _user(context) if conf.signer() is not None else None
    if user is not None:
        module = _reversed("client")
        told = {"token": _reversed("token"), "csrf": get_token(context["request"]), "group": str(user.pk)}
        data = json_script(told, DATA_ID)
    if not map:
        return data
    names = json.dumps({"imports": {"twinwire": module}}).translate(_ESCAPES)
    attribute = _nonce(context) if nonce is None else format_html(' nonce="{}"', nonce)
    return format_html('{}<script type="importmap"{}>{}</script>', data, attribute, mark_safe(names))  # noqa: S308


def _user(context: Any) -> Any:
    """None for nobody."""
    request = context.get("request")
    if request is None:
        raise ImproperlyConfigured(
            "twinwire_client needs the request: django.template.context_processors.request, and a template that is "
            "rendered with one"
        )
    user = getattr(request, "user", None)
    return user if user is not None and user.is_authenticated else None


def _reversed(name: str) -> str:
    try:
        return str(reverse(f"twinwire:{name}"))
    except NoReverseMatch as error:
        raise ImproperlyConfigured(
            'twinwire_client needs path("twinwire/", include("twinwire.contrib.django.urls")) in ROOT_URLCONF'
        ) from error


def _nonce(context: Any) -> SafeString:
    """One that is made when it is first read counts as false until then."""
    found = context.get("csp_nonce")
    if found is None:
        found = getattr(context.get("request"), "csp_nonce", None)
    return SafeString() if found is None else format_html(' nonce="{}"', str(found))
