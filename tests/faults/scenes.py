"""What `python -m tests.faults` measures: each scene is a fault of the disk, and what the others feel of it."""

import asyncio
import json
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.faults.disk import Disk
from tests.faults.watch import Felt, Watcher
from tests.hostile.witness import percentile
from tests.support.api import NDJSON
from tests.support.http import Connection
from tests.support.server import ServerProcess

EVENTS: Final = 200_000
BATCH: Final = 5_000
MIB: Final = 1 << 20
COLD: Final = 100_000
"""Events that are read from a slow disk: 12 MiB, over 1,000 topics."""

SLOW: Final = 0.005
"""Seconds that a read of the database's file takes longer."""

WATCHED: Final = 10.0
HELD: Final = 30.0
"""Seconds of a slow disk, and of a foreign reader."""

PUBLISHERS: Final = 16
"""Connections that publish events of 1 KB as fast as they are answered."""

PATIENCE: Final = 300.0
"""Seconds after which a scene is given up."""

Row = Mapping[str, str]


def cells(felt: Felt) -> Row:
    live, health = (" / ".join(f"{one:.1f}" for one in values) for values in (felt.live, felt.health))
    failed = f", {felt.failures} failures" if felt.failures else ""
    return {"live p50 / p98 / p99 / max ms": live, "health p50 / p98 / p99 / max ms": f"{health}{failed}"}


async def fill(server: ServerProcess, topics: int, events: int = EVENTS) -> None:
    """Events of 60 bytes on so many topics in turn; then the service is stopped."""
    connection = await Connection.open(server.url)
    for start in range(0, events, BATCH):
        numbers = range(start, min(start + BATCH, events))
        lines = [f'{{"topic":"t/{n % topics}","type":"log","data":{{"n":{n},"text":"{"x" * 40}"}}}}' for n in numbers]
        headers = {"Content-Type": NDJSON}
        answer = await connection.request("POST", "/api/events", headers=headers, body="\n".join(lines).encode())
        assert answer.status == 201, answer.text
    await connection.close()
    assert await asyncio.to_thread(server.stop) == 0


def written(server: ServerProcess) -> int:
    """Bytes that it has handed to the kernel to write, whatever the file system (proc(5), io)."""
    lines = Path(f"/proc/{server.pid}/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["wchar"])


async def retention(folder: Path, topics: int, watched: bool = True) -> Row:
    """One pass of retention by age that takes all 200,000 events."""
    server = ServerProcess(folder)
    try:
        server.start()
        await fill(server, topics)
        size = server.database.stat().st_size
        server.env["TWINWIRE_RETENTION"] = json.dumps([{"topics": "t/*", "max_age": 0.001}])
        server.env["TWINWIRE_RETENTION_INTERVAL"] = "3600"
        begun = time.monotonic()
        server.start()
        felt: Felt | None = None
        if watched:
            with Watcher(server.url) as watcher:
                seconds, peak = await _pass(server, begun)
                felt = await asyncio.to_thread(watcher.end)
        else:
            seconds, peak = await _pass(server, begun)
        await asyncio.sleep(1.0)  # the last checkpoint
        total = written(server)
    finally:
        server.discard()
    return {
        "case": f"age, {EVENTS:,} events over {topics:,} topics{'' if watched else ', nobody else'}",
        "database MiB": f"{size / MIB:.0f}",
        "written MiB": f"{total / MIB:.0f} ({total / size:.1f} x)",
        "journal at most MiB": f"{peak / MIB:.0f}",
        "seconds": f"{seconds:.1f}",
        **({} if felt is None else cells(felt)),
    }


async def _pass(server: ServerProcess, begun: float) -> tuple[float, int]:
    """Seconds until it was over, and the journal's largest size."""
    journal, peak = Path(f"{server.database}-wal"), 0
    while time.monotonic() < begun + PATIENCE:
        peak = max(peak, journal.stat().st_size if journal.exists() else 0)
        if "events_trimmed" in server.log.read_text():
            return time.monotonic() - begun, peak
        await asyncio.sleep(0.02)
    raise TimeoutError(f"no end of a pass within {PATIENCE:.0f} s")


async def slow_disk(folder: Path, read: float, all_: int = 0, single: int = 0) -> Row:
    """So many replays of everything, and of a topic each, from a database that is in nobody's memory."""
    disk = Disk(folder)
    server = ServerProcess(folder, env={**disk.environment, "TWINWIRE_TAIL_EVENTS": "1"})
    got: list[int] = []
    try:
        server.start()
        await fill(server, 1_000, COLD)
        server.start()
        with Watcher(server.url) as watcher:
            await asyncio.sleep(1.0)  # it has connected
            disk.set(read=read)
            filters = ["t/*"] * all_ + [f"t/{n}" for n in range(single)]
            readers = [asyncio.create_task(replay(server.url, one, got)) for one in filters]
            await asyncio.sleep(WATCHED)
            felt = await asyncio.to_thread(watcher.end)
        disk.set()
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
    finally:
        server.discard()
    case = f"+{read * 1_000:.0f} ms a read, {all_} replays of everything, {single} of a topic"
    return {"case": case, **cells(felt), "replayed": f"{sum(got):,}"}


async def replay(url: str, topic: str, got: list[int]) -> None:
    """One after another, until it is cancelled; `got` tells the events of each piece."""
    while True:
        connection = await Connection.open(url)
        try:
            await connection.send("GET", f"/api/sse?topic={topic}&after=earliest")
            head = await connection.read_head()
            assert head.status == 200
            async for piece in connection.pieces(head):
                got.append(piece.count(b"\nid: ") + piece.startswith(b"id: "))
                if b'"caught_up"' in piece:
                    break
        finally:
            connection.reset()


async def foreign_reader(folder: Path) -> Row:
    """Another program's read transaction, held open, between two times without one."""
    server = ServerProcess(folder)
    try:
        server.start()
        await publishing(server.url, 2.0)  # warm
        before, _ = await publishing(server.url, HELD / 2)
        connection = sqlite3.connect(server.database, isolation_level=None)
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM events").fetchall()
        during, taken = await publishing(server.url, HELD)
        journal = Path(f"{server.database}-wal").stat().st_size
        connection.close()
        after, _ = await publishing(server.url, HELD / 2)
        deadline = time.monotonic() + PATIENCE
        while Path(f"{server.database}-wal").stat().st_size > MIB and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
        left = Path(f"{server.database}-wal").stat().st_size
    finally:
        server.discard()
    p50, p99 = (1_000 * percentile(taken, share) for share in (0.5, 0.99))
    return {
        "case": f"a foreign reader for {HELD:.0f} s, {PUBLISHERS} publishers",
        "events/s before, with it, after": f"{before:,.0f} / {during:,.0f} / {after:,.0f}",
        "of what it was": f"{2 * during / (before + after):.2f}",
        "publish p50 / p99 / max ms": f"{p50:.1f} / {p99:.1f} / {1_000 * max(taken):.1f}",
        "journal MiB, and after it": f"{journal / MIB:.0f}, {left / MIB:.0f}",
    }


async def publishing(url: str, seconds: float) -> tuple[float, list[float]]:
    """Events a second, and how long each took."""
    until, taken = time.monotonic() + seconds, list[float]()

    async def publish(number: int) -> None:
        connection = await Connection.open(url)
        body = json.dumps({"topic": f"p/{number}", "type": "log", "data": "x" * 1_000}).encode()
        while (begun := time.monotonic()) < until:
            answer = await connection.request("POST", "/api/events", body=body)
            assert answer.status == 201, answer.text
            taken.append(time.monotonic() - begun)
        await connection.close()

    await asyncio.gather(*(publish(number) for number in range(PUBLISHERS)))
    return len(taken) / seconds, taken
