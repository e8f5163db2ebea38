"""The HTTP part of the contract as an OpenAPI 3.1 document, for tools. docs/protocol.md is the text for people.

Each room describes what it serves, beside its code; here the parts are put together, and
tests/unit/web/test_openapi.py holds them against the application's routes.
"""

from collections.abc import Sequence
from typing import Any, Final

from service.openapi import COUNT, STRING, Description, answer, record, ref
from service.version import __version__
from service.web import connections, operations, pages
from service.web.described import describe_access
from service.wire.described import describe_events, describe_streams
from service.wire.ephemeral.described import describe_ephemeral
from service.wire.presence.described import describe_presence
from service.wire.problems import MEDIA_TYPE

_PROBLEMS: Final = {
    400: "The body is not JSON.",
    401: "A token is needed, or the one that came is no good.",
    403: "Not allowed, such as a page of a foreign origin, or one whose token lacks the right.",
    404: "There is no such thing.",
    408: "The body did not get on.",
    409: "Not in this state.",
    410: "It was there, and can't be had any more.",
    413: "Too large.",
    415: "Another Content-Type is needed.",
    422: "A value breaks the contract; `field` names it.",
    426: "The way here strips `Upgrade`; `sse` is the same stream over SSE.",
    429: "Too many: come back after `Retry-After` seconds.",
    501: "This service has no keys, or no language model.",
    503: "Not now: come back after `Retry-After` seconds.",
}


def describe(apps: Sequence[Description] = ()) -> dict[str, Any]:
    """The document, made anew at each call; `apps` are the applications' parts."""
    streams = describe_streams({app.tag: app.aliases for app in apps if app.aliases})
    ours = [describe_access(), operations.describe(), connections.describe(), pages.describe()]
    parts = [describe_events(), describe_ephemeral(), describe_presence(), streams, *apps, *ours]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Twinwire",
            "version": __version__,
            "summary": "Live events from one durable log.",
            "description": "The WebSocket part, control frames and cursors are described in docs/protocol.md.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "..", "description": "Where this document comes from, path prefix included."}],
        "tags": [{"name": tag} for tag in dict.fromkeys(part.tag for part in parts)],
        "paths": {path: item for part in parts for path, item in part.paths.items()},
        "components": {
            "schemas": {"Problem": _problem()} | {name: one for part in parts for name, one in part.schemas.items()},
            "parameters": {name: one for part in parts for name, one in part.parameters.items()},
            "responses": _responses(),
        },
    }


def _problem() -> dict[str, Any]:
    return record(
        {
            "type": STRING,
            "title": STRING,
            "status": {"type": "integer"},
            "detail": STRING,
            "field": {**STRING, "description": "The path of what is wrong, such as `2.topic`."},
            "line": {"type": "integer", "minimum": 1, "description": "The line of it, in NDJSON."},
            "sse": {**STRING, "description": "In a 426: the same stream over SSE."},
        },
        optional=("field", "line", "sse"),
        description="RFC 9457.",
    )


def _responses() -> dict[str, Any]:
    found = {}
    for status, text in _PROBLEMS.items():
        described = answer(text, ref("Problem"), MEDIA_TYPE)
        if status in (429, 503):
            described["headers"] = {"Retry-After": {"description": "Seconds.", "schema": COUNT}}
        found[f"Problem{status}"] = described
    return found
