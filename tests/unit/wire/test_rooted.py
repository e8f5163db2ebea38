"""Where the service stands, whichever framework hands a request on."""

from typing import Any

import pytest

from service.wire.request import Request
from service.wire.rooted import Place, place_of, root_of, rooted
from tests.support.wires import http_scope

EVENTS = Place("/live", "/api/events")


def scope_of(path: str, root: str | None = None, raw: str | None = None) -> dict[str, Any]:
    scope = http_scope("GET", path) | {"root_path": root, "raw_path": None if raw is None else raw.encode()}
    return {name: value for name, value in scope.items() if value is not None}


@pytest.mark.parametrize(
    ("scope", "place"),
    [
        # Alone, and as the specification has it: Starlette, FastAPI, Hypercorn's dispatcher.
        (scope_of("/api/events", "", "/api/events"), Place("", "/api/events")),
        (scope_of("/api/events"), Place("", "/api/events")),
        (scope_of("/", "", "/"), Place("", "/")),
        (scope_of("/live/api/events", "/live", "/live/api/events"), EVENTS),
        (scope_of("/live/api/events", "/live"), EVENTS),
        (scope_of("/live/", "/live", "/live/"), Place("/live", "/")),
        (scope_of("/live", "/live", "/live"), Place("/live", "")),
        # Below a path that begins like one of the service's own.
        (scope_of("/api/api/events", "/api", "/api/api/events"), Place("/api", "/api/events")),
        # Cut, with a slash at its end: Litestar; and beside it a root_path of the server.
        (scope_of("/api/events/", "", "/live/api/events"), EVENTS),
        (scope_of("/api/events/", "", "/live/api/events/"), Place("/live", "/api/events/")),
        (scope_of("/", "", "/live"), Place("/live", "")),
        (scope_of("/", "", "/live/"), Place("/live", "/")),
        (scope_of("/api/events/", "/proxy", "/proxy/live/api/events"), Place("/proxy/live", "/api/events")),
        (scope_of("/api/events/", "", "/api/events"), Place("", "/api/events")),
        (scope_of("/api/events/", "/proxy", "/api/events"), Place("/proxy", "/api/events")),
        # Cut, and told in root_path: others.
        (scope_of("/api/events", "/live", "/live/api/events"), EVENTS),
        (scope_of("/api/events", "/live"), EVENTS),
        (scope_of("/api/events", "/api", "/api/api/events"), Place("/api", "/api/events")),
        # A proxy has cut it, and the operator has said so to the server, or to FastAPI.
        (scope_of("/api/events", "/live/", "/api/events"), EVENTS),
        (scope_of("/live/api/events", "/proxy/live", "/live/api/events"), Place("/proxy/live", "/api/events")),
        # What is encoded.
        (scope_of("/lé ve/app/ä", "/lé ve", "/l%C3%A9%20ve/app/%C3%A4"), Place("/lé ve", "/app/ä")),
        (scope_of("/app/ä/", "", "/l%C3%A9%20ve/app/%C3%A4"), Place("/lé ve", "/app/ä")),
        # What only begins with the same letters.
        (scope_of("/livestock", "/live", "/livestock"), Place("/live", "/livestock")),
    ],
)
def test_it_is_told_from_whatever_a_framework_leaves(scope: dict[str, Any], place: Place) -> None:
    assert place_of(scope) == place


def test_inside_it_stands_at_the_top() -> None:
    scope = scope_of("/live/api/events", "/live", "/live/api/events")
    del scope["extensions"]
    inner = rooted(scope, place_of(scope))
    assert (inner["path"], inner["raw_path"], inner["root_path"]) == ("/api/events", b"/api/events", "")
    assert inner["extensions"] == {}
    assert root_of(inner) == Request(inner).root == "/live"
    assert (scope["path"], root_of(scope)) == ("/live/api/events", ""), "it is the framework's"


def test_what_browsers_are_told_is_as_in_a_url() -> None:
    """A cookie's path is made of it, and a path may have been anybody's."""
    scope = {"type": "http", "path": "/a; Domain=b/ü/api/events", "root_path": "/a; Domain=b/ü"}
    assert root_of(rooted(scope, place_of(scope))) == "/a%3B%20Domain%3Db/%C3%BC"


@pytest.mark.parametrize(
    ("scope", "raw"),
    [
        (scope_of("/live/app/a/b", "/live", "/live/app/a%2Fb"), b"/app/a%2Fb"),
        (scope_of("/app/x/", "", "/live/app/x"), b"/app/x"),
        (scope_of("/api/events", "/live", "/api/events"), b"/api/events"),
        (scope_of("/live/x", "/proxy/live", "/live/x"), b"/x"),
    ],
)
def test_what_came_over_the_wire_is_kept_as_it_was(scope: dict[str, Any], raw: bytes) -> None:
    assert rooted(scope, place_of(scope))["raw_path"] == raw
