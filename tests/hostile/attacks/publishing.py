"""What bodies can do: endless, empty, deep; and what may be said on whose topics."""

import asyncio
import gzip
from typing import Any, Final

from tests.hostile.attack import Attacker, attack
from tests.hostile.attacks.connections import post

NDJSON: Final = {"Content-Type": "application/x-ndjson"}
JSON: Final = {"Content-Type": "application/json"}
SIZE: Final = (8 << 20) - 1
"""Bytes that a request may have at most, less one."""
BODIES: Final[dict[str, Any]] = {"connections": (1, 20), "quick": 4}
"""Of whole large bodies: with more at once none of them is complete in the time."""


@attack("endless-bodies", row="9")
async def endless_bodies(attacker: Attacker) -> None:
    """A body of 8 MiB but for its last byte, and then a byte now and then that is never the last."""
    connection = await attacker.send(post("/api/events", b" " * (SIZE - 100), SIZE + 1))
    while True:
        await asyncio.sleep(0.5)
        connection.writer.write(b" ")
        await connection.writer.drain()


@attack("line-ends", row="10", **BODIES)
async def line_ends(attacker: Attacker) -> None:
    """8 MiB of line ends."""
    await attacker.keep_asking("POST", "/api/events", headers=NDJSON, body=b"\n" * SIZE)


@attack("blank-lines", row="10", **BODIES)
async def blank_lines(attacker: Attacker) -> None:
    """8 MiB of lines of a blank."""
    await attacker.keep_asking("POST", "/api/events", headers=NDJSON, body=b" \n" * (SIZE // 2))


@attack("zeros", row="10", **BODIES)
async def zeros(attacker: Attacker) -> None:
    """An array of four million zeros."""
    await attacker.keep_asking("POST", "/api/events", headers=JSON, body=b"[" + b"0," * (SIZE // 2 - 2) + b"0]")


@attack("empty-objects", row="10 kin", **BODIES)
async def empty_objects(attacker: Attacker) -> None:
    """An array of two and a half million empty objects."""
    await attacker.keep_asking("POST", "/api/events", headers=JSON, body=b"[" + b"{}," * (SIZE // 3 - 2) + b"{}]")


@attack("deep-json", row="21 kin", **BODIES)
async def deep_json(attacker: Attacker) -> None:
    """Four million brackets, as a body and as the data of an event."""
    await attacker.keep_asking("POST", "/api/events", headers=JSON, body=b"[" * (SIZE // 2) + b"]" * (SIZE // 2))


@attack("repeated-members", row="10 kin", **BODIES)
async def repeated_members(attacker: Attacker) -> None:
    """An object that says its topic half a million times."""
    body = b'{"topic":"a","type":"b","data":1' + b',"topic":"a"' * (SIZE // 12 - 4) + b"}"
    await attacker.keep_asking("POST", "/api/events", headers=JSON, body=body)


@attack("long-numbers", row="21 kin", **BODIES)
async def long_numbers(attacker: Attacker) -> None:
    """A number of eight million digits."""
    body = b'{"topic":"a","type":"b","data":' + b"1" * (SIZE - 100) + b"}"
    await attacker.keep_asking("POST", "/api/events", headers=JSON, body=body)


@attack("bomb", row="10 kin", **BODIES)
async def bomb(attacker: Attacker) -> None:
    """A compressed body that would be a gigabyte: nobody here unpacks it."""
    packed = gzip.compress(b"\n" * (64 << 20)) * 16
    await attacker.keep_asking("POST", "/api/events", headers={**NDJSON, "Content-Encoding": "gzip"}, body=packed)


@attack("repeated-keys", row="19 kin")
async def repeated_keys(attacker: Attacker) -> None:
    """10,000 events a request, each with a key of its own, the same each time."""
    lines = (f'{{"topic":"keys/{attacker.number}","type":"log","data":1,"key":"k{n}"}}' for n in range(10_000))
    await attacker.keep_asking("POST", "/api/events", headers=NDJSON, body="\n".join(lines).encode())


@attack("topics-without-end", row="19")
async def topics_without_end(attacker: Attacker) -> None:
    """10,000 new topics a request, with names of 165 bytes, 100,000 in all."""
    for turn in range(10):
        path = f"{attacker.number}/{turn}/{'t' * 150}"
        lines = (f'{{"topic":"{path}/{n}","type":"log","data":1}}' for n in range(10_000 // attacker.share))
        await attacker.ask_anew("POST", "/api/events", headers=NDJSON, body="\n".join(lines).encode())


@attack("trim-of-many", row="16", needs="topics", connections=(1,))
async def trim_of_many(attacker: Attacker) -> None:
    """A trim over 50,000 topics: an answer within 2 s, whatever is left to do."""
    try:
        async with asyncio.timeout(3):
            body = b'{"topic":"crowd/**","keep":0}'
            answer = await attacker.ask_anew("POST", "/api/topics/trim", headers=JSON, body=body)
            attacker.must(answer.status in {200, 202}, f"trim: {answer.status}")
    except TimeoutError:
        attacker.must(False, "a trim has no answer after 3 s")


@attack("trims-in-a-row", row="16 kin", needs="topics")
async def trims_in_a_row(attacker: Attacker) -> None:
    """Trims over all topics, each asked for again before the last is done."""
    await attacker.keep_asking("POST", "/api/topics/trim", headers=JSON, body=b'{"topic":"**","keep":1000}')


@attack("forged-projects", row="20", connections=(1,))
async def forged_projects(attacker: Attacker) -> None:
    """Events that lie about projects: only the application may publish its own types there."""
    data = b'{"status":"running","progress":1,"run":"r","message":"m"}'
    own = b'{"topic":"projects/%s","type":"status_update","data":%s}'
    forged = (
        b'{"topic":"projects","type":"project_deleted","data":null}',
        own % (b"none", data),
        own % ((await attacker.project()).encode(), data),
    )
    for event in forged:
        answer = await attacker.ask_anew("POST", "/api/events", headers=JSON, body=event)
        attacker.must(answer.status == 403, f"a forged event of a project: {answer.status}")


@attack("digits", row="21", connections=(1,))
async def digits(attacker: Attacker) -> None:
    """Data that the wire takes and a rule can't read: 5,000 digits, 980 brackets."""
    topic = f"projects/{await attacker.project()}".encode()
    for value in (b"1" * 5_000, b"[" * 980 + b"]" * 980):
        body = b'{"topic":"%s","type":"log","data":{"level":"info","message":"m","n":%s}}' % (topic, value)
        answer = await attacker.ask_anew("POST", "/api/events", headers=JSON, body=body)
        attacker.must(answer.status != 500, "data of a project: 500")


@attack("publishes", row="6 kin")
async def publishes(attacker: Attacker) -> None:
    """Small publishes as fast as they are answered."""
    body = b'{"topic":"flood/%d","type":"log","data":1}' % attacker.number
    await attacker.keep_asking("POST", "/api/events", headers=JSON, body=body)


@attack("projects-without-end", row="20 kin")
async def projects_without_end(attacker: Attacker) -> None:
    """Projects as fast as they are made."""
    await attacker.keep_asking("POST", "/api/projects", headers=JSON, body=b'{"name":"n","brief":"a: b text"}')


@attack("large-briefs", row="20 kin")
async def large_briefs(attacker: Attacker) -> None:
    """Briefs as long as they may be, with a fault at the very end."""
    brief = "; ".join(f"e{n}: {', '.join(f'f{m} text' for m in range(30))}" for n in range(20)) + "; é"
    await attacker.keep_asking(
        "POST", "/api/projects", headers=JSON, body=b'{"name":"n","brief":"%s"}' % brief.encode()
    )
