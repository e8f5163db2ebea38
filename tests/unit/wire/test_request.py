"""Queries, headers and whole responses on bare ASGI."""

import pytest

from service.core.errors import DrainingError, InvalidError, UnauthorizedError, UpgradeRequiredError
from service.wire.problems import problem_response
from service.wire.request import Request, respond, respond_problem
from tests.support.wires import Answer, Exchange, http_scope


def request(query: str = "", **headers: str) -> Request:
    return Request(http_scope("GET", "/", query, {name.replace("_", "-"): value for name, value in headers.items()}))


async def answered(status: int, body: bytes, head: bool = False) -> Answer:
    async def app(scope: object, receive: object, send: object) -> None:
        await respond(send, status, [(b"x-a", b"b")], body, head=head)  # type: ignore[arg-type]

    return await Exchange(app, http_scope("GET", "/")).answer()


def test_topics_come_once_each_and_none_means_none() -> None:
    assert request("topic=a&topic=b%2Fc&topic=a").topics().patterns == ("a", "b/c")
    assert request("after=a-1").topics() is None
    with pytest.raises(InvalidError):
        request("topic=").topics()


def test_the_header_beats_the_query_and_an_empty_one_does_not() -> None:
    assert request("after=a-1", last_event_id="a-2").start_text() == "a-2"
    assert request("after=a-1", last_event_id="").start_text() == "a-1"
    assert request("after=a-1", last_event_id="  ").start_text() == "a-1"
    assert request().start_text() is None


@pytest.mark.parametrize("name", ["lastEventId", "lastEventID", "last_event_id", "Last-Event-ID", "evs_last_event_id"])
@pytest.mark.parametrize("start", ["earliest", "latest", "a-1", "nothing", ""])
def test_what_a_client_adds_to_its_url_beats_what_the_page_began_with(name: str, start: str) -> None:
    """EventSource polyfills can't set a header, and the page's own URL stays as it was."""
    assert request(f"after={start}&{name}=a-2").start_text() == "a-2"
    assert request(f"{name}=a-2&after={start}").start_text() == "a-2", "wherever it stands"
    assert request(f"after={start}&{name}=").start_text() == (start or None), "none was added"
    assert request(f"{name}=a-2", last_event_id="a-3").start_text() == "a-3"


def test_of_several_positions_the_last_in_the_url_counts() -> None:
    assert request("lastEventId=a-3&last_event_id=a-2&after=").start_text() == "a-2"
    assert request("lastEventId=a-1&lastEventId=a-2").start_text() == "a-2"
    assert request("lastEventId=a-2&lastEventId=").start_text() == "a-2"


def test_header_values_are_latin_1_and_trimmed() -> None:
    assert request(last_event_id=" é-1 ").header(b"last-event-id") == "é-1"
    assert request(last_event_id="\xc3\xa0 ").header(b"last-event-id") == "\xc3\xa0", "à, in two bytes"
    assert request().header(b"nothing") is None


@pytest.mark.parametrize(("text", "value"), [("1", True), ("true", True), ("YES", True), ("0", False), ("off", False)])
def test_flags(text: str, value: bool) -> None:
    assert request(f"named={text}").flag("named", not value) is value
    assert request().flag("named", value) is value


@pytest.mark.parametrize("text", ["", "2", "maybe"])
def test_a_flag_that_is_neither_is_named(text: str) -> None:
    with pytest.raises(InvalidError) as caught:
        request(f"named={text}").flag("named", True)
    assert caught.value.field == "named"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5.9e-08", 5.9e-08),
        ("1E-7", 1e-7),
        ("5e-324", 5e-324),
        ("-0", 0),
        ("-0.0", 0),
        ("0.30000000000000004", 0.1 + 0.2),
    ],
)
def test_a_number_is_what_a_language_makes_of_it(text: str, value: float) -> None:
    """Small ones have an exponent, in Python and in JavaScript."""
    assert request(f"n={text}").number("n", 1, 0, 60) == value


@pytest.mark.parametrize(
    "text",
    [
        "-1",
        "1e1",
        "1e3",
        "1e%2B1",
        "1e999",
        "1e",
        "1e-",
        "inf",
        "nan",
        "0x1",
        "",
        "1.",
        ".5",
        "१",
        "1_000",
        "9" * 19,
        "60.1",
        "--0",
    ],
)
def test_a_number_is_plain_and_within_its_bounds(text: str) -> None:
    assert request("n=60").number("n", 0, 0, 60) == 60
    with pytest.raises(InvalidError):
        request(f"n={text}").number("n", 0, 0, 60)


HARDENED = {"x-content-type-options": "nosniff", "cross-origin-resource-policy": "same-origin"}


async def test_a_response_has_its_length_and_head_keeps_it() -> None:
    whole, head = await answered(200, b"abc"), await answered(200, b"abc", head=True)
    assert (whole.body, head.body) == (b"abc", b"")
    assert whole.headers == head.headers == {"x-a": "b", **HARDENED, "content-length": "3"}


async def test_204_has_no_length() -> None:
    """RFC 9110, 8.6."""
    assert (await answered(204, b"")).headers == {"x-a": "b", **HARDENED}


async def test_a_problem_is_a_whole_response_with_its_retry_after() -> None:
    async def app(scope: object, receive: object, send: object) -> None:
        error = DrainingError("the service is restarting", retry_after=1.2)
        await respond_problem(send, error, head=False, hint="x")  # type: ignore[arg-type]

    answer = await Exchange(app, http_scope("GET", "/")).answer()
    assert answer.problem(503)["hint"] == "x"
    assert answer.headers["retry-after"] == "2", "never too early"
    assert answer.headers["cache-control"] == "no-store"


def test_a_problem_names_field_and_line_and_survives_any_text() -> None:
    status, headers, body = problem_response(InvalidError("\ud800 é", field="a.b", line=3))
    assert status == 422
    assert b'"field":"a.b","line":3' in body
    assert "é" in body.decode()
    assert (b"upgrade", b"websocket") in problem_response(UpgradeRequiredError("x"))[1]
    assert dict(headers)[b"content-type"] == b"application/problem+json"
    assert dict(problem_response(UnauthorizedError("x"))[1])[b"www-authenticate"] == b'Bearer realm="twinwire"'
