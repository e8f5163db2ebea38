"""What `web/access.py` serves, as its part of the OpenAPI document."""

from typing import Any, Final

from service import openapi as words
from service.openapi import BOOLEAN, COUNT, JSON, STRING, Description, Schema, array, nullable, operation, record, ref

_TAG: Final = "access"
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}
_FILTERS: Final = array(ref("TopicFilter"))
_WRITING: Final = (401, 403, *words.WRITING)


def describe_access() -> Description:
    return Description(_TAG, _paths(), _schemas())


def _post(id: str, summary: str, answers: dict[int, dict[str, Any]], body: str, *more: int) -> dict[str, Any]:
    taken = {JSON: {"schema": ref(body)}}
    return operation(_TAG, id, summary, answers, problems=tuple(sorted({*_WRITING, *more})), body=taken)


def _paths() -> dict[str, Any]:
    rights = words.answer("Whose it is, and what he may.", ref("Bearer"))
    session = {
        **words.answer("The same; the cookie comes with it.", ref("Session")),
        "headers": {"Set-Cookie": {"description": "`__Host-twinwire` over https, else `twinwire`.", "schema": STRING}},
    }
    begin = _post("beginSession", "A cookie for a token or a login ticket", {200: session}, "NewSession", 501)
    begin["requestBody"]["required"] = False
    gone = {204: words.answer("Done.")}
    return {
        "/api/auth": {"post": _post("renew", "Another token for an open stream", {200: rights}, "Renewal", 404, 501)},
        "/api/auth/check": {
            "post": _post("check", "Whether one may", {200: words.answer("It says.", ref("Checked"))}, "Check")
        },
        "/api/auth/revoke": {
            "post": _post(
                "revoke", "Tokens that are good no more", {200: words.answer("How many.", ref("Revoked"))}, "Revoke"
            ),
            "get": operation(
                _TAG,
                "listRevocations",
                "What is revoked",
                {200: words.answer("The oldest first.", ref("RevocationList"))},
                parameters=[
                    words.query("after", "The `cursor` of the last answer.", STRING),
                    words.query("limit", "More is capped.", {**COUNT, "minimum": 1, "default": 1_000}),
                ],
                problems=(401, 403, 422),
            ),
            "delete": _post("liftRevocation", "Allow again what is revoked", gone, "Revoke", 404),
        },
        "/api/tickets": {
            "post": _post(
                "newTicket",
                "A credential for one use in a URL",
                {201: words.answer("For a stream, or for a login.", ref("Ticket"))},
                "NewTicket",
                429,
                501,
            )
        },
        "/api/session": {
            "get": operation(
                _TAG,
                "session",
                "Who asks, and what he may",
                {200: words.answer("Nobody has no subject.", ref("Session"))},
                problems=(401, 403),
            ),
            "post": begin,
            "delete": operation(_TAG, "endSession", "Take the cookie back", gone, problems=(403, 503)),
        },
    }


def _schemas() -> dict[str, Schema]:
    bearer = {
        "subject": nullable(STRING),
        "expires": nullable(_TIME),
        "subscribe": _FILTERS,
        "publish": _FILTERS,
        "run": _FILTERS,
        "admin": BOOLEAN,
    }
    target: dict[str, Schema] = {"jti": STRING, "sub": STRING, "all": {"const": True}}
    closed: dict[str, Any] = {"additionalProperties": False}
    revoke = {**target, "connection": STRING, "issued_before": _TIME, "grace": {"type": "number", "minimum": 0}}
    ticket = {"topics": _FILTERS, "ttl": {"type": "number", "minimum": 5, "maximum": 60}, "login": BOOLEAN}
    op = {"enum": ["subscribe", "publish", "presence", "ephemeral", "run"], "default": "subscribe"}
    revoked = record({**target, "issued_before": nullable(_TIME), "time": _TIME}, optional=tuple(target))
    return {
        "Bearer": record(bearer),
        "Session": record({**bearer, "keys": {**BOOLEAN, "description": "Whether anybody can be somebody."}}),
        "Renewal": record({"connection": STRING}, **closed),
        "Check": record({"topics": _FILTERS, "op": op}, optional=("op",), **closed),
        "Checked": record({"allowed": BOOLEAN, "missing": _FILTERS}),
        "NewTicket": record(ticket, optional=tuple(ticket), **closed),
        "Ticket": record({"ticket": STRING, "expires": _TIME}),
        "NewSession": record({"ticket": STRING}, optional=("ticket",), **closed),
        "Revoke": record(revoke, optional=tuple(revoke), **closed),
        "Revoked": record({"ended": COUNT}),
        "RevocationList": record({"revocations": array(revoked), "more": BOOLEAN, "cursor": STRING}),
    }
