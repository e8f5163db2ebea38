"""What the rows of presence run, on the clients' core: very many members, and those who look on.

Each verb says "ready" once all are there, waits for a line on its input, goes on, and ends with a line of JSON. Frames
are counted by their heads alone, of a few connections; of the others only the bytes are.
"""

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from typing import Any, Final

Message = Mapping[str, Any]

PLACES: Final = 25
"""At which one connection is present; 32 is its bound."""

RENEWAL: Final = 10.0
"""Seconds between two pings of a connection; it must send something every 15."""

COUNTED: Final = 4
"""Connections of which every frame is counted."""

AT_ONCE: Final = 50
"""Connections that are opened at a time."""

_KEY: Final = "dGhlIHNhbXBsZSBub25jZQ=="
_PING: Final = {"op": "ping"}


class Line(asyncio.Protocol):
    """One WebSocket (RFC 6455). `frames` and `events` are counted if `is_counted`; `kept` are presence frames."""

    def __init__(self, query: str, *, is_counted: bool = False, keeps: bool = False) -> None:
        self._query = query
        self._is_counted = is_counted or keeps
        self._keeps = keeps
        self._buffer = b""
        self.transport: Any = None
        self.is_open = asyncio.get_running_loop().create_future()
        self.bytes = 0
        self.frames = 0
        self.kept: list[Message] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        lines = (
            f"GET /api/ws?{self._query} HTTP/1.1",
            "Host: 127.0.0.1",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {_KEY}",
            "Sec-WebSocket-Version: 13",
        )
        self.transport.write("\r\n".join(lines).encode() + b"\r\n\r\n")

    def data_received(self, data: bytes) -> None:
        if not self.is_open.done():
            self._buffer += data
            head, found, data = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            self._buffer = b""
            if b" 101 " not in head.partition(b"\r\n")[0]:
                self.is_open.set_exception(ConnectionRefusedError(head[:100].decode()))
                return
            self.is_open.set_result(None)
        self.bytes += len(data)
        if self._is_counted:
            self._count(data)

    def _count(self, data: bytes) -> None:
        buffer, at = self._buffer + data, 0
        while len(buffer) >= at + 2:
            size, start = buffer[at + 1] & 0x7F, at + 2
            if size >= 126:
                width = 2 if size == 126 else 8
                size, start = int.from_bytes(buffer[start : start + width]), start + width
            if len(buffer) < start + size:
                break
            self.frames += 1
            if self._keeps and buffer[start : start + 30].find(b'"presence"') > 0:
                self.kept.append(json.loads(buffer[start : start + size]))
            at = start + size
        self._buffer = buffer[at:]

    def say(self, message: Message) -> None:
        """As one text frame, its mask zeros."""
        payload = json.dumps(message).encode()
        size = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2)
        self.transport.write(b"\x81" + size + b"\0\0\0\0" + payload)


async def opened(port: int, query: str, count: int, **options: bool) -> list[Line]:
    """So many connections."""
    lines: list[Line] = []
    loop = asyncio.get_running_loop()

    async def one() -> Line:
        _, line = await loop.create_connection(lambda: Line(query, **options), "127.0.0.1", port)
        await line.is_open
        return line

    for start in range(0, count, AT_ONCE):
        lines += await asyncio.gather(*(one() for _ in range(min(AT_ONCE, count - start))))
    return lines


async def told() -> None:
    """Say that all is there, and wait for a line."""
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)


async def members(port: int, count: int, is_present: bool) -> Message:
    """So many members on connections that do nothing else, or just those connections."""
    lines = await opened(port, "topic=nobody/here", count // PLACES)
    if is_present:
        for number, line in enumerate(lines):
            for place in range(PLACES):
                line.say({"op": "enter", "place": f"idle/{place}/{number % 40}", "member": f"m{number}", "data": {}})
            if number % AT_ONCE == 0:
                await asyncio.sleep(0.05)
    told_to = asyncio.ensure_future(told())
    while not told_to.done():
        for number, line in enumerate(lines):  # spread over the time
            line.say(_PING)
            if number % 10 == 0:
                await asyncio.wait([told_to], timeout=RENEWAL * 10 / len(lines))
                if told_to.done():
                    break
    return {"connections": len(lines)}


async def joins(port: int, count: int, watchers: int) -> Message:
    """So many join one place within a second, before the eyes of the watchers."""
    place = "crowd/joins"
    watching = await opened(port, f"topic={place}&presence=1", watchers, keeps=True)
    lines = await opened(port, "topic=nobody/here", count)
    await told()
    began = time.perf_counter()
    for number, line in enumerate(lines):
        line.say({"op": "enter", "place": place, "member": f"m{number}", "data": {"name": f"Member {number}"}})
        if number % 20 == 19:
            late = began + 0.95 * number / count - time.perf_counter()
            await asyncio.sleep(max(0.0, late))
    took = time.perf_counter() - began
    async with asyncio.timeout(30):
        while any(not one.kept or one.kept[-1]["members"] != count for one in watching):
            await asyncio.sleep(0.05)
    return {
        "seconds": took,
        "frames": max(len(one.kept) - 1 for one in watching),  # without the state that each begins with
        "bytes": max(one.bytes for one in watching),
        "until": time.perf_counter() - began,
    }


async def cursors(port: int, people: int, rate: float, seconds: float) -> Message:
    """So many people at one place, each of whom moves a cursor so often."""
    place = "crowd/cursors"
    query = f"topic={place}&presence=1&ephemeral=1"
    lines = await opened(port, query, COUNTED, is_counted=True)
    lines += await opened(port, query, people - COUNTED)
    for number, line in enumerate(lines):
        line.say({"op": "enter", "place": place, "member": f"m{number}", "data": {"name": f"Member {number}"}})
    await told()
    before = [(one.frames, one.bytes) for one in lines]
    began, step, late = time.perf_counter(), 0, 0.0
    while (now := time.perf_counter()) < began + seconds:
        person = step % people
        data = {"file": "app/main.py", "line": step % 200, "column": step % 80}
        said = {"op": "publish", "topic": place, "type": "cursor", "data": data, "ephemeral": True, "key": f"m{person}"}
        lines[person].say(said)
        step += 1
        ahead = began + step / (people * rate) - now
        late = max(late, -ahead)
        await asyncio.sleep(max(0.0, ahead))
    took = time.perf_counter() - began
    await asyncio.sleep(0.5)
    counted = lines[:COUNTED]
    return {
        "sent": step / took,
        "frames": sum(one.frames - was[0] for one, was in zip(counted, before, strict=False)) / COUNTED / took,
        "bytes": sum(one.bytes - was[1] for one, was in zip(lines, before, strict=True)) / people / took,
        "behind": late,
    }


def main(verb: str, port: str, *numbers: str) -> None:
    values = [float(one) for one in numbers]
    if verb == "members":
        work = members(int(port), int(values[0]), bool(values[1]))
    elif verb == "joins":
        work = joins(int(port), int(values[0]), int(values[1]))
    else:
        work = cursors(int(port), int(values[0]), values[1], values[2])
    print(json.dumps(asyncio.run(work)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
