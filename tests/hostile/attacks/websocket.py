"""What one WebSocket can do: frames, messages, filters."""

import asyncio
from typing import Final

from tests.hostile.attack import Attacker, attack, frame, handshake, message
from tests.support.http import Connection

CONTINUATION, TEXT, CLOSE, PING, PONG = 0x0, 0x1, 0x8, 0x9, 0xA
DIGITS: Final = "1" * 5_000
"""More than Python turns into an integer without being asked."""
FULL: Final = b"x" * (1 << 20)
"""More than a reader of ours takes in: what comes after stays in the socket."""


async def flood(attacker: Attacker, data: bytes, first: bytes = b"", *, is_read: bool = True) -> None:
    """The same frames over and over, on a new connection whenever the server ends one."""
    while True:
        line = await attacker.websocket()
        line.writer.write(first)
        if is_read:
            await _pour_and_read(attacker, line, data)
        else:
            line.reader.feed_data(FULL)
            await attacker.pour(line, data)
        attacker.leave(line)


async def _pour_and_read(attacker: Attacker, line: Connection, data: bytes) -> None:
    drain = asyncio.create_task(attacker.is_let_go(line, 3_600))
    pour = asyncio.create_task(attacker.pour(line, data))
    try:
        await asyncio.wait([drain, pour], return_when=asyncio.FIRST_COMPLETED)
    finally:
        drain.cancel()
        pour.cancel()
        await asyncio.gather(drain, pour, return_exceptions=True)


@attack("empty-fragments", row="6")
async def empty_fragments(attacker: Attacker) -> None:
    """A message of empty fragments, 6 bytes each: they never advance it."""
    await flood(attacker, frame(CONTINUATION, final=False) * 10_000, frame(TEXT, final=False))


@attack("pongs", row="6")
async def pongs(attacker: Attacker) -> None:
    """Pongs that nobody has asked for."""
    await flood(attacker, frame(PONG) * 10_000)


@attack("pings", row="6")
async def pings(attacker: Attacker) -> None:
    """Pings, their pongs read."""
    await flood(attacker, frame(PING) * 10_000)


@attack("pings-unread", row="6")
async def pings_unread(attacker: Attacker) -> None:
    """Pings whose pongs nobody reads."""
    await flood(attacker, frame(PING, b"p" * 125) * 1_000, is_read=False)


@attack("empty-messages", row="6")
async def empty_messages(attacker: Attacker) -> None:
    """Messages without anything in them, each a problem."""
    await flood(attacker, frame(TEXT) * 5_000)


@attack("app-pings", row="6 kin")
async def app_pings(attacker: Attacker) -> None:
    """Pings as client messages."""
    await flood(attacker, message(op="ping") * 2_000)


@attack("burst-and-leave", row="1 kin")
async def burst_and_leave(attacker: Attacker) -> None:
    """More messages than a server takes in at once, and gone: nobody may wait on for them to be taken."""
    while True:
        line = await attacker.websocket()
        line.writer.write(message(op="ping", ref="r" * 1_000) * 60)
        await line.reader.read(1)
        line.reset()


@attack("publishes-unread", row="6 kin")
async def publishes_unread(attacker: Attacker) -> None:
    """Many small publishes whose replies nobody reads."""
    one = message(op="publish", topic=f"flood/{attacker.number}", type="log", data=1, ref="r" * 100)
    await flood(attacker, one * 500, is_read=False)


@attack("one-byte-fragments", row="6 kin")
async def one_byte_fragments(attacker: Attacker) -> None:
    """A message of 64 KB in fragments of a byte."""
    whole = frame(TEXT, b"[", final=False) + frame(CONTINUATION, b" ", final=False) * 60_000 + frame(CONTINUATION, b"]")
    await flood(attacker, whole)


@attack("unsubscribe-many", row="17")
async def unsubscribe_many(attacker: Attacker) -> None:
    """One message that takes 5,000 filters away."""
    await flood(attacker, message(op="unsubscribe", topics=[f"a/{n}/*" for n in range(5_000)]) * 2)


@attack("subscribe-flood", row="17 kin")
async def subscribe_flood(attacker: Attacker) -> None:
    """A hundred filters of many segments come and go."""
    topics = [f"{'*/' * 90}{n}" for n in range(99)]
    await flood(attacker, (message(op="subscribe", topics=topics) + message(op="unsubscribe", topics=topics)) * 5)


@attack("deep-messages", row="21 kin")
async def deep_messages(attacker: Attacker) -> None:
    """Messages nested as deep as they can be."""
    deep = b'{"op":"publish","topic":"a","type":"log","data":' + b"[" * 30_000 + b"]" * 30_000 + b"}"
    await flood(attacker, frame(TEXT, deep) * 5)


@attack("sockets-come-and-go", row="1 kin")
async def come_and_go(attacker: Attacker) -> None:
    """Handshakes, each hung up at once without a Close."""
    while True:
        attacker.leave(await attacker.websocket(f"topic=a/{attacker.number}/*"))


@attack("bad-key", row="27", connections=(1,))
async def bad_key(attacker: Attacker) -> None:
    """A handshake whose key is no 16 bytes in Base64 (RFC 6455, 4.2.1)."""
    answer = await (await attacker.send(handshake("topic=a", key="x"))).read_head()
    attacker.must(answer.status == 400, f"key x: {answer.status}")


@attack("protocol-breach", row="F10", connections=(1,))
async def protocol_breach(attacker: Attacker) -> None:
    """A reserved opcode, and text that is no UTF-8: Close 1002 and 1007 (RFC 6455, 7.1.7)."""
    for code, breach in ((1002, frame(0x3)), (1007, frame(TEXT, b"\xff\xfe"))):
        line = await attacker.websocket()
        line.writer.write(breach)
        got = await line.reader.read()
        # The last frame: its length is that of the code and of a reason, where there is one (RFC 6455, 5.5.1).
        start = got.rfind(b"\x88")
        length, named = got[start + 1 : start + 2], got[start + 2 : start + 4]
        whole = length == bytes([len(got) - start - 2])
        attacker.must(start >= 0 and whole and named == code.to_bytes(2, "big"), f"no Close {code}")


@attack("digits-on-a-socket", row="21", connections=(1,))
async def digits(attacker: Attacker) -> None:
    """An integer of 5,000 digits where a rule looks at it: a problem, and the connection lives on."""
    topic = f"projects/{await attacker.project()}"
    line = await attacker.websocket()
    event = f'{{"op":"publish","topic":"{topic}","type":"log","data":{{"level":"info","message":"m","n":{DIGITS}}}}}'
    line.writer.write(frame(TEXT, event.encode()) + message(op="ping", ref="after"))
    got = b""
    while b'"after"' not in got and (more := await line.reader.read(65_536)):
        got += more
    attacker.must(b'"after"' in got, "5,000 digits end the connection")
