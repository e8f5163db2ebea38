"""What was found by reading the code for an hour when all the others held. Rows are the numbers of that list."""

import asyncio
import json
from collections.abc import Iterable
from itertools import product
from typing import Final

from tests.hostile.attack import Attacker, attack, frame, handshake, head
from tests.hostile.attacks.publishing import JSON, NDJSON
from tests.hostile.attacks.reading import FULL
from tests.hostile.attacks.websocket import flood

LONG: Final = frame(0x1, b'{"op":"x","ref":"' + b"a" * 68_000 + b'"}')
"""A message of 68 kB that says nothing."""
SAME: Final = frame(0x1, b'{"op":"unsubscribe","topics":[' + b",".join([b'"a"'] * 17_000) + b"]}")
"""One that takes the same topic away 17,000 times."""


async def publish(attacker: Attacker, topics: Iterable[str]) -> None:
    """An event on each, in one request."""
    lines = [json.dumps({"topic": topic, "type": "log", "data": 1}) for topic in topics]
    await attacker.ask_anew("POST", "/api/events", headers=NDJSON, body="\n".join(lines).encode())


async def follow(attacker: Attacker, patterns: Iterable[str]) -> None:
    stream = await attacker.send(head("GET", f"/api/sse?{'&'.join(f'topic={pattern}' for pattern in patterns)}"))
    await stream.read_head()


def nearly(segments: int, end: str, number: int, count: int) -> list[str]:
    """`count` of the patterns of `a` and `*` in so many segments, for the stream of this number."""
    every = ["/".join(one) for one in product("a*", repeat=segments)]
    return [f"{one}/{end}" for one in every[number * count : (number + 1) * count]]


@attack("hung-up-for-the-framework", row="R1")
async def hung_up_for_the_framework(attacker: Attacker) -> None:
    """One connection after another: a question that Quart answers, and a FIN."""
    while True:
        for path in ("/metrics", "/api/topics", "/api/projects", "/api/ready"):
            attacker.leave(await attacker.send(head("GET", path)))


@attack("hung-up-where-descriptors-are-few", row="R1", descriptors=512, quick=1)
async def hung_up_where_descriptors_are_few(attacker: Attacker) -> None:
    """The same with 512 descriptors: those of others must stay."""
    await hung_up_for_the_framework(attacker)


@attack("new-filters-after-a-trim", row="R2", needs="topics", quick=1, connections=(1, 20), seconds=3.0)
async def new_filters_after_a_trim(attacker: Attacker) -> None:
    """All topics trimmed, and then reads with a hundred filters that were never asked before."""
    if attacker.is_first:
        await attacker.ask_anew("POST", "/api/topics/trim", headers=JSON, body=b'{"topic":"crowd/**","keep":0}')
    for turn in range(10_000):
        query = "&".join(f"topic=crowd/*/x{attacker.number}y{turn}z{n}" for n in range(100))
        await attacker.ask_anew("GET", f"/api/events?{query}&limit=1")


@attack("trim-under-filters", row="R3", quick=26, connections=(26,), seconds=5.0)
async def trim_under_filters(attacker: Attacker) -> None:
    """2,600 patterns that all begin as a thousand topics do, and a trim of these."""
    if attacker.is_first:
        await publish(attacker, (f"{'a/' * 12}t{n}/x" for n in range(1_000)))
    await attacker.together()
    await follow(attacker, nearly(12, "*/never", attacker.number, 100))
    await asyncio.sleep(1.0)
    if attacker.is_first:
        await attacker.ask_anew("POST", "/api/topics/trim", headers=JSON, body=b'{"topic":"a/**","keep":0}')
    await asyncio.Event().wait()


@attack("filters-that-came-since", row="R4", quick=1, connections=(1, 20), seconds=4.0)
async def filters_that_came_since(attacker: Attacker) -> None:
    """Events on 2,000 topics of 90 segments, 64 patterns of as many, and events on the same topics again."""
    topics = [f"{'a/' * 89}{attacker.number}t{n}" for n in range(2_000 // attacker.share)]
    while True:
        await publish(attacker, topics)
        await follow(attacker, (f"{'*/' * 89}x{n}" for n in range(64)))
        await asyncio.sleep(0.2)


@attack("a-common-beginning", row="R5", needs="topics", quick=1)
async def a_common_beginning(attacker: Attacker) -> None:
    """Reads of everything with a hundred filters that begin as all topics do and end otherwise."""
    connection = await attacker.connect()
    for turn in range(10_000):
        query = "&".join(f"topic=crowd/*/x{attacker.number}y{turn}z{n}" for n in range(100))
        await attacker.ask(connection, "GET", f"/api/events?{query}&limit=1&after=earliest")


@attack("beginnings-far-away", row="R6", needs="events")
async def beginnings_far_away(attacker: Attacker) -> None:
    """Streams from the earliest event of topics that come last, hung up before they have begun."""
    if attacker.is_first:
        await publish(attacker, (f"rare/{n}" for n in range(20)))
    await attacker.together()
    for turn in range(10_000):
        path = f"/api/sse?topic=rare/*&topic=own/{attacker.number}/{turn}&after=earliest"
        stream = await attacker.send(head("GET", path))
        await stream.reader.read(200)
        await asyncio.sleep(0.3)
        attacker.leave(stream)


@attack("lists-of-projects-unread", row="R7", quick=20, connections=(20,), seconds=3.0)
async def lists_of_projects_unread(attacker: Attacker) -> None:
    """Projects with briefs as long as they may be, and lists of them that nobody takes."""
    brief = "a: b text" + "\u3000" * 9_980 + ";"
    body = json.dumps({"name": "n" * 100, "brief": brief}, ensure_ascii=False).encode()
    for _ in range(200 // attacker.share):
        await attacker.ask_anew("POST", "/api/projects", headers=JSON, body=body)
    await attacker.together()
    await _ask_unread(attacker, "/api/projects")


@attack(
    "retention-of-others",
    row="R8",
    needs="topics",
    quick=1,
    connections=(1,),
    seconds=3.0,
    env={
        "TWINWIRE_RETENTION": '[{"topics":"logs/*/x","max_count":10},{"topics":"projects/*","max_count":1000}]',
        "TWINWIRE_RETENTION_INTERVAL": "1",
    },
)
async def retention_of_others(attacker: Attacker) -> None:
    """Many topics, and policies that are about none of them."""
    for turn in range(20):
        await publish(attacker, (f"more/{turn}/{n}" for n in range(1_000)))
    await asyncio.Event().wait()


@attack("small-then-large", row="R9", needs="large", quick=1, connections=(1, 40))
async def small_then_large(attacker: Attacker) -> None:
    """Reads of a thousand small events and of large ones in turn, each from a cursor."""
    if attacker.is_first:
        await publish(attacker, ["small/one"] * 1_000)
    await attacker.together()
    connection = await attacker.connect()
    epoch = (await attacker.ask(connection, "GET", "/api/events")).json()["head"].partition("-")[0]
    while True:
        for topic in ("small", "big"):
            await attacker.ask(connection, "GET", f"/api/events?topic={topic}/one&after={epoch}-0&limit=1000")


@attack("lists-of-topics-unread", row="R10", connections=(200,), quick=200, seconds=3.0)
async def lists_of_topics_unread(attacker: Attacker) -> None:
    """A thousand topics with long names, and lists of them that nobody takes."""
    if attacker.is_first:
        await publish(attacker, (f"long/{n:04}/{'n' * 190}" for n in range(1_000)))
    await attacker.together()
    await _ask_unread(attacker, "/api/topics?topic=long/**")


@attack("patterns-that-nearly-match", row="R11", quick=2, connections=(2,), seconds=3.0)
async def patterns_that_nearly_match(attacker: Attacker) -> None:
    """Two streams of 64 patterns of 88 segments, then events on a thousand new topics, and a list of them."""
    await follow(attacker, nearly(7, "*/" * 80 + "never", attacker.number, 64))
    await attacker.together()
    for turn in range(10_000 if attacker.is_first else 0):
        await publish(attacker, (f"{'a/' * 7}{'b/' * 80}{turn}t{n}" for n in range(1_000)))
        await attacker.ask_anew("GET", "/api/topics?topic=a/**")
    await asyncio.Event().wait()


@attack("odd-hosts", row="R12")
async def odd_hosts(attacker: Attacker) -> None:
    """Hosts that a framework takes for names, and fails on."""
    while True:
        for host in (".localhost", "a..localhost", f"{'a' * 64}.localhost"):
            connection = await attacker.send(head("GET", "/metrics", Host=host))
            answer = await connection.read_head()
            attacker.must(answer.status == 421, f"a host that is none: {answer.status}")
            attacker.leave(connection)


@attack("odd-handshakes", row="R13")
async def odd_handshakes(attacker: Attacker) -> None:
    """A byte that is not ASCII in what a handshake is read for."""
    while True:
        for name in ("Connection: Upgrade", "Sec-WebSocket-Version: 13"):
            odd = handshake("topic=a").replace(name.encode(), f"{name}, \xff".encode("latin-1"))
            connection = await attacker.send(odd)
            await attacker.is_let_go(connection, 3)
            attacker.leave(connection)


@attack("changes-hung-up", row="R14")
async def changes_hung_up(attacker: Attacker) -> None:
    """A run that is asked for again, which is a conflict, by somebody who does not wait for the answer."""
    path = f"/api/projects/{await attacker.project()}/generate"
    await attacker.ask_anew("POST", path)
    while True:
        attacker.leave(await attacker.send(head("POST", path, Content_Length="0")))
        await asyncio.sleep(0.01)


@attack("the-same-name-again", row="R15")
async def the_same_name_again(attacker: Attacker) -> None:
    """Messages that take one topic away 17,000 times each."""
    await flood(attacker, SAME * 2)


@attack("long-messages-and-leave", row="R16")
async def long_messages_and_leave(attacker: Attacker) -> None:
    """Twelve messages of 68 kB, and a reset, again and again."""
    while True:
        line = await attacker.websocket()
        line.writer.write(LONG * 12)
        await line.writer.drain()
        await asyncio.sleep(0.05)
        line.reset()


@attack("reads-with-bodies", row="R17", needs="large", quick=100)
async def reads_with_bodies(attacker: Attacker) -> None:
    """A read whose answer nobody takes, and a body behind it that nobody asked for."""
    connection = await attacker.connect(receive_buffer=4_096)
    connection.reader.feed_data(FULL)
    connection.writer.write(
        head("GET", "/api/events?topic=big/one&after=earliest&limit=6", Transfer_Encoding="chunked")
    )
    await attacker.pour(connection, b"10000\r\n" + b"x" * 65_536 + b"\r\n")


# What a second reading found, in 25 minutes


@attack("requests-behind-a-poll", row="S1", quick=8)
async def requests_behind_a_poll(attacker: Attacker) -> None:
    """A poll that waits for a minute, 400 kB of requests behind it, and a FIN; again and again."""
    behind = head("GET", "/api/health") * 8_000
    while True:
        connection = await attacker.send(head("GET", f"/api/events?topic=none/{attacker.number}&wait=60"))
        connection.writer.write(behind[:400_000])
        await asyncio.sleep(0.05)
        attacker.leave(connection)


@attack("floors-begun-anew", row="S2", needs="events", quick=5, connections=(5,), seconds=6.0)
async def floors_begun_anew(attacker: Attacker) -> None:
    """Searches with 99 patterns, and 10,000 topics that are published and trimmed again and again."""
    if attacker.is_first:
        while True:
            await publish(attacker, (f"floors/{n}/z" for n in range(10_000)))
            await attacker.ask_anew("POST", "/api/topics/trim", headers=JSON, body=b'{"topic":"floors/**","keep":0}')
    query = "&".join(f"topic=floors/*/x{attacker.number}y{n}" for n in range(99))
    while True:
        await attacker.ask_anew("GET", f"/api/events?{query}&type=nowhere&after=earliest")


@attack("deletes-among-many-topics", row="S3", needs="topics", quick=1, connections=(1, 40))
async def deletes_among_many_topics(attacker: Attacker) -> None:
    """Projects that are deleted by somebody who hangs up."""
    while True:
        paths = [f"/api/projects/{await attacker.project()}" for _ in range(20)]
        for path in paths:
            attacker.leave(await attacker.send(head("DELETE", path)))


@attack("small-changes-of-large-filters", row="S4")
async def small_changes_of_large_filters(attacker: Attacker) -> None:
    """98 patterns of 90 segments, and one topic more or less in each message of forty bytes."""
    line = await attacker.websocket()
    patterns = [f"{'*/' * 80}{attacker.number}x{n}" for n in range(98)]
    line.writer.write(frame(0x1, json.dumps({"op": "subscribe", "topics": patterns}).encode()))
    flip = [frame(0x1, json.dumps({"op": op, "topics": ["z"]}).encode()) for op in ("subscribe", "unsubscribe")]
    drain = asyncio.create_task(attacker.is_let_go(line, 3_600))
    try:
        while True:
            line.writer.write(b"".join(flip))
            await line.writer.drain()
            await asyncio.sleep(0.02)
    finally:
        drain.cancel()


@attack("trim-under-many-filters", row="S5", quick=20, connections=(60, 200), seconds=4.0)
async def trim_under_many_filters(attacker: Attacker) -> None:
    """98 patterns of 16 segments a stream that nearly match 200 topics, and a trim of these."""
    topics = [f"{'a/' * 16}t{n}" for n in range(200)]
    every = ["/".join("a*"[attacker.number * 98 + n >> bit & 1] for bit in range(16)) for n in range(98)]
    await follow(attacker, (f"{one}/never" for one in every))
    await attacker.together()
    if attacker.is_first:
        await publish(attacker, topics)
        await attacker.ask_anew("POST", "/api/topics/trim", headers=JSON, body=b'{"topic":"a/**","keep":0}')
    await asyncio.Event().wait()


@attack("one-topic-and-a-list", row="S6", needs="topics", quick=1, connections=(1, 20))
async def one_topic_and_a_list(attacker: Attacker) -> None:
    """One new topic, and a list of one topic, in turn."""
    for turn in range(1_000_000):
        await publish(attacker, [f"one/{attacker.number}/{turn}"])
        await attacker.ask_anew("GET", "/api/topics?limit=1")


async def _ask_unread(attacker: Attacker, path: str) -> None:
    connection = await attacker.connect(receive_buffer=4_096)
    connection.reader.feed_data(FULL)
    connection.writer.write(head("GET", path))
    await asyncio.Event().wait()
