"""The server under us, on a real socket: whatever state a connection is in, nothing of it stays behind, and nobody
else waits for it.

The first part is about upstream: when it fails, Hypercorn has changed, and each guard must be held against it again.
"""

import asyncio
import gc
import json
import shutil
import threading
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypercorn
import pytest
from hypercorn.asyncio import run
from hypercorn.asyncio.tcp_server import TCPServer

from service.assembly import Assembly
from service.stream.hypercorn import upstream
from service.stream.hypercorn.guards import Idle, Rank
from service.stream.hypercorn.http1 import CHUNKS_MAX, TINY, TINY_MAX
from tests.support import api
from tests.support.hostile import close_code, frame, one_request, open_websocket, pour, rest, shake_hands
from tests.support.http import DEADLINE, Connection, request
from tests.support.inprocess import LOOPS, InProcess
from tests.support.wires import until

HOST = "\nHost: localhost"


@pytest.fixture(scope="module", params=list(LOOPS))
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with InProcess(tmp_path_factory.mktemp("guards"), request.param) as server:
        yield server


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    """What a peer owes has to come within a second."""
    with InProcess(tmp_path_factory.mktemp("hasty"), config={"keep_alive_timeout": 1}, send_timeout=1) as server:
        yield server


async def nothing_is_left(server: InProcess) -> None:
    """No task of a connection, within a few seconds."""
    async with asyncio.timeout(10):
        while server.connections():
            await asyncio.sleep(0.01)


# Upstream


def test_hypercorn_is_the_one_that_the_guards_were_written_against() -> None:
    assert upstream.changed() == []


def test_another_hypercorn_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "hypercorn"
    shutil.copytree(Path(hypercorn.__file__).parent, root)
    (root / "protocol" / "h11.py").open("a").write("# repaired\n")
    (root / "asyncio" / "task_group.py").unlink()
    found = upstream.changed(root)
    assert sorted(found) == ["asyncio/task_group.py", "protocol/h11.py"]
    monkeypatch.setattr(run, "TCPServer", TCPServer)
    monkeypatch.setattr(upstream, "changed", lambda: found)
    assert upstream.install() == found
    assert vars(run)["TCPServer"] is TCPServer


async def test_another_hypercorn_serves_unguarded_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "TCPServer", TCPServer)
    monkeypatch.setattr(upstream, "changed", lambda: ["protocol/h11.py"])
    with InProcess(tmp_path) as server:
        assert "hypercorn_not_guarded" in capfd.readouterr().out
        client = await open_websocket(server.url)
        id = await api.publish(server.url, "t", 1)
        async with asyncio.timeout(DEADLINE):
            await client.reader.readuntil(id.encode())
        assert server.pipes() == ["TransportPipe"]
        client.reset()


# Nothing stays behind

LEAVING: dict[str, Callable[[InProcess], Awaitable[Connection]]] = {}


def leaving(begin: Callable[[InProcess], Awaitable[Connection]]) -> Callable[[InProcess], Awaitable[Connection]]:
    LEAVING[begin.__name__] = begin
    return begin


async def begun(server: InProcess, text: str, body: bytes = b"") -> Connection:
    connection = await Connection.open(server.url)
    connection.writer.write(text.replace("\n", "\r\n").encode() + body)
    await connection.writer.drain()
    return connection


@leaving
async def silent(server: InProcess) -> Connection:
    return await Connection.open(server.url)


@leaving
async def idle_after_an_answer(server: InProcess) -> Connection:
    _, connection = await one_request(server.url, f"GET /api/health HTTP/1.1{HOST}")
    return connection


@leaving
async def half_a_head(server: InProcess) -> Connection:
    return await begun(server, f"GET /api/health HTTP/1.1{HOST}\nX-Half: ")


@leaving
async def half_a_body(server: InProcess) -> Connection:
    head = f"POST /api/events HTTP/1.1{HOST}\nContent-Type: application/json\nContent-Length: 100\n\n"
    return await begun(server, head, b"{")


@leaving
async def half_a_body_for_quart(server: InProcess) -> Connection:
    head = f"POST /api/projects HTTP/1.1{HOST}\nContent-Type: application/json\nContent-Length: 100\n\n"
    return await begun(server, head, b"{")


@leaving
async def a_body_that_nobody_reads(server: InProcess) -> Connection:
    """More than the application's queue holds; Hypercorn's reader and application would wait for each other."""
    head = f"DELETE /api/health HTTP/1.1{HOST}\nTransfer-Encoding: chunked\n\n"
    connection = await begun(server, head)
    await pour(connection, b"1\r\na\r\n" * 40_000)
    return connection


@leaving
async def a_stream(server: InProcess) -> Connection:
    _, connection = await one_request(server.url, f"GET /api/sse?topic=t HTTP/1.1{HOST}")
    return connection


@leaving
async def a_stream_with_a_body(server: InProcess) -> Connection:
    _, connection = await one_request(server.url, f"GET /api/sse?topic=t HTTP/1.1{HOST}\nContent-Length: 9")
    return connection


@leaving
async def a_request_behind_a_stream(server: InProcess) -> Connection:
    head = f"GET /api/sse?topic=t HTTP/1.1{HOST}"
    _, connection = await one_request(server.url, head, f"GET / HTTP/1.1{HOST}\n\n".replace("\n", "\r\n").encode())
    return connection


@leaving
async def a_waiting_poll(server: InProcess) -> Connection:
    return await begun(server, f"GET /api/events?topic=t&wait=50 HTTP/1.1{HOST}\n\n")


@leaving
async def a_websocket(server: InProcess) -> Connection:
    return await open_websocket(server.url)


@leaving
async def half_a_message(server: InProcess) -> Connection:
    connection = await open_websocket(server.url)
    connection.writer.write(frame(1, b"half", fin=False))
    return connection


@leaving
async def many_messages_unread(server: InProcess) -> Connection:
    connection = await open_websocket(server.url)
    connection.writer.write(frame(1, b'{"op":"ping"}') * 500)
    return connection


@leaving
async def a_refused_handshake(server: InProcess) -> Connection:
    connection = await Connection.open(server.url)
    await shake_hands(connection, Sec_WebSocket_Version="12")
    assert (await connection.read_head()).status == 400
    return connection


@pytest.mark.parametrize("how", ["close", "reset", "shut down"])
@pytest.mark.parametrize("begin", LEAVING.values(), ids=LEAVING.keys())
async def test_who_leaves_leaves_nothing_behind(
    server: InProcess, begin: Callable[[InProcess], Awaitable[Connection]], how: str
) -> None:
    await nothing_is_left(server)
    connections = [await begin(server) for _ in range(5)]
    if how == "reset":
        for connection in connections:
            connection.reset()
    elif how == "close":
        for connection in connections:
            connection.writer.close()
    else:
        for connection in connections:
            if not connection.writer.is_closing():
                connection.writer.write_eof()
    await nothing_is_left(server)
    for connection in connections:
        connection.reset()


async def test_short_connections_hold_no_descriptor(server: InProcess) -> None:
    for _ in range(300):
        assert (await request(server.url, "GET", "/api/health")).status == 200
    await nothing_is_left(server)


async def test_a_request_that_came_whole_is_carried_out_though_its_client_left(server: InProcess) -> None:
    topic = api.unique("left")
    body = json.dumps({"topic": topic, "type": "x", "data": "x" * 50_000}).encode()
    head = f"POST /api/events HTTP/1.1{HOST}\nContent-Type: application/json\nContent-Length: {len(body)}\n\n"
    connection = await begun(server, head, body)
    connection.writer.write_eof()
    answer = await request(server.url, "GET", "/api/events", query={"topic": topic, "after": "earliest", "wait": "20"})
    assert len(answer.json()["events"]) == 1
    connection.reset()


@pytest.mark.parametrize("head", ["GET /api/health HTTP/1.1", "GET /api/sse?topic=t HTTP/1.1"])
async def test_a_connection_that_has_ended_is_no_work_for_the_garbage_collector(
    server: InProcess, monkeypatch: pytest.MonkeyPatch, head: str
) -> None:
    """With many short ones it would stop the loop for as long as there is garbage, every 15,000 objects."""
    made: list[weakref.ref[TCPServer | asyncio.StreamReader]] = []
    make = vars(run)["TCPServer"]

    def remembered(*args: Any) -> TCPServer:
        one: TCPServer = make(*args)
        made.extend((weakref.ref(one), weakref.ref(one.reader)))
        return one

    monkeypatch.setattr(run, "TCPServer", remembered)
    gc.disable()
    try:
        for _ in range(3):
            _, connection = await one_request(server.url, head + HOST)
            connection.reset()
        await nothing_is_left(server)
        async with asyncio.timeout(10):
            while any(one() is not None for one in made):
                await asyncio.sleep(0.01)
    finally:
        gc.enable()
    assert len(made) == 6


# What a request may be made of


@pytest.mark.parametrize(("fields", "status"), [(126, 200), (127, 431), (3_000, 431)])
async def test_a_head_has_so_many_fields(server: InProcess, fields: int, status: int) -> None:
    """RFC 6585, 5. With the first line and Host there are two more lines."""
    head = f"GET /api/health HTTP/1.1{HOST}" + "".join(f"\na{n}: b" for n in range(fields))
    found, connection = await one_request(server.url, head)
    assert found == status
    connection.reset()


async def test_what_follows_a_head_is_none_of_its_fields(server: InProcess) -> None:
    """A body of many lines comes in the same piece, and a pipeline."""
    topic = api.unique("lines")
    body = "\n".join(json.dumps({"topic": topic, "type": "x", "data": n}) for n in range(500)).encode()
    head = f"POST /api/events HTTP/1.1{HOST}\nContent-Type: application/x-ndjson\nContent-Length: {len(body)}"
    status, connection = await one_request(server.url, head, body)
    assert status == 201
    connection.reset()


def chunked(pieces: Iterable[bytes]) -> bytes:
    """RFC 9112, 7.1."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


CHUNKED = f"POST /api/events HTTP/1.1{HOST}\nContent-Type: application/x-ndjson\nTransfer-Encoding: chunked"


async def test_a_body_may_come_in_small_chunks(server: InProcess) -> None:
    """Each line and its end apart, as some write them, large ones in between: all of it, in its order."""
    topic = api.unique("chunks")
    lines = [json.dumps({"topic": topic, "type": "x", "data": [n, "x" * (n % 7 * 500)]}).encode() for n in range(900)]
    body = chunked(piece for line in lines for piece in (line, b"\n"))
    status, connection = await one_request(server.url, CHUNKED, body)
    assert status == 201
    connection.reset()
    answer = await request(server.url, "GET", "/api/events", query={"topic": topic, "after": "earliest", "limit": 1000})
    assert [event["data"][0] for event in answer.json()["events"]] == list(range(len(answer.json()["events"])))
    assert len(answer.json()["events"]) > 500


@pytest.mark.parametrize(
    ("chunks", "size", "statuses"),
    [
        (CHUNKS_MAX - 200, 2 * TINY, {422}),  # some come in two reads, and count twice
        (CHUNKS_MAX + 1, 2 * TINY, {413}),
        (TINY_MAX, 1, {422}),
        (TINY_MAX + 1, 1, {413}),
        (TINY_MAX + 1, TINY - 1, {413}),
    ],
)
async def test_but_not_in_more_than_anybody_needs(
    server: InProcess, chunks: int, size: int, statuses: set[int]
) -> None:
    connection = await Connection.open(server.url)
    connection.writer.write(CHUNKED.replace("\n", "\r\n").encode() + b"\r\n\r\n")
    pouring = asyncio.create_task(pour(connection, chunked([b"\n" * size] * chunks)))
    assert (await connection.read_head()).status in statuses
    await pouring
    connection.reset()


async def test_a_request_that_was_answered_before_its_body_was_taken_leaves_its_connection(server: InProcess) -> None:
    """More than the application's inbox holds, the last of it small, all in one piece."""
    head = f"GET /api/health HTTP/1.1{HOST}\nTransfer-Encoding: chunked"
    for _ in range(3):
        status, connection = await one_request(server.url, head, chunked([b"x" * 2_000] * 10 + [b"x"]))
        assert status == 200
        await connection.reader.readexactly(len(b'{"status":"ok"}'))
        connection.writer.write(f"GET /api/health HTTP/1.1{HOST}\n\n".replace("\n", "\r\n").encode())
        assert (await connection.read_head()).status == 200
        connection.reset()


async def test_pieces_of_a_body_with_a_length_are_no_chunks(server: InProcess) -> None:
    topic = api.unique("pieces")
    body = json.dumps({"topic": topic, "type": "x", "data": "x" * 30_000}).encode()
    connection = await Connection.open(server.url)
    await connection.send(
        "POST", "/api/events", headers={"Content-Type": "application/json", "Content-Length": str(len(body))}
    )
    for start in range(0, len(body), 900):
        connection.writer.write(body[start : start + 900])
        await connection.writer.drain()
        await asyncio.sleep(0)
    assert (await connection.read_head()).status == 201
    connection.reset()


async def test_a_small_answer_is_one_write(server: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """The head waits for the body: each write is a call of the kernel."""
    written: list[bytes] = []
    write = asyncio.StreamWriter.write
    server_thread = server._thread

    def noted(self: asyncio.StreamWriter, data: bytes) -> None:
        if threading.current_thread() is server_thread:
            written.append(bytes(data))
        write(self, data)

    monkeypatch.setattr(asyncio.StreamWriter, "write", noted)
    for method, body in (("GET", b'{"status":"ok"}'), ("HEAD", b"")):
        written.clear()
        answer = await request(server.url, method, "/api/health")
        assert (answer.status, answer.body) == (200, body)
        assert len(written) == 1
        assert written[0].endswith(b"\r\n\r\n" + body)


@pytest.mark.parametrize("path", ["/api/topics", "/api/events", "/api/health", "/nothing"])
async def test_the_body_of_a_read_is_thrown_away(server: InProcess, path: str) -> None:
    """It means nothing (RFC 9110, 9.3.1), and nobody holds it; who is answered before it has come is let go."""
    connection = await Connection.open(server.url)
    answer = await connection.request("GET", path, body=b"a" * 300_000)
    assert answer.status == (404 if path == "/nothing" else 200)
    connection.reset()
    await nothing_is_left(server)


# What is owed has its time

OWING = {
    "a body": (f"POST /api/events HTTP/1.1{HOST}\nContent-Type: application/json\nContent-Length: 100\n\n", b"{"),
    "a chunk": (
        f"POST /api/events HTTP/1.1{HOST}\nContent-Type: application/json\nTransfer-Encoding: chunked\n\n",
        b"5",
    ),
}


@pytest.mark.parametrize("what", OWING)
async def test_a_body_that_does_not_come_is_408(hasty: InProcess, what: str) -> None:
    connection = await begun(hasty, *OWING[what])
    assert (await connection.read_head()).status == 408
    assert await rest(connection) == b""
    connection.reset()
    await nothing_is_left(hasty)


async def dripped(connection: Connection, data: bytes) -> None:
    """A byte now and then of what is owed is answered with 408."""

    async def drip() -> None:
        while True:
            connection.writer.write(data)
            await asyncio.sleep(0.2)

    dripping = asyncio.create_task(drip())
    assert (await connection.read_head()).status == 408
    dripping.cancel()
    connection.reset()


async def test_a_body_that_drips_is_one_that_does_not_come(hasty: InProcess) -> None:
    await dripped(await begun(hasty, *OWING["a body"]), b" ")


async def test_a_connection_that_says_nothing_ends(hasty: InProcess) -> None:
    connection = await begun(hasty, "")
    assert await rest(connection) == b""
    connection.reset()
    await nothing_is_left(hasty)


class Held:
    """In place of the guards' turns: whoever asks waits until it is `released`. On the server's loop."""

    def __init__(self) -> None:
        self.asked, self.released = threading.Event(), asyncio.Event()

    async def take(self, rank: Rank) -> None:
        if rank is not Rank.NEW:
            self.asked.set()
            await self.released.wait()


@contextmanager
def held(server: InProcess) -> Iterator[Held]:
    """Turns are given again in the end."""
    turns, held = server.ask(lambda assembly: assembly.guards.turns), Held()
    server.ask(lambda assembly: setattr(assembly.guards, "turns", held))
    try:
        yield held
    finally:
        server.ask(lambda assembly: (setattr(assembly.guards, "turns", turns), held.released.set()))


async def asking(server: InProcess, held: Held, topic: str) -> Connection:
    """A publish that was read and waits for its turn."""
    body = json.dumps({"topic": topic, "type": "x", "data": 1}).encode()
    head = f"POST /api/events HTTP/1.1{HOST}\nContent-Type: application/json\nContent-Length: {len(body)}\n\n"
    connection = await begun(server, head, body)
    await asyncio.to_thread(held.asked.wait, DEADLINE)
    return connection


def every_connection(server: InProcess, what: str) -> None:
    server.ask(lambda assembly: [getattr(one, what)() for one in tuple(assembly.guards.crowd._open)])


async def test_who_has_asked_does_not_rest(server: InProcess) -> None:
    with held(server) as turns:
        connection = await asking(server, turns, api.unique("asks"))
        every_connection(server, "has_rested")
    assert (await connection.read_head()).status == 201
    connection.reset()


async def test_what_nobody_would_be_told_of_is_not_done(server: InProcess) -> None:
    topic = api.unique("gave-way")
    with held(server) as turns:
        connection = await asking(server, turns, topic)
        every_connection(server, "give_way")
    assert await rest(connection) == b""
    connection.reset()
    await nothing_is_left(server)
    assert await api.history(server.url, [topic]) == []


async def test_who_rests_on_an_answer_that_he_does_not_take_is_let_go(tmp_path: Path) -> None:
    asked = 0

    def left(assembly: Assembly) -> int | None:
        """Bytes of the last answer that wait to be sent, once all were given."""
        crowd: Any = assembly.guards.crowd
        found = next(iter(crowd._idle[Idle.RESTING]), None)
        is_there = found is not None and found.protocol.keep_alive_requests == asked
        return found.writer.transport.get_write_buffer_size() if is_there else None

    with InProcess(tmp_path, config={"keep_alive_timeout": 1}, send_timeout=60) as server:
        await api.publish(server.url, "t", "x" * 30_000)  # less than its connection may have in its buffer
        connection = await Connection.open(server.url, receive_buffer=4096)
        connection.writer.transport.pause_reading()  # type: ignore[attr-defined]
        while not server.ask(left):
            await connection.send("GET", "/api/events?topic=t&after=earliest")
            asked += 1
            await until(lambda: server.ask(left) is not None)
        await nothing_is_left(server)
        connection.reset()


@pytest.mark.parametrize("text", ["GET / HTT", f"GET / HTTP/1.1{HOST}\n"])
@pytest.mark.parametrize("before", ["", f"GET /api/health HTTP/1.1{HOST}\n\n"])
async def test_a_head_that_does_not_come_is_408(tmp_path: Path, text: str, before: str) -> None:
    """Sooner than one who has not begun is asked to go; also after another request."""
    with InProcess(tmp_path, send_timeout=1) as server:
        connection = await begun(server, before)
        if before:
            answer = await connection.read_head()
            assert answer.status == 200
            await connection.reader.readexactly(int(answer.header("content-length") or 0))
        connection.writer.write(text.replace("\n", "\r\n").encode())
        assert (await connection.read_head()).status == 408
        assert await rest(connection) == b""
        connection.reset()
        await nothing_is_left(server)


async def test_a_head_that_drips_is_one_that_does_not_come(tmp_path: Path) -> None:
    with InProcess(tmp_path, send_timeout=1) as server:
        await dripped(await begun(server, f"GET / HTTP/1.1{HOST}\n"), b"a")


async def test_a_message_that_does_not_go_on_is_1008(hasty: InProcess) -> None:
    connection = await open_websocket(hasty.url)
    connection.writer.write(frame(1, b"half", fin=False))
    assert close_code(await rest(connection)) == 1008
    connection.reset()
    await nothing_is_left(hasty)


async def test_a_body_that_two_give_up_at_once_is_answered_by_one(
    hasty: InProcess, caplog: pytest.LogCaptureFixture
) -> None:
    """The connection's time for what is owed and the body's own are over in the same moment."""
    bodies = [await half_a_body(hasty) for _ in range(200)]
    answers = await asyncio.gather(*(rest(connection) for connection in bodies))
    assert {answer[:12] for answer in answers} == {b"HTTP/1.1 408"}
    await nothing_is_left(hasty)
    assert "ASGI" not in caplog.text


async def test_who_owes_nothing_stays(hasty: InProcess) -> None:
    """Streams, and clients between two messages, for longer than what is owed has."""
    _, stream = await one_request(hasty.url, f"GET /api/sse?topic=stay HTTP/1.1{HOST}")
    socket = await open_websocket(hasty.url, "/api/ws?topic=stay")
    socket.writer.write(frame(1, b'{"op":', fin=False) + frame(0, b'"ping"}'))
    await socket.reader.readuntil(b'"pong"')
    await asyncio.sleep(1.5)
    id = await api.publish(hasty.url, "stay", 1)
    for connection in (stream, socket):
        async with asyncio.timeout(DEADLINE):
            await connection.reader.readuntil(id.encode())
        connection.reset()


# Who has left before it was let in


async def half_closed(server: InProcess, request: bytes) -> bytes:
    """The answer to a request whose sender ends its side at once, and still reads."""
    connection = await Connection.open(server.url)
    connection.writer.write(request)
    connection.writer.write_eof()
    try:
        return await rest(connection)
    finally:
        connection.reset()


async def test_half_a_connection_has_its_answer(server: InProcess) -> None:
    for path in ("/api/health", "/api/events?topic=none", "/metrics", "/"):
        answer = await half_closed(server, f"GET {path} HTTP/1.1{HOST}\n\n".replace("\n", "\r\n").encode())
        assert answer.startswith(b"HTTP/1.1 200")


async def test_of_a_flood_of_them_questions_may_go_unanswered_and_changes_may_not(server: InProcess) -> None:
    question = f"GET /metrics HTTP/1.1{HOST}\n\n".replace("\n", "\r\n").encode()
    answers = await asyncio.gather(*(half_closed(server, question) for _ in range(200)))
    assert {answer[:12] for answer in answers} <= {b"", b"HTTP/1.1 200", b"HTTP/1.1 503"}
    topic = api.unique("left")
    body = json.dumps({"topic": topic, "type": "x", "data": 1})
    head = f"POST /api/events HTTP/1.1{HOST}\nContent-Type: application/json\nContent-Length: {len(body)}\n\n"
    change = head.replace("\n", "\r\n").encode() + body.encode()
    changed = await asyncio.gather(*(half_closed(server, change) for _ in range(200)))
    assert {answer[:12] for answer in changed} == {b"HTTP/1.1 201"}
    assert len((await api.read(server.url, topic=topic, after="earliest"))["events"]) == 200


# Requests that may mean two things


async def test_two_lengths_are_refused_and_what_follows_is_not_carried_out(server: InProcess) -> None:
    """RFC 9112, 6.1."""
    topic = api.unique("smuggled")
    body = json.dumps({"topic": topic, "type": "x", "data": 1}).encode()
    inner = f"POST /api/events HTTP/1.1{HOST}\nContent-Type: application/json\nContent-Length: {len(body)}\n\n"
    smuggled = b"0\r\n\r\n" + inner.replace("\n", "\r\n").encode() + body
    head = f"POST /api/topics HTTP/1.1{HOST}\nContent-Length: {len(smuggled)}\nTransfer-Encoding: chunked"
    status, connection = await one_request(server.url, head, smuggled)
    assert status == 400
    assert await rest(connection) == b""
    connection.reset()
    answer = await request(server.url, "GET", "/api/events", query={"topic": topic, "after": "earliest"})
    assert answer.json()["events"] == []


async def test_http_2_in_cleartext_is_refused(server: InProcess) -> None:
    status, connection = await one_request(server.url, "PRI * HTTP/2.0", b"SM\r\n\r\n\0\0\0\4\0\0\0\0\0")
    assert status == 505
    assert await rest(connection) == b""
    connection.reset()


async def test_an_upgrade_to_http_2_is_ignored(server: InProcess) -> None:
    """RFC 9110, 7.8. A proxy that passed it on would be a tunnel."""
    head = f"GET /api/health HTTP/1.1{HOST}\nUpgrade: h2c\nConnection: Upgrade, HTTP2-Settings"
    head += "\nHTTP2-Settings: AAMAAABkAAQAAP__"
    status, connection = await one_request(server.url, head)
    assert status == 200
    connection.reset()


# An answer is read, whatever was still being sent


async def test_who_is_refused_while_sending_learns_why(server: InProcess) -> None:
    for _ in range(20):
        connection = await Connection.open(server.url)
        await connection.send(
            "POST", "/api/events", headers={"Content-Type": "application/json", "Content-Length": "9000000"}
        )
        sending = asyncio.create_task(pour(connection, b" " * 4_000_000))
        assert (await connection.read_head()).status == 413
        await sending
        connection.reset()


# WebSockets (RFC 6455)

BREACHES = {
    "not masked": (frame(1, b"a", masked=False), 1002),
    "a reserved bit": (frame(1, b"a", rsv=4), 1002),
    "an opcode that is none": (frame(3, b"a"), 1002),
    "a control frame in pieces": (frame(9, b"a", fin=False), 1002),
    "a control frame too long": (frame(9, b"a" * 126), 1002),
    "a continuation of nothing": (frame(0, b"a"), 1002),
    "a message within a message": (frame(1, b"a", fin=False) + frame(1, b"a"), 1002),
    "a Close of one byte": (frame(8, b"a"), 1002),
    "a Close code that is none": (frame(8, (1005).to_bytes(2)), 1002),
    "a Close reason that is no text": (frame(8, (1000).to_bytes(2) + b"\xff"), 1007),
    "text that is none": (frame(1, b"\xff"), 1007),
    "text that ends within a character": (frame(1, "é".encode()[:1]), 1007),
    "a length with its first bit set": (b"\x81\xff" + b"\xff" * 8 + b"\0\0\0\0", 1002),
    "a message too large": (frame(1, b"a" * 200_000), 1009),
    "bytes": (frame(2, b"a"), 1003),
}


@pytest.mark.parametrize("breach", BREACHES)
async def test_a_breach_is_answered_with_its_close_code(server: InProcess, breach: str) -> None:
    """RFC 6455, 7.1.7."""
    sent, code = BREACHES[breach]
    connection = await open_websocket(server.url)
    connection.writer.write(sent)
    assert close_code(await rest(connection)) == code
    connection.reset()


async def test_a_close_is_answered_with_the_same(server: InProcess) -> None:
    connection = await open_websocket(server.url)
    connection.writer.write(frame(8, (3_210).to_bytes(2) + b"bye"))
    assert close_code(await rest(connection)) == 3_210
    connection.reset()


@pytest.mark.parametrize(
    "key", [None, "", "x", "a" * 24, "dGhlIHNhbXBsZSBub25jZ", "dGhlIHNhbXBsZSBub25jZXM=", "dGhlIHNhbXBsZSBub25j!Q=="]
)
async def test_a_key_that_is_not_16_bytes_is_refused_and_the_connection_ends(
    server: InProcess, key: str | None
) -> None:
    connection = await Connection.open(server.url)
    await shake_hands(connection, Sec_WebSocket_Key=key)
    assert (await connection.read_head()).status == 400
    assert await rest(connection) == b""
    connection.reset()


@pytest.mark.parametrize("name", ["Connection", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"])
async def test_a_handshake_that_is_not_ascii_is_refused(server: InProcess, name: str) -> None:
    """Hypercorn decodes these as if it were: no answer, and a traceback in the log."""
    connection = await Connection.open(server.url)
    await shake_hands(connection, **{name.replace("-", "_"): "Upgrade, \xff" if name == "Connection" else "\xff"})
    assert (await connection.read_head()).status == 400
    connection.reset()


async def test_connection_may_be_said_in_two_lines(server: InProcess) -> None:
    """Lists may (RFC 9110, 5.3)."""
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13"
    for lines in ("Connection: Upgrade\nConnection: keep-alive", "Connection: keep-alive\nConnection: Upgrade"):
        head = f"GET /api/ws?topic=t HTTP/1.1{HOST}\nUpgrade: websocket\n{lines}\n{key}"
        status, connection = await one_request(server.url, head)
        assert status == 101
        connection.reset()


async def test_two_keys_are_refused(server: InProcess) -> None:
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    head = (
        f"GET /api/ws HTTP/1.1{HOST}\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13\n{key}\n{key}"
    )
    status, connection = await one_request(server.url, head)
    assert status == 400
    connection.reset()


async def test_frames_before_the_handshake_is_answered_are_refused(server: InProcess) -> None:
    """In one piece with it, so that they are there first for certain."""
    head = f"GET /api/ws HTTP/1.1{HOST}\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13"
    head += "\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    status, connection = await one_request(server.url, head, frame(1, b'{"op":"ping"}'))
    assert status == 400
    assert await rest(connection) == b""
    connection.reset()
    await nothing_is_left(server)


EMPTY = {
    "pings": frame(9),
    "pongs": frame(10),
    "empty messages": frame(1),
    "small fragments": frame(0, b"a", fin=False),
    "empty fragments": frame(0, fin=False),
}


@pytest.mark.parametrize("kind", EMPTY)
async def test_frames_that_say_nothing_are_counted(server: InProcess, kind: str) -> None:
    connection = await open_websocket(server.url)
    if "fragments" in kind:
        connection.writer.write(frame(1, b"a", fin=False))
    await pour(connection, EMPTY[kind] * 100_000)
    said = await rest(connection)
    assert close_code(said) == 1013
    goodbye = json.loads(said[said.index(b'{"type":"goodbye"') : said.rindex(b"}") + 1])
    assert (goodbye["reason"], goodbye["code"], goodbye["retry"] > 0) == ("limit", 1013, True)
    connection.reset()
    await nothing_is_left(server)


async def test_the_operators_bound_of_those_holds(tmp_path: Path) -> None:
    """At it, and one past it."""
    with InProcess(tmp_path, frame_rate=0.001, frame_burst=10) as server:
        connection = await open_websocket(server.url)
        connection.writer.write(frame(10) * 10 + frame(1, b'{"op":"ping","ref":"still here"}'))
        async with asyncio.timeout(DEADLINE):
            await connection.reader.readuntil(b"still here")
        connection.writer.write(frame(10))
        assert close_code(await rest(connection)) == 1013
        connection.reset()
        await nothing_is_left(server)


async def test_pings_that_come_together_have_one_answer_to_the_last(server: InProcess) -> None:
    """RFC 6455, 5.5.3."""
    connection = await open_websocket(server.url)
    connection.writer.write(b"".join(frame(9, b"ping %d" % n) for n in range(200)))
    async with asyncio.timeout(DEADLINE):
        got = await connection.reader.readuntil(b"ping 199")
    assert got.count(b"ping") < 100
    connection.reset()


async def test_as_many_as_are_allowed_disturb_nobody(server: InProcess) -> None:
    connection = await open_websocket(server.url)
    connection.writer.write(frame(10) * 999 + frame(1, b'{"op":"ping","ref":"still here"}'))
    async with asyncio.timeout(DEADLINE):
        await connection.reader.readuntil(b"still here")
    connection.reset()


async def test_large_fragments_and_many_messages_are_not_what_is_counted(server: InProcess) -> None:
    connection = await open_websocket(server.url)
    for start in range(0, 3_000, 100):
        numbers = range(start, start + 100)
        connection.writer.write(b"".join(frame(1, b'{"op":"ping","ref":%d}' % number) for number in numbers))
        async with asyncio.timeout(DEADLINE):
            await connection.reader.readuntil(b'"ref":%d}' % numbers[-1])
    connection.writer.write(frame(1, b'{"op":"ping","ref":"', fin=False))
    connection.writer.write(frame(0, b"a" * 1_024, fin=False) * 40 + frame(0, b'"}'))
    async with asyncio.timeout(DEADLINE):
        await connection.reader.readuntil(b'"pong"')
    connection.reset()


# Balancers that work on TCP alone


SECOND = b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + bytes([192, 0, 2, 7, 127, 0, 0, 1, 0x12, 0x67, 0x1F, 0x40])


@pytest.mark.parametrize("header", [b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 8000\r\n", SECOND])
async def test_a_trusted_hops_proxy_header_names_the_client(tmp_path: Path, header: bytes) -> None:
    with InProcess(tmp_path, proxy_protocol=True, trusted_hops="127.0.0.1", address_streams=1) as server:
        connection = await Connection.open(server.url)
        for piece in (header[:20], header[20:]):
            connection.writer.write(piece)
            await connection.writer.drain()
        await connection.send("GET", "/api/sse?topic=t")
        assert (await connection.read_head()).status == 200
        await connection.reader.readuntil(b"event: connection")
        assert server.ask(lambda assembly: [peer.address for peer in assembly.hub.peers()]) == ["192.0.2.7"]
        other = await Connection.open(server.url)
        other.writer.write(header)
        assert (await other.request("GET", "/api/sse?topic=t")).status == 429
        for one in (connection, other):
            one.reset()
        await nothing_is_left(server)


async def test_a_trusted_hop_has_to_send_one_and_nobody_else_may(tmp_path: Path) -> None:
    with InProcess(tmp_path, proxy_protocol=True, trusted_hops="127.0.0.1") as server:
        connection = await Connection.open(server.url)
        await connection.send("GET", "/api/health")
        assert await rest(connection) == b""
        connection.reset()
        await nothing_is_left(server)
    for hops in ("192.0.2.1", ""):
        with InProcess(tmp_path, proxy_protocol=True, trusted_hops=hops) as server:
            assert (await request(server.url, "GET", "/api/health")).status == 200
            status, connection = await one_request(server.url, "PROXY TCP4 192.0.2.7 127.0.0.1 4711 8000")
            assert status == 400
            connection.reset()


# Readers that are slow


async def trickle(connection: Connection, rate: float) -> AsyncIterator[bytes]:
    """What comes, at `rate` bytes a second."""
    while piece := await connection.reader.read(16_384):
        yield piece
        await asyncio.sleep(len(piece) / rate)


async def test_a_steady_reader_gets_all_of_its_answer(tmp_path: Path) -> None:
    """Longer than `send_timeout`, which is for those who take nothing.

    Its window holds a segment of loopback, 64 KiB: into a smaller one the kernel sends by probes alone, and takes that
    for a peer that takes nothing (TCP_USER_TIMEOUT).
    """
    with InProcess(tmp_path, send_timeout=5) as server:
        await api.publish_many(server.url, "t", ["x" * 60_000] * 50, batch=10)
        connection = await Connection.open(server.url, receive_buffer=150_000)
        began = asyncio.get_running_loop().time()
        await connection.send("GET", "/api/events?topic=t&after=earliest&limit=1000")
        head = await connection.read_head()
        size = int(head.header("content-length") or 0)
        got = 0
        async for piece in trickle(connection, 150_000):
            got += len(piece)
            if got >= size:
                break
        assert got == size > 900_000
        assert asyncio.get_running_loop().time() - began > 5
        connection.reset()


async def test_a_reader_that_stops_is_cut(tmp_path: Path) -> None:
    with InProcess(tmp_path, send_timeout=1) as server:
        await api.publish_many(server.url, "t", ["x" * 60_000] * 60, batch=10)
        connection = await Connection.open(server.url, receive_buffer=4_096)
        await connection.send("GET", "/api/events?topic=t&after=earliest&limit=1000")
        await connection.read_head()
        await nothing_is_left(server)
        connection.reset()
