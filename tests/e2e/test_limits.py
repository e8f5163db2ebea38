"""Limits on a real server: with its defaults, and with the values for the internet of docs/deployment.md."""

import json
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.bearers import KEYS, bearer, token
from tests.support.http import Connection, Response, request
from tests.support.server import ServerProcess
from tests.support.websocket import WebSocketClient

PAGE = Path(__file__).parents[2] / "docs" / "deployment.md"
BLOCK = re.search(r"^```sh limits\.env\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
ENV = dict(line.split("=", 1) for line in (BLOCK[1] if BLOCK else "").splitlines())
EVERYBODY = {"TWINWIRE_ANONYMOUS_SUBSCRIBE": "**", "TWINWIRE_ANONYMOUS_PUBLISH": "**"}
NDJSON = {"Content-Type": "application/x-ndjson"}

ADA = token("ada", subscribe=["**"], publish=["**"])


def value(name: str) -> int:
    return int(ENV[f"TWINWIRE_{name}"])


@pytest.fixture(scope="module")
def internet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with those values, behind a proxy on this machine: each client says who it is, as that would."""
    env = {**ENV, **EVERYBODY, "TWINWIRE_TOKEN_KEYS": KEYS}
    with ServerProcess(tmp_path_factory.mktemp("internet"), env=env) as process:
        yield process.url
        assert process.stop() == 0
        assert process.faults() == []


def client(number: int) -> dict[str, str]:
    return {"X-Forwarded-For": f"evil, 192.0.2.{number}"}


async def publish(url: str, topics: list[str], headers: dict[str, str]) -> Response:
    body = "\n".join(json.dumps({"topic": topic, "type": "x", "data": 1}) for topic in topics)
    return await request(url, "POST", "/api/events", body=body.encode(), headers={**headers, **NDJSON})


def refused(response: Response, status: int, field: str | None = None) -> None:
    problem: dict[str, Any] = response.problem(status)
    assert problem.get("field") == field
    assert (response.header("retry-after") is None) is (status in (413, 422))


async def test_the_values_are_settings_that_it_runs_with(internet: str) -> None:
    assert len(ENV) > 15
    assert (await request(internet, "GET", "/api/ready")).status == 200


@pytest.mark.parametrize(
    ("limit", "headers"),
    [("ADDRESS_STREAMS", client(1)), ("SUBJECT_STREAMS", {**client(2), **bearer(ADA)})],
    ids=["address", "subject"],
)
async def test_streams_of_one(internet: str, limit: str, headers: dict[str, str]) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(value(limit)):
            connection = await Connection.open(internet)
            stack.callback(connection.reset)
            await connection.send("GET", "/api/sse?topic=t", headers=headers)
            assert (await connection.read_head()).status == 200
        refused(await request(internet, "GET", "/api/sse?topic=t", headers=headers), 429)
        socket = await WebSocketClient.open(internet, query={"topic": "t"}, headers=headers)
        assert json.loads((await socket.receive())[0])["reason"] == "limit"
        assert await socket.wait_closed() == 1013
        other = await Connection.open(internet)
        stack.callback(other.reset)
        await other.send("GET", "/api/sse?topic=t", headers=client(3))
        assert (await other.read_head()).status == 200, "others have theirs"


async def test_topics_of_one(internet: str) -> None:
    """A minute would have to pass before there were so many more."""
    headers = {**client(4), **bearer(token("bob", publish=["**"]))}
    burst = value("TOPIC_BURST")
    refused(await publish(internet, [f"bob/{n}" for n in range(burst + 1)], headers), 413, "topic")
    assert (await publish(internet, [f"bob/{n}" for n in range(burst)], headers)).status == 201
    refused(await publish(internet, [f"bob/more/{n}" for n in range(value("TOPIC_RATE"))], headers), 429, "topic")
    assert (await publish(internet, [f"bob/{n}" for n in range(burst)], headers)).status == 201


async def test_who_has_no_token(internet: str) -> None:
    refused(await publish(internet, ["t"] * 21, client(5)), 413)
    assert (await publish(internet, ["t"] * 20, client(5))).status == 201
    assert (await publish(internet, ["t"] * 20, client(6))).status == 201, "another address is another caller"


async def test_sizes(internet: str) -> None:
    filters, most = value("STREAM_FILTERS"), value("BODY_MAX")
    query = "&".join(f"topic=t/{n}" for n in range(filters))
    assert (await request(internet, "GET", f"/api/events?{query}", headers=client(7))).status == 200
    refused(await request(internet, "GET", f"/api/events?{query}&topic=u", headers=client(7)), 422, "topic")
    headers = {**client(7), **NDJSON}
    one = b'{"topic":"t","type":"x","data":1}'
    for size, status in ((most, 201), (most + 1, 413)):
        body = one + b"\n" * (size - len(one))
        assert (await request(internet, "POST", "/api/events", body=body, headers=headers)).status == status
    connection = await Connection.open(internet)
    fields = {"Host": "localhost", "Transfer-Encoding": "chunked", **headers}
    head = "".join(f"{name}: {text}\r\n" for name, text in fields.items())
    connection.writer.write(f"POST /api/events HTTP/1.1\r\n{head}\r\n".encode())
    piece = b"\n" * 65_536
    for _ in range(most // len(piece) + 1):
        connection.writer.write(b"10000\r\n" + piece + b"\r\n")
    assert (await connection.read_head()).status == 413
    connection.reset()


async def test_with_the_defaults_one_address_may_do_much(tmp_path: Path) -> None:
    """Without keys nothing is counted of one: 10,000 new topics in one request. With keys, of bearers nothing is."""
    for env, headers in (({}, {}), ({"TWINWIRE_TOKEN_KEYS": KEYS, **EVERYBODY}, bearer(ADA))):
        with ServerProcess(tmp_path / str(len(env)), env=env) as process:
            assert (await publish(process.url, [f"many/{n}" for n in range(10_000)], headers)).status == 201
            nobody = await publish(process.url, ["t"] * 21, {})
            assert nobody.status == (413 if env else 201)
            assert process.stop() == 0
