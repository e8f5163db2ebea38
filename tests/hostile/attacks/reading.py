"""What reads can do: history, polls, lists, documents."""

import asyncio
import socket

from tests.hostile.attack import Attacker, attack, head

FULL = b"x" * (1 << 20)
"""More than a reader of ours takes in: what comes after stays in the socket."""


@attack("abandoned-scans", row="7", needs="events")
async def abandoned_scans(attacker: Attacker) -> None:
    """Reads for a type that is nowhere, hung up at once: nobody is there to read on for."""
    while True:
        connection = await attacker.send(head("GET", "/api/events?type=never&after=earliest"))
        await asyncio.sleep(0.05)
        attacker.leave(connection)


@attack("scans-of-one", row="7", needs="events")
async def scans_of_one(attacker: Attacker) -> None:
    """The same with `limit=1`, waited for."""
    await attacker.keep_asking("GET", "/api/events?type=never&after=earliest&limit=1")


@attack("large-reads", row="8", needs="large")
async def large_reads(attacker: Attacker) -> None:
    """A thousand events of 60 kB, of which an answer holds a few."""
    await attacker.keep_asking("GET", "/api/events?topic=big/one&after=earliest&limit=1000")


@attack("large-reads-unread", row="8", needs="large")
async def large_reads_unread(attacker: Attacker) -> None:
    """The same, and nobody takes the answer."""
    connection = await attacker.connect(receive_buffer=4_096)
    connection.reader.feed_data(FULL)
    connection.writer.write(head("GET", "/api/events?topic=big/one&after=earliest&limit=1000"))
    await asyncio.Event().wait()


@attack("large-reads-backwards", row="8 kin", needs="large")
async def large_reads_backwards(attacker: Attacker) -> None:
    """The same from the end."""
    await attacker.keep_asking("GET", "/api/events?topic=big/one&before=latest&limit=1000")


@attack("filters-that-differ", row="12", needs="topics")
async def filters_that_differ(attacker: Attacker) -> None:
    """Reads with a filter that was never asked before, over many topics."""
    connection = await attacker.connect()
    for number in range(1_000_000):
        path = f"/api/events?topic=crowd/*/*&topic=own/{attacker.number}/{number}&after=earliest&limit=1"
        await attacker.ask(connection, "GET", path)


@attack("list-of-topics", row="15", needs="topics")
async def list_of_topics(attacker: Attacker) -> None:
    """The list of 50,000 topics."""
    await attacker.keep_asking("GET", "/api/topics")


@attack("long-filters", row="17")
async def long_filters(attacker: Attacker) -> None:
    """A hundred filters of 96 segments in a query of 20 KB."""
    query = "&".join(f"topic={'*/' * 96}{n}" for n in range(100))
    await attacker.keep_asking("HEAD", f"/api/events?{query}")


@attack("many-parameters", row="17 kin")
async def many_parameters(attacker: Attacker) -> None:
    """A query of 30 KB that is nothing but `&`, and one of parameters that nobody knows."""
    connection = await attacker.connect()
    while True:
        for query in ("&" * 30_000, "&".join(f"a{n}=%41" for n in range(400))):
            await attacker.ask(connection, "GET", f"/api/events?{query}")


@attack(
    "thin-line", row="18", needs="large", env={"TWINWIRE_SEND_TIMEOUT": "1"}, seconds=9.0, quick=1, connections=(1, 20)
)
async def thin_line(attacker: Attacker) -> None:
    """An answer of 1.2 MB that is read slowly but steadily: it must come whole."""
    connection = await attacker.connect(receive_buffer=16_384)
    connection.writer.write(head("GET", "/api/events?topic=big/one&after=earliest&limit=20"))
    answer = await connection.read_head()
    left = int(answer.header("content-length") or 0)
    line = connection.writer.get_extra_info("socket")
    assert isinstance(line.type, socket.SocketKind)
    while left > 0 and (got := await connection.reader.read(16_384)):
        left -= len(got)
        await asyncio.sleep(0.04)
    attacker.must(left == 0, "a steady reader is cut")


@attack("polls-hung-up", row="26")
async def polls_hung_up(attacker: Attacker) -> None:
    """Long polls that wait, hung up a moment later."""
    while True:
        polls = [await attacker.send(head("GET", "/api/events?topic=a/b&wait=60")) for _ in range(5)]
        await asyncio.sleep(0.1)
        for poll in polls:
            attacker.leave(poll)


@attack("polls-woken", row="26")
async def polls_woken(attacker: Attacker) -> None:
    """Long polls, seven a connection's worth, that one event wakes all at once."""
    polls = [await attacker.send(head("GET", "/api/events?topic=wake/*&wait=60")) for _ in range(7)]
    await attacker.together()
    if attacker.is_first:
        await attacker.ask_anew("POST", "/api/events", body=b'{"topic":"wake/up","type":"log","data":1}')
    for poll in polls:
        await poll.read_head()


@attack("metrics", row="15 kin", needs="topics")
async def metrics(attacker: Attacker) -> None:
    """The metrics, in a loop."""
    await attacker.keep_asking("GET", "/metrics")


@attack("document", row="15 kin")
async def document(attacker: Attacker) -> None:
    """The OpenAPI document, in a loop."""
    await attacker.keep_asking("GET", "/api/openapi.json")


@attack("pages", row="22 kin")
async def pages(attacker: Attacker) -> None:
    """The pages and their scripts, in a loop."""
    connection = await attacker.connect()
    while True:
        for path in ("/", "/lab.html", "/client/index.js", "/nothing.js"):
            await attacker.ask(connection, "GET", path)
