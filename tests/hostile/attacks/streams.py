"""What open streams and one publish can do together, and readers who stop."""

import asyncio
import json

from tests.hostile.attack import Attacker, attack, head

_NDJSON = {"Content-Type": "application/x-ndjson"}
FULL = b"x" * (1 << 20)


@attack("fan-out-unread", row="4", quick=100)
async def fan_out_unread(attacker: Attacker) -> None:
    """A stream with a filter of its own, which is not read, and then one publish of 8 MB that all of them match."""
    stream = await attacker.connect(receive_buffer=4_096)
    stream.writer.write(head("GET", f"/api/sse?topic=big/**&topic=own/{attacker.number}"))
    await stream.read_head()
    stream.reader.feed_data(FULL)
    await attacker.together()
    if attacker.is_first:
        event = json.dumps({"topic": "big/one", "type": "log", "data": "x" * 60_000}).encode()
        await attacker.ask_anew("POST", "/api/events", headers=_NDJSON, body=b"\n".join([event] * 135))
    await asyncio.Event().wait()


@attack("fan-out-read", row="4", quick=100)
async def fan_out_read(attacker: Attacker) -> None:
    """The same, with streams that read."""
    stream = await attacker.send(head("GET", f"/api/sse?topic=big/**&topic=own/{attacker.number}"))
    await stream.read_head()
    await attacker.together()
    if attacker.is_first:
        event = json.dumps({"topic": "big/one", "type": "log", "data": "x" * 60_000}).encode()
        await attacker.ask_anew("POST", "/api/events", headers=_NDJSON, body=b"\n".join([event] * 135))
    await attacker.is_let_go(stream, 3_600)


@attack("filters-in-vain", row="5", quick=100)
async def filters_in_vain(attacker: Attacker) -> None:
    """A stream of 30 filters that never match, and then events on 10,000 new topics."""
    query = "&".join(f"topic=*/{attacker.number}/{n}/**" for n in range(30))
    await (await attacker.send(head("GET", f"/api/sse?{query}"))).read_head()
    await attacker.together()
    for turn in range(1_000 if attacker.is_first else 0):
        lines = (f'{{"topic":"new/{turn}/{n}","type":"log","data":1}}' for n in range(10_000))
        await attacker.ask_anew("POST", "/api/events", headers=_NDJSON, body="\n".join(lines).encode())
    await asyncio.Event().wait()


@attack("filters-come-and-go", row="5 kin", quick=40)
async def filters_come_and_go(attacker: Attacker) -> None:
    """Streams of wildcards that come and go while events on many topics are published."""
    number = 0
    while True:
        number += 1
        if attacker.is_first:
            lines = (f'{{"topic":"new/{number}/{n}","type":"log","data":1}}' for n in range(2_000))
            await attacker.ask_anew("POST", "/api/events", headers=_NDJSON, body="\n".join(lines).encode())
        stream = await attacker.send(head("GET", f"/api/sse?topic=*/{attacker.number}/{number}/*"))
        await stream.read_head()
        attacker.leave(stream)


@attack("replays-that-stop", row="4 kin", needs="events")
async def replays_that_stop(attacker: Attacker) -> None:
    """Replays of everything by readers who stop reading at once."""
    stream = await attacker.connect(receive_buffer=4_096)
    stream.writer.write(head("GET", "/api/sse?after=earliest"))
    await stream.read_head()
    stream.reader.feed_data(FULL)
    await asyncio.Event().wait()


@attack("replays-hung-up", row="7 kin", needs="events")
async def replays_hung_up(attacker: Attacker) -> None:
    """Replays of a topic that is rare, hung up as soon as they have begun."""
    while True:
        stream = await attacker.send(head("GET", f"/api/sse?topic=deep/{attacker.number % 20}&after=earliest"))
        await stream.reader.read(1_000)
        attacker.leave(stream)


@attack("replays", row="7 kin", needs="events")
async def replays(attacker: Attacker) -> None:
    """Replays of everything, over and over, each read to its end."""
    while True:
        stream = await attacker.send(head("GET", "/api/sse?after=earliest"))
        while b"event: caught_up" not in await stream.reader.read(65_536):
            pass
        attacker.leave(stream)
