"""docs/protocol.md, section 5: publishing over HTTP. The 503s are in test_recovery.py and
test_contract_7_draining.py.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.support import api
from tests.support.clients import open_stream
from tests.support.http import Connection, Response, request

REQUEST_MAX = 8 * 1024 * 1024
"""Bytes of one request."""
DATA_MAX = 64 * 1024


async def post(
    url: str, body: Any, *, media_type: str = "application/json", headers: Mapping[str, str] | None = None
) -> Response:
    """POST /api/events. `body`: bytes as they are, anything else as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"Content-Type": media_type, **(headers or {})}
    return await request(url, "POST", "/api/events", body=raw, headers=fields)


def draft(topic: str, data: Any = None, **more: Any) -> dict[str, Any]:
    return {"topic": topic, "type": "log", "data": data, **more}


def lines(*drafts: Any) -> bytes:
    return b"".join(json.dumps(item).encode() + b"\n" for item in drafts)


@pytest.fixture
def topic() -> str:
    return api.unique("publishing")


async def values(url: str, topic: str) -> list[Any]:
    return [event["data"] for event in await api.history(url, [topic])]


async def test_5_one_object(url: str, topic: str) -> None:
    """5, one object: 201 with `{"id": ...}`, only after the commit: whoever asks then, finds it."""
    response = await post(url, draft(topic, 1))
    assert response.status == 201
    assert (response.header("content-type") or "").startswith("application/json")
    (event,) = await api.history(url, [topic])
    assert response.json() == {"id": event["id"]}


async def test_5_an_array(url: str, topic: str) -> None:
    """5, an array: 201 with `{"ids": [...]}` in the order of the array, which is the order of the log."""
    other = api.unique("other")
    response = await post(url, [draft(topic, 1), draft(other, 2), draft(topic, 3)])
    assert response.status == 201
    assert list(response.json()) == ["ids"]
    events = await api.history(url, [topic, other])
    assert [event["id"] for event in events] == response.json()["ids"]
    assert [event["data"] for event in events] == [1, 2, 3]


async def test_5_an_array_of_one_is_answered_as_an_array(url: str, topic: str) -> None:
    """5, an array: the shape of the answer follows the shape of the request."""
    response = await post(url, [draft(topic, 1)])
    assert len(response.json()["ids"]) == 1


@pytest.mark.parametrize("end", [b"\n", b"", b"\n\n", b"\r\n"])
async def test_5_ndjson(url: str, topic: str, end: bytes) -> None:
    """5, `application/x-ndjson`: one a line; the last line end may be missing, empty lines may be there."""
    body = lines(draft(topic, 1)) + b"\n" + lines(draft(topic, 2)).rstrip() + end
    response = await post(url, body, media_type="application/x-ndjson")
    assert response.status == 201, response.text
    assert len(response.json()["ids"]) == 2
    assert await values(url, topic) == [1, 2]


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "Application/JSON"])
async def test_5_media_type_parameters_and_case_do_not_matter(url: str, topic: str, media_type: str) -> None:
    """5: media types are compared as RFC 9110, 8.3.1 says."""
    assert (await post(url, draft(topic), media_type=media_type)).status == 201


async def test_5_a_chunked_body(url: str, topic: str) -> None:
    """5: a body without a Content-Length is read too (RFC 9112, 7.1)."""
    body = json.dumps(draft(topic, "chunked")).encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (1, body[n : n + 1]) for n in range(len(body))) + b"0\r\n\r\n"
    connection = await Connection.open(url)
    connection.writer.write(
        b"POST /api/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n" + chunks
    )
    assert (await connection.read_head()).status == 201
    await connection.close()
    assert await values(url, topic) == ["chunked"]


@pytest.mark.parametrize("bad", [0, 1, 2])
@pytest.mark.parametrize("ndjson", [False, True], ids=["array", "ndjson"])
async def test_5_all_or_nothing(url: str, topic: str, bad: int, ndjson: bool) -> None:
    """5: one bad event refuses the request and names the place: the field path, in NDJSON the line."""
    drafts = [draft(topic, n) for n in range(3)]
    drafts[bad]["type"] = "not a type"
    if ndjson:
        response = await post(url, lines(*drafts), media_type="application/x-ndjson")
        problem = response.problem(422)
        assert problem["line"] == bad + 1
        assert problem["field"].endswith("type")
    else:
        assert (await post(url, drafts)).problem(422)["field"] == f"{bad}.type"
    assert await api.history(url, [topic]) == []


async def test_5_a_key_returns_the_first_id(url: str, topic: str) -> None:
    """5, `key`: a repeat is 200 with the first id, and the first data stay."""
    first = await post(url, draft(topic, 1, key="once"))
    again = await post(url, draft(topic, 2, key="once"))
    assert (first.status, again.status) == (201, 200)
    assert first.json() == again.json()
    assert await values(url, topic) == [1]


async def test_5_a_key_is_per_topic(url: str, topic: str) -> None:
    """5, `key`: unique on its topic; another topic does not know it."""
    other = api.unique("other")
    one, two = await post(url, draft(topic, 1, key="k")), await post(url, draft(other, 2, key="k"))
    assert (one.status, two.status) == (201, 201)
    assert one.json() != two.json()


async def test_5_a_repeat_within_one_request(url: str, topic: str) -> None:
    """5, `key`: a repeat within one request counts; 201 as long as anything in it was new."""
    body = [draft(topic, 1, key="a"), draft(topic, 2), draft(topic, 3, key="a"), draft(topic, 4, key="b")]
    response = await post(url, body)
    ids = response.json()["ids"]
    assert response.status == 201
    assert ids[0] == ids[2]
    assert len(set(ids)) == 3
    assert await values(url, topic) == [1, 2, 4]


async def test_5_200_only_if_nothing_was_new(url: str, topic: str) -> None:
    """5, `key`: old and new together is 201, old alone 200, with the ids in the order of the request."""
    first = (await post(url, [draft(topic, 1, key="a"), draft(topic, 2, key="b")])).json()["ids"]
    mixed = await post(url, [draft(topic, 3, key="c"), draft(topic, 9, key="a")])
    assert (mixed.status, mixed.json()["ids"][1]) == (201, first[0])
    old = await post(url, lines(draft(topic, 9, key="b"), draft(topic, 9, key="a")), media_type=api.NDJSON)
    assert (old.status, old.json()["ids"]) == (200, first[::-1])
    assert await values(url, topic) == [1, 2, 3]


async def test_5_the_same_key_at_the_same_time(url: str, topic: str) -> None:
    """5, `key`: publishers that race with one key get one id, and one of them the 201."""
    responses = await asyncio.gather(*(post(url, draft(topic, n, key="race")) for n in range(12)))
    assert sorted(response.status for response in responses) == [200] * 11 + [201]
    assert len({response.text for response in responses}) == 1
    assert len(await values(url, topic)) == 1


async def test_5_idempotency_key_header(url: str, topic: str) -> None:
    """5, `Idempotency-Key`: the key of a single publish."""
    header = {"Idempotency-Key": "from-header"}
    first = await post(url, draft(topic, 1), headers=header)
    again = await post(url, draft(topic, 2), headers=header)
    in_body = await post(url, draft(topic, 3, key="from-header"))
    assert [first.status, again.status, in_body.status] == [201, 200, 200]
    assert first.json() == again.json() == in_body.json()


async def test_5_a_key_in_the_body_beats_the_header(url: str, topic: str) -> None:
    """5, `Idempotency-Key`: the body's key counts if there are both."""
    await post(url, draft(topic, 1, key="body"), headers={"Idempotency-Key": "header"})
    assert (await post(url, draft(topic, 2, key="header"))).status == 201
    assert (await post(url, draft(topic, 3, key="body"))).status == 200


@pytest.mark.parametrize("key", ["k", "k" * 128, "é" * 64, "a b/c:d"])
async def test_5_keys_that_are_taken(url: str, topic: str, key: str) -> None:
    """5, `key`: 1-128 bytes."""
    assert (await post(url, draft(topic, key=key))).status == 201
    assert (await post(url, draft(topic, key=key))).status == 200


@pytest.mark.parametrize("key", ["", "k" * 129, "é" * 65, 7, ["k"]])
async def test_5_keys_that_are_refused(url: str, topic: str, key: Any) -> None:
    """5, `key`: anything else is 422 and names the field."""
    assert (await post(url, draft(topic, key=key))).problem(422)["field"] == "key"


async def test_5_a_header_key_that_is_too_long_is_refused(url: str, topic: str) -> None:
    """5, `Idempotency-Key`: the bounds of a key hold there too."""
    (await post(url, draft(topic), headers={"Idempotency-Key": "k" * 129})).problem(422)


async def test_5_a_key_is_free_again_when_its_event_is_gone(url: str, topic: str) -> None:
    """5 and 7: a key lives as long as its event is kept."""
    await post(url, draft(topic, 1, key="k"))
    await post(url, draft(topic, 2))
    assert await api.trim(url, topic, 1) == 1
    assert (await post(url, draft(topic, 3, key="k"))).status == 201


@pytest.mark.parametrize("media_type", ["application/json", "application/x-ndjson"])
@pytest.mark.parametrize("body", [b"{", b'{"a":\xff}', b'{"topic":"a","type":"b","data":1}}', b"a"])
async def test_5_not_json_is_400(url: str, media_type: str, body: bytes) -> None:
    """5, errors: 400 is for what is no JSON at all."""
    (await post(url, body, media_type=media_type)).problem(400)


async def test_5_ndjson_names_the_line_that_is_no_json(url: str, topic: str) -> None:
    """5, errors: the line counts from 1, as an editor does."""
    body = lines(draft(topic, 1), draft(topic, 2)) + b"{oops\n" + lines(draft(topic, 4))
    assert (await post(url, body, media_type=api.NDJSON)).problem(400)["line"] == 3
    assert await values(url, topic) == []


@pytest.mark.parametrize("media_type", ["application/json", "application/x-ndjson"])
async def test_5_nothing_is_refused(url: str, media_type: str) -> None:
    """5, errors: an empty array is 422; so is NDJSON without a line. An empty JSON body is no JSON."""
    body, status = (b"[]", 422) if media_type == "application/json" else (b"\n\n", 422)
    (await post(url, body, media_type=media_type)).problem(status)
    (await post(url, b"")).problem(400)


@pytest.mark.parametrize("body", [7, "text", None, True, [7], [[]], [None]])
async def test_5_json_that_is_no_event_is_422(url: str, body: Any) -> None:
    """5, errors: JSON of another shape is 422."""
    (await post(url, body)).problem(422)


@pytest.mark.parametrize("name", ["topic", "type", "data"])
async def test_5_a_missing_field_is_422(url: str, topic: str, name: str) -> None:
    """5, errors: topic, type and data are required, and the missing one is named."""
    body = draft(topic, 1)
    del body[name]
    assert (await post(url, body)).problem(422)["field"] == name
    assert (await post(url, [draft(topic, 1), body])).problem(422)["field"] == f"1.{name}"


@pytest.mark.parametrize(("name", "value"), [("topic", 1), ("topic", None), ("type", ["log"]), ("type", None)])
async def test_5_a_field_of_the_wrong_type_is_422(url: str, topic: str, name: str, value: Any) -> None:
    """5, errors: nothing is converted in silence."""
    assert (await post(url, draft(topic, 1) | {name: value})).problem(422)["field"] == name


@pytest.mark.parametrize("media_type", ["text/plain", "application/xml", "multipart/form-data"])
async def test_5_another_media_type_is_415(url: str, topic: str, media_type: str) -> None:
    """5, errors: 415 for what is neither JSON nor NDJSON."""
    (await post(url, draft(topic), media_type=media_type)).problem(415)


async def test_5_one_event_over_the_data_limit_is_413(url: str, topic: str) -> None:
    """5, errors: 413 names the event that is too large; the others of the request are not stored either."""
    body = [draft(topic, "small"), draft(topic, "x" * (DATA_MAX - 1))]
    assert "1" in str((await post(url, body)).problem(413).get("field"))
    assert await values(url, topic) == []


async def test_5_a_request_of_8_mib_is_read(url: str, topic: str) -> None:
    """5: at most 8 MiB: the largest request is taken whole."""
    one = lines(draft(topic, "x" * (DATA_MAX - 2)))
    count = REQUEST_MAX // len(one)
    body = one * count
    response = await post(url, body + b"\n" * (REQUEST_MAX - len(body)), media_type=api.NDJSON)
    assert response.status == 201, response.text[:300]
    assert len(response.json()["ids"]) == count


async def test_5_a_request_over_8_mib_is_413(url: str, topic: str) -> None:
    """5, errors: one byte more is 413, announced or chunked, and the service does not read on."""
    body = lines(draft(topic)) + b"\n" * REQUEST_MAX
    connection = await Connection.open(url)
    fields = {"Content-Type": api.NDJSON, "Content-Length": str(len(body)), "Expect": ""}
    await connection.send("POST", "/api/events", headers=fields, body=b"")
    head = await connection.read_head()
    assert head.status == 413
    connection.reset()


async def test_5_a_chunked_request_over_8_mib_is_413(url: str) -> None:
    """5, errors: the bound holds for bytes that arrive, not for what a header says."""
    connection = await Connection.open(url)
    connection.writer.write(
        b"POST /api/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    answer = asyncio.create_task(connection.read_head())
    chunk = b"%x\r\n%s\r\n" % (1 << 16, b"\n" * (1 << 16))
    try:
        for _ in range(REQUEST_MAX // (1 << 16) + 1):
            connection.writer.write(chunk)
            await connection.writer.drain()
        connection.writer.write(b"0\r\n\r\n")
    except ConnectionError:
        pass  # refused before all of it was sent, which is right too
    assert (await answer).status == 413
    connection.reset()


async def test_5_problems_are_rfc_9457(url: str) -> None:
    """5, errors: `application/problem+json` with status, title and detail, also where no route is."""
    (await post(url, b"{")).problem(400)
    (await request(url, "GET", "/api/none-such")).problem(404)
    problem = await request(url, "DELETE", "/api/events")
    problem.problem(405)
    assert {"GET", "POST"} <= {name.strip() for name in (problem.header("allow") or "").split(",")}


async def test_5_an_acknowledged_event_was_not_seen_too_early(url: str, topic: str) -> None:
    """5: the 201 comes after the commit, and the live stream has the event without being asked again."""
    async with open_stream(url, "sse", topic) as stream:
        ids = [(await post(url, draft(topic, n))).json()["id"] for n in range(20)]
        assert [event.id for event in await stream.events(20)] == ids
