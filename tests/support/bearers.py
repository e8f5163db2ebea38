"""Tokens for a real server, and a server that knows their key."""

import json
import time
from typing import Any, Final

import jwt

from tests.support.http import Response, request
from tests.support.tokens import SECRET, entry

KEYS: Final = json.dumps([entry()])
"""A value of `TWINWIRE_TOKEN_KEYS`."""

LIFETIME: Final = 80_000.0
"""Seconds of a token: longer than any run of tests, since modules make theirs when they are imported, and below the
86,400 of TWINWIRE_TOKEN_MAX_TTL.
"""


def token(sub: str | None = None, *, ttl: float = LIFETIME, **claims: Any) -> str:
    """Of this subject, for `ttl` seconds; a claim that is None is left out."""
    now = time.time()
    given = {"sub": sub, "iat": now, "exp": now + ttl, **claims}
    return jwt.encode(
        {name: value for name, value in given.items() if value is not None}, SECRET, "HS256", {"kid": "a"}
    )


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


ADMIN: Final = bearer(token("root", admin=True))


async def ask(url: str, method: str, path: str, text: str | None = None, body: Any = None, **headers: str) -> Response:
    """One request, as the bearer of `text`; `body` is sent as JSON."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    if text is not None:
        fields |= bearer(text)
    return await request(url, method, path, headers=fields, json_body=body)


async def ticket(url: str, text: str, **wanted: Any) -> str:
    answer = await ask(url, "POST", "/api/tickets", text, wanted)
    assert answer.status == 201, answer.body
    return str(answer.json()["ticket"])


async def revoke(url: str, **what: Any) -> int:
    answer = await request(url, "POST", "/api/auth/revoke", headers=ADMIN, json_body=what)
    assert answer.status == 200, answer.body
    return int(answer.json()["ended"])
