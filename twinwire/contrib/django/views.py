"""For pages: a token for who is signed in, and the module that asks for it.

A token, and not a ticket of the service: a ticket opens one stream, once, and a page renews what it has while its
stream goes on. With a token the client does all of that by itself, makes tickets where an EventSource needs one, and
Django asks nobody: it signs.
"""

import json
from typing import Any, Final

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse, JsonResponse
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_POST, require_safe

from twinwire.contrib.django import conf
from twinwire.contrib.django.granting import token_for

DATA_ID: Final = "twinwire-user"
"""Of the page's element with what the module needs: the tag `twinwire_client` writes it."""

MODULE_AGE: Final = 300
"""Seconds for which a browser keeps the module: it changes with the settings alone."""

_MODULE: Final = """\
import { connect as open } from %URL%;
export * from %URL%;

/** Null: nobody is signed in. */
const read = () => JSON.parse(document.getElementById("%ID%")?.textContent ?? "null");

export async function getToken() {
  const user = read();
  if (user === null) return null;
  const body = new URLSearchParams({ csrfmiddlewaretoken: user.csrf });
  const answer = await fetch(user.token, { method: "POST", body, credentials: "same-origin", redirect: "error" });
  const { token } = await answer.json().catch(() => ({}));
  // Only the view says null: nobody is signed in any more, or may anything. A 403 for the CSRF token does not.
  if (token === undefined) throw new Error(`no token: ${answer.status}`);
  return token;
}

export const connect = (options) => {
  const user = read();
  return open(user === null ? options : { getToken, tabs: { group: user.group }, ...options });
};
"""
"""The client with the project's session: `connect` of the page takes the place of its own. Without the element it is
the client as it is, so that a page's own import map can name it whoever looks."""


@never_cache
@login_not_required  # which would lead to a page, where a program asks
@require_POST
@csrf_protect
def token(request: Any) -> HttpResponse:
    """`{"token": ...}` for who is signed in; null with 401 for nobody, with 403 for whom GRANTS gives nothing: other
    refusals, as that of CSRF after another login, have none. Raises ImproperlyConfigured."""
    user = getattr(request, "user", None)
    if user is None:
        raise ImproperlyConfigured("the token's view needs django.contrib.auth.middleware.AuthenticationMiddleware")
    if not user.is_authenticated:
        answer = JsonResponse({"token": None, "detail": "nobody is signed in"}, status=401)
        answer["WWW-Authenticate"] = "Cookie"  # a 401 names what helps (RFC 9110, 15.5.2)
        return answer
    made = token_for(request)
    if made is None:
        return JsonResponse({"token": None, "detail": "there is nothing that this user may"}, status=403)
    return JsonResponse({"token": made})


@cache_control(max_age=MODULE_AGE)
@login_not_required
@require_safe
def client(request: Any) -> HttpResponse:
    """The browser client, whose `connect` asks `token` for its tokens. Raises ImproperlyConfigured."""
    text = _MODULE.replace("%URL%", json.dumps(f"{conf.public_url()}/client/index.js")).replace("%ID%", DATA_ID)
    return HttpResponse(text, content_type="text/javascript; charset=utf-8")
