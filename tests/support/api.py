"""The plain HTTP side of the contract as a publisher or a reader of history would use it."""

import json
import uuid
from collections.abc import Iterable, Sequence
from typing import Any, Final

from tests.support.http import Connection, Query, Response, request, target

NDJSON: Final = "application/x-ndjson"


def unique(name: str) -> str:
    """A topic that no other test uses: `name/<random>`."""
    return f"{name}/{uuid.uuid4().hex[:12]}"


def offset(cursor: str) -> int:
    """The position in a cursor. Only tests may look inside: to a client it is opaque."""
    epoch, _, number = cursor.rpartition("-")
    assert epoch
    return int(number)


def moved(cursor: str, by: int) -> str:
    """The cursor `by` positions further on."""
    return f"{cursor.rpartition('-')[0]}-{offset(cursor) + by}"


async def publish(url: str, topic: str, data: Any = None, *, type: str = "log", key: str | None = None) -> str:
    """Publish one event; its id."""
    draft = {"topic": topic, "type": type, "data": data} | ({} if key is None else {"key": key})
    response = await request(url, "POST", "/api/events", json_body=draft)
    assert response.status in {200, 201}, response.body
    return str(response.json()["id"])


async def publish_raw(url: str, topic: str, data: str, *, type: str = "log") -> Response:
    """Publish `data` as the JSON text that it is, byte for byte."""
    body = f'{{"topic":{json.dumps(topic)},"type":{json.dumps(type)},"data":{data}}}'
    return await request(url, "POST", "/api/events", body=body.encode(), headers={"Content-Type": "application/json"})


async def publish_many(url: str, topic: str, values: Iterable[Any], *, batch: int = 500) -> list[str]:
    """Publish each value as one event, in NDJSON requests of `batch`; their ids in order."""
    ids: list[str] = []
    pending = list(values)
    connection = await Connection.open(url)
    try:
        for start in range(0, len(pending), batch):
            ids += await post_lines(connection, topic, pending[start : start + batch])
    finally:
        await connection.close()
    return ids


async def post_lines(connection: Connection, topic: str, values: Sequence[Any]) -> list[str]:
    """One NDJSON request on an open connection; the ids."""
    lines = (json.dumps({"topic": topic, "type": "log", "data": value}, separators=(",", ":")) for value in values)
    body = "\n".join(lines).encode() + b"\n"
    response = await connection.request("POST", "/api/events", headers={"Content-Type": NDJSON}, body=body)
    assert response.status == 201, response.body
    ids: list[str] = response.json()["ids"]
    return ids


async def read(url: str, **query: str | int | float | list[str]) -> dict[str, Any]:
    """One answer of `GET /api/events`. `from_`: the query's `from`, which is a keyword in Python.

    A search has its time, so that a machine that stands still for a moment gets an empty page and where to go on.
    """
    while True:
        response = await read_response(url, **query)
        assert response.status == 200, response.body
        answer: dict[str, Any] = response.json()
        if answer["events"] or not answer["more"]:
            return answer
        query["before" if "before" in query or query.get("order") == "desc" else "after"] = answer["cursor"]


async def read_response(url: str, **query: str | int | float | list[str]) -> Response:
    """The same with its status and headers."""
    plain: Query = {name.rstrip("_"): value for name, value in query.items()}
    return await request(url, "GET", "/api/events", query=plain)


async def history(url: str, topics: Sequence[str] = (), after: str = "earliest") -> list[dict[str, Any]]:
    """All kept events of `topics` after a cursor, page by page, as a new reader would get them."""
    events: list[dict[str, Any]] = []
    connection = await Connection.open(url)
    try:
        more = True
        while more:
            query: Query = {"topic": list(topics), "after": after, "limit": 1000}
            response = await connection.request("GET", target("/api/events", query))
            assert response.status == 200, response.body
            page = response.json()
            events += page["events"]
            after, more = page["cursor"], page["more"]
    finally:
        await connection.close()
    return events


async def trim(url: str, topic: str, keep: int) -> int:
    """Keep the newest `keep` events of each topic that matches; how many were removed."""
    response = await request(url, "POST", "/api/topics/trim", json_body={"topic": topic, "keep": keep})
    assert response.status == 200, response.body
    return int(response.json()["removed"])
