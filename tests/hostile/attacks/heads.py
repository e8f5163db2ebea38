"""What request heads and the framing of bodies can do."""

import asyncio
import os

from tests.hostile.attack import Attacker, attack, head
from tests.hostile.attacks.connections import HEALTH, post


@attack("both-lengths", row="28", connections=(1,))
async def both_lengths(attacker: Attacker) -> None:
    """Content-Length and Transfer-Encoding in one request: 400, and the connection ends (RFC 9112, 6.1)."""
    both = post("/api/events", b"2\r\n{}\r\n0\r\n\r\n" + HEALTH, 6, Transfer_Encoding="chunked")
    connection = await attacker.send(both)
    answer = await connection.read_head()
    attacker.must(answer.status == 400, f"both lengths: {answer.status}")
    attacker.must(await attacker.is_let_go(connection, 3), "both lengths: the connection stays open")


@attack("long-names", row="22")
async def long_names(attacker: Attacker) -> None:
    """Targets that no file system takes: no 500, and no traceback for each."""
    await attacker.keep_asking("GET", "/" + "n" * 300)


@attack("long-targets", row="22")
async def long_targets(attacker: Attacker) -> None:
    """A target of 31 KB."""
    await attacker.keep_asking("GET", "/" + "n" * 31_000)


@attack("many-headers", row="28 kin")
async def many_headers(attacker: Attacker) -> None:
    """As many header fields as a head of 31 KB holds."""
    fields = {f"a{n}": "" for n in range(4_000)}
    await attacker.pour(
        await attacker.connect(), head("GET", "/api/health", **fields)[:31_000].rpartition(b"\r\n")[0] + b"\r\n\r\n"
    )


@attack("endless-head", row="28 kin")
async def endless_head(attacker: Attacker) -> None:
    """A head that never ends, again and again."""
    while True:
        connection = await attacker.send(HEALTH[:-2])
        try:
            await attacker.pour(connection, b"a: " + b"b" * 8_000 + b"\r\n")
        finally:
            await asyncio.sleep(0)


@attack("slow-heads", row="14 kin")
async def slow_heads(attacker: Attacker) -> None:
    """A byte a write: each is a piece for the server to look at, and at all that came before."""
    connection = await attacker.send(HEALTH[:-2])
    for _ in range(30_000):
        connection.writer.write(b"a")
        await connection.writer.drain()
        await asyncio.sleep(0)


@attack("noise", row="28 kin")
async def noise(attacker: Attacker) -> None:
    """Bytes that are no HTTP: what TLS and scanners send."""
    while True:
        connection = await attacker.send(b"\x16\x03\x01\x02\x00\x01" + os.urandom(512))
        await attacker.is_let_go(connection, 5)
        attacker.leave(connection)


@attack("tiny-chunks", row="10 kin")
async def tiny_chunks(attacker: Attacker) -> None:
    """A body in chunks of one byte."""
    opening = head("POST", "/api/events", Content_Type="application/x-ndjson", Transfer_Encoding="chunked")
    while True:
        connection = await attacker.send(opening)
        connection.writer.write(b"1\r\n\n\r\n" * 200_000 + b"0\r\n\r\n")
        answer = await connection.read_head()
        attacker.must(answer.status in {400, 408, 413, 422, 503}, f"tiny chunks: {answer.status}")
        attacker.leave(connection)


@attack("chunk-extensions", row="10 kin")
async def chunk_extensions(attacker: Attacker) -> None:
    """Chunks of one byte with an extension of 8 KB each: bytes that no body counts."""
    connection = await attacker.send(head("POST", "/api/events", Transfer_Encoding="chunked"))
    await attacker.pour(connection, (b"1;" + b"e" * 8_000 + b"\r\n \r\n") * 8)


@attack("trailers", row="10 kin")
async def trailers(attacker: Attacker) -> None:
    """A body that has ended, and trailers that don't (RFC 9112, 7.1.2)."""
    while True:
        connection = await attacker.send(head("POST", "/api/events", Transfer_Encoding="chunked") + b"2\r\n{}\r\n0\r\n")
        await attacker.pour(connection, b"t: " + b"x" * 4_000 + b"\r\n")


@attack("expectations", row="28 kin")
async def expectations(attacker: Attacker) -> None:
    """Expect: 100-continue, and no body."""
    while True:
        connection = await attacker.send(post("/api/events", b"", 1_000_000, Expect="100-continue"))
        await connection.read_head()
        attacker.leave(connection)


@attack("heads-of-pages", row="22 kin")
async def heads_of_pages(attacker: Attacker) -> None:
    """HEAD of everything that there is, in a pipeline."""
    paths = ("/", "/lab.html", "/client/index.js", "/api/sse?topic=a", "/api/events", "/api/topics", "/metrics")
    connection = await attacker.connect()
    async with asyncio.TaskGroup() as group:
        group.create_task(attacker.pour(connection, b"".join(head("HEAD", path) for path in paths)))
        group.create_task(attacker.is_let_go(connection, 3_600))


@attack("preflights", row="24 kin")
async def preflights(attacker: Attacker) -> None:
    """OPTIONS of a foreign page, in a loop."""
    await attacker.keep_asking("OPTIONS", "/api/events", headers={"Origin": "https://evil.example"})
