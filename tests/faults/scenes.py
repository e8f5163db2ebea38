"""What `python -m tests.faults` measures: each scene is a fault of the disk, and what the others feel of it."""

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.faults.watch import Felt, Watcher
from tests.support.api import NDJSON
from tests.support.http import Connection
from tests.support.server import ServerProcess

EVENTS: Final = 200_000
BATCH: Final = 5_000
MIB: Final = 1 << 20
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
