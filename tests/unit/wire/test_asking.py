"""What would stand in a URL may stand in a body: the same names, the same values, the same complaints."""

import json

import pytest

from service.core.errors import InvalidError, MalformedError, MediaTypeError, TooLargeError
from service.core.parameters import Parameters
from service.wire.asking import ASKED_MAX, take_asked
from service.wire.bodies import Bodies
from service.wire.request import Request
from tests.support.wires import http_scope

KNOWN = Parameters("topic", "after", "limit", "named")


async def asked(
    body: bytes, query: str = "", media_type: str | None = "application/json", known: tuple[str, ...] = ()
) -> Request:
    request = Request(http_scope("POST", "/", query, {} if media_type is None else {"Content-Type": media_type}))
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> dict[str, object]:
        return next(messages)

    with Bodies(1 << 20, 10).open() as room:
        await take_asked(request, receive, room, Parameters(*known) if known else KNOWN)
    return request


async def test_members_are_parameters() -> None:
    request = await asked(b'{"topics":["a","b/*"],"after":"k-1","limit":7,"named":false}', "topic=c&after=k-9")
    assert request.topics().patterns == ("a", "b/*", "c")
    assert request.number("limit", 0, 0, 10) == 7
    assert request.flag("named", True) is False
    assert request.start_text() == "k-9", "the URL comes first, as of any parameter that stands twice"
    assert (await asked(b"{}")).topics() is None
    assert (await asked(b"{}", media_type=None)).topics() is None
    assert (await asked(b"{}", media_type="application/json; charset=utf-8")).topics() is None


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"topics": "a"}, "topics"),
        ({"topics": []}, "topics"),
        ({"topics": None}, "topics"),
        ({"topics": [1]}, "topics"),
        ({"topic": "a"}, "topic"),
        ({"topic[]": "a"}, "topic[]"),
        ({"after": None}, "after"),
        ({"after": []}, "after"),
        ({"afte": "a"}, "afte"),
        ([], None),
        (1, None),
    ],
)
async def test_what_is_wrong_is_named(value: object, field: str | None) -> None:
    with pytest.raises(InvalidError) as caught:
        await asked(json.dumps(value).encode())
    assert caught.value.field == field


@pytest.mark.parametrize("value", ["true", "false", '"x"', "-1", "1e400"])
async def test_what_is_no_number_is_none_in_a_body_either(value: str) -> None:
    with pytest.raises(InvalidError) as caught:
        (await asked(f'{{"limit":{value}}}'.encode())).number("limit", 5, 0, 10)
    assert caught.value.field in ("limit", None)
    assert (await asked(b'{"limit":1e-7}')).number("limit", 5, 0, 10) == 1e-7


async def test_what_is_no_json_or_too_much_is_refused() -> None:
    for body in (b"", b"{", b"\xff", b"[" * 10_000):
        with pytest.raises(MalformedError):
            await asked(body)
    with pytest.raises(TooLargeError):
        await asked(b" " * (ASKED_MAX + 1))
    with pytest.raises(MediaTypeError):
        await asked(b"{}", media_type="text/plain")


async def test_what_may_come_several_times_may_be_a_list() -> None:
    request = await asked(b'{"presence_version":["a:1","b:2"]}', "presence_version=c:3", known=("presence_version",))
    assert [value for name, value in request.query if name == "presence_version"] == ["c:3", "a:1", "b:2"]
    request = await asked(b'{"presence_version":"a:1"}', known=("presence_version",))
    assert request.value("presence_version") == "a:1"
    for wrong in (b"[[]]", b"[null]", b"{}"):
        with pytest.raises(InvalidError) as caught:
            await asked(b'{"presence_version":%b}' % wrong, known=("presence_version",))
        assert caught.value.field == "presence_version"
