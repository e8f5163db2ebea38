"""Errors as RFC 9457 problems."""

import json

import pytest

from service.core.errors import (
    DrainingError,
    InvalidError,
    InvalidTokenError,
    MethodError,
    PresentationError,
    ScopeError,
    TwinwireError,
    UnauthorizedError,
    UpgradeRequiredError,
)
from service.wire.problems import MEDIA_TYPE, problem, problem_response, told


def test_a_problem_names_the_field_and_the_line_where_there_is_one() -> None:
    assert problem(InvalidError("no", field="2.topic", line=3)) == {
        "type": "about:blank",
        "title": "Invalid request",
        "status": 422,
        "detail": "no",
        "field": "2.topic",
        "line": 3,
    }
    assert not {"field", "line"} & set(problem(InvalidError("no")))


def test_each_is_counted_by_its_status() -> None:
    assert {400, 413, 415, 422, 429, 500} <= set(told), "from 0, so that the first one is a rise"
    before = told.copy()
    problem(InvalidError("no"))
    problem_response(InvalidError("no"))
    problem_response(DrainingError("later"))
    assert told - before == {422: 2, 503: 1}


def test_members_of_ones_own_stand_beside_the_others() -> None:
    assert problem(InvalidError("no"), sse="/api/sse")["sse"] == "/api/sse"


@pytest.mark.parametrize(
    ("error", "status", "header"),
    [
        (DrainingError("later", retry_after=1.2), 503, (b"retry-after", b"2")),
        (MethodError("no", allow="GET"), 405, (b"allow", b"GET")),
        (UnauthorizedError("who?"), 401, (b"www-authenticate", b'Bearer realm="twinwire"')),
        (
            InvalidTokenError(reason="expired"),
            401,
            (b"www-authenticate", b'Bearer realm="twinwire", error="invalid_token"'),
        ),
        (ScopeError("no"), 403, (b"www-authenticate", b'Bearer realm="twinwire", error="insufficient_scope"')),
        (
            PresentationError("twice"),
            400,
            (b"www-authenticate", b'Bearer realm="twinwire", error="invalid_request"'),
        ),
        (UpgradeRequiredError("up"), 426, (b"upgrade", b"websocket")),
        (TwinwireError("fault"), 500, (b"cache-control", b"no-store")),
    ],
)
def test_an_answer_has_the_headers_that_its_status_asks_for(
    error: TwinwireError, status: int, header: tuple[bytes, bytes]
) -> None:
    found, headers, body = problem_response(error)
    assert found == status == json.loads(body)["status"]
    assert header in headers
    assert (b"content-type", MEDIA_TYPE.encode()) in headers


def test_half_a_character_in_what_is_told_does_not_break_the_answer() -> None:
    _, _, body = problem_response(InvalidError("\ud800 is no text"))
    assert json.loads(body.decode("utf-8"))["detail"] == "? is no text"
