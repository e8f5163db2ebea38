"""What connections alone can do: many, short, half, silent, unread."""

import asyncio
import socket
from typing import Final

from tests.hostile.attack import Attacker, attack, frame, handshake, head

IMPATIENT: Final = {"TWINWIRE_SEND_TIMEOUT": "1"}
"""A server whose deadlines are short, so that a test need not wait for the long ones."""
LET_GO: Final = 8.0
"""Seconds within which it has to end a connection that makes no progress; it may look every few seconds only."""
HEALTH: Final = head("GET", "/api/health")


@attack("short-lived", row="1")
async def short_lived(attacker: Attacker) -> None:
    """One request a connection, closed by the client, one after the other."""
    while True:
        connection = await attacker.send(HEALTH)
        await connection.read_head()
        attacker.leave(connection)


@attack("short-lived-few-fds", row="1", descriptors=256, quick=1)
async def short_lived_few(attacker: Attacker) -> None:
    """The same where the process may have 256 descriptors: nobody else may be shut out."""
    await short_lived(attacker)


@attack("resets", row="1 kin")
async def resets(attacker: Attacker) -> None:
    """A request, and a reset before its answer."""
    while True:
        connection = await attacker.send(head("GET", "/api/sse?topic=a/b"))
        connection.reset()
        await asyncio.sleep(0)


@attack("out-of-descriptors", row="23", descriptors=256, connections=(200,), quick=200)
async def out_of_descriptors(attacker: Attacker) -> None:
    """More streams than the process has descriptors: health and new connections must still be served."""
    for _ in range(3):
        await attacker.send(head("GET", "/api/sse?topic=a/b"))
    await asyncio.Event().wait()


@attack("half-head", row="14", env=IMPATIENT, seconds=LET_GO + 1)
async def half_head(attacker: Attacker) -> None:
    """Half a request head, then silence: the server has to let go."""
    connection = await attacker.send(HEALTH[:20])
    attacker.must(await attacker.is_let_go(connection, LET_GO), "half a head is held")


@attack("dripping-head", row="14", env=IMPATIENT, seconds=LET_GO + 1)
async def dripping_head(attacker: Attacker) -> None:
    """A header of a byte now and then: progress, but never a request."""
    connection = await attacker.send(HEALTH[:-2])
    for _ in range(int(LET_GO * 2)):
        if await attacker.is_let_go(connection, 0.5):
            return
        connection.writer.write(b"a")
    attacker.must(False, "a dripping head is held")


@attack("half-body", row="14", env=IMPATIENT, seconds=LET_GO + 1)
async def half_body(attacker: Attacker) -> None:
    """A body that stops half way, of a publish and of a resource: both must be let go."""
    halves = [await attacker.send(post(path, b"x" * 50, 100)) for path in ("/api/events", "/api/topics/trim")]
    gone = [await attacker.is_let_go(connection, LET_GO / 2) for connection in halves]
    attacker.must(all(gone), "half a body is held")


@attack("half-message", row="14", env=IMPATIENT, seconds=LET_GO + 1)
async def half_message(attacker: Attacker) -> None:
    """Half a WebSocket message, then only pongs."""
    socket = await attacker.websocket()
    socket.writer.write(frame(0x1, b'{"op":', final=False))
    attacker.must(await attacker.is_let_go(socket, LET_GO), "half a message is held")


@attack("refused-handshake", row="14", env=IMPATIENT, seconds=LET_GO + 1)
async def refused_handshake(attacker: Attacker) -> None:
    """A WebSocket handshake that is refused, and a client that does not go away."""
    connection = await attacker.send(handshake("topic=a/b", Sec_WebSocket_Version="12"))
    attacker.must(await attacker.is_let_go(connection, LET_GO), "a refused handshake is held")


@attack("half-closed", row="14 kin", env=IMPATIENT, seconds=LET_GO + 1)
async def half_closed(attacker: Attacker) -> None:
    """A request and a FIN, and nothing of the answer is read."""
    connection = await attacker.connect(receive_buffer=4_096)
    connection.writer.write(head("GET", "/api/events?after=earliest&wait=60"))
    connection.writer.write_eof()
    attacker.must(await attacker.is_let_go(connection, LET_GO), "a half closed connection is held")


@attack("unread-pipeline", row="14 kin")
async def unread_pipeline(attacker: Attacker) -> None:
    """Requests in a pipeline whose answers nobody reads."""
    connection = await attacker.connect(receive_buffer=4_096)
    connection.reader.feed_data(b"x" * (1 << 20))  # full: what comes in stays in the socket
    await attacker.pour(connection, head("GET", "/api/openapi.json") * 50)


@attack("read-pipeline", row="14 kin")
async def read_pipeline(attacker: Attacker) -> None:
    """Requests in a pipeline as fast as they are taken, the answers thrown away."""
    connection = await attacker.connect()
    async with asyncio.TaskGroup() as group:
        group.create_task(attacker.pour(connection, HEALTH * 200))
        group.create_task(attacker.is_let_go(connection, 3_600))


@attack("http-1.0", row="1 kin")
async def http_1_0(attacker: Attacker) -> None:
    """HTTP/1.0 without a Host, each on a connection of its own, closed by the server."""
    while True:
        connection = await attacker.send(b"GET /api/health HTTP/1.0\r\n\r\n")
        await connection.reader.read()
        attacker.leave(connection)


@attack("sse-come-and-go", row="1 kin")
async def sse_come_and_go(attacker: Attacker) -> None:
    """Streams that are opened and hung up at once."""
    while True:
        connection = await attacker.send(head("GET", f"/api/sse?topic=a/{attacker.number}"))
        await connection.read_head()
        attacker.leave(connection)


@attack("silence", row="14 kin", env=IMPATIENT)
async def silence(attacker: Attacker) -> None:
    """Connections that say nothing at all, and are given up only by the client."""
    for _ in range(5):
        connection = await attacker.connect()
        connection.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    await asyncio.Event().wait()


def post(path: str, body: bytes, length: int, **fields: str) -> bytes:
    """A request with a body, which may be shorter than what its length says."""
    named = {"Content-Type": "application/json", "Content-Length": str(length), **fields}
    return head("POST", path, **named) + body
