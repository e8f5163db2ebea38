"""The victim: a server process as a user starts it, that can be looked at from outside, and filled beforehand."""

import asyncio
import json
import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from tests.hostile.ours import OURS
from tests.hostile.probe import DESCRIPTORS, OUTPUT
from tests.support.http import Connection, request
from tests.support.server import ServerProcess

Stock = Literal["events", "large", "topics"]
"""What an attack finds in the log: many small events, a thousand large ones, many topics."""
STOCKS: Final[tuple[Stock, ...]] = get_args(Stock)

HELD: Final = re.compile(r"^(twinwire_(?:subscriptions|places|\w*_held\w*|\w*under_way\w*)(?:\{[^}]*\})?) (\S+)$", re.M)
"""The gauges that count what is held for somebody: by name, so that a new one (`..._held_bytes`) is asked at once."""
ASKING: Final = 5.0
"""Seconds that the server may take to tell its metrics."""
LARGE: Final = 60_000
"""Bytes of a large event: just below what `data` may have."""
FILES: Final = 8
TASKS: Final = 2
"""Descriptors of files and tasks that come and go anyhow; a connection that is held takes more tasks than that."""
_BATCH: Final = 5_000
_TICK: Final = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Held:
    """What a server holds: sockets, other descriptors, tasks, and its own gauges."""

    sockets: int
    files: int
    tasks: int
    gauges: Mapping[str, float]

    def beyond(self, before: "Held") -> list[str]:
        """What is held now and was not held before, in words."""
        found = []
        for name, slack in (("sockets", 0), ("files", FILES), ("tasks", TASKS)):
            more = getattr(self, name) - getattr(before, name)
            if more > slack:
                found.append(f"{more:,} {name}")
        grown = {name: value - before.gauges.get(name, 0.0) for name, value in self.gauges.items()}
        return found + [f"{name} +{more:,.0f}" for name, more in grown.items() if more > 0]


@dataclass(frozen=True, slots=True)
class Told:
    """The longest step and turn of the loop in some time, in seconds of CPU, and whose step it was."""

    step: float = 0.0
    where: str = ""
    turn: float = 0.0


class Victim(ServerProcess):
    """`descriptors`: how many the process may have; None for the machine's own bound."""

    def __init__(
        self, directory: Path, *, env: Mapping[str, str] | None = None, descriptors: int | None = None
    ) -> None:
        self.probe = directory / "probe.jsonl"
        own = {OUTPUT: str(self.probe), "TWINWIRE_GENERATION_PACE": "0", "TWINWIRE_LOG_FORMAT": "json"}
        if descriptors is not None:
            own[DESCRIPTORS] = str(descriptors)
        super().__init__(directory, env={**own, **(env or {})}, module="tests.hostile.probe")

    def told(self, since: float) -> Told:
        """The longest since a moment of `time.monotonic`."""
        longest: dict[str, dict[str, Any]] = {}
        for record in self._records():
            if record["at"] >= since and record["value"] > longest.get(record["kind"], {"value": 0.0})["value"]:
                longest[record["kind"]] = record
        step, turn = longest.get("step"), longest.get("turn")
        return Told(step["value"] if step else 0.0, step["what"] if step else "", turn["value"] if turn else 0.0)

    def _records(self) -> list[dict[str, Any]]:
        if not self.probe.exists():
            return []
        lines = self.probe.read_text().splitlines()
        return [json.loads(line) for line in lines if line.endswith("}")]

    @property
    def tasks(self) -> int:
        """As counted within the last second, if the loop had a turn."""
        return next((int(one["value"]) for one in reversed(self._records()) if one["kind"] == "tasks"), 0)

    def _descriptors(self) -> list[str]:
        """What each of them is: `socket:[1234]`, a path."""
        found = []
        for link in Path(f"/proc/{self.pid}/fd").iterdir():
            with suppress(OSError):  # closed meanwhile
                found.append(str(link.readlink()))
        return found

    def cpu_seconds(self) -> float:
        """User and system time of all threads since the start (proc(5), stat)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * _TICK

    async def held(self) -> Held:
        """Raises OSError or TimeoutError if the server does not answer within ASKING seconds."""
        async with asyncio.timeout(ASKING):
            answer = await request(self.url, "GET", "/metrics", headers={"Connection": "close", **OURS})
        gauges = {name: float(value) for name, value in HELD.findall(answer.text)}
        open_now = self._descriptors()
        sockets = sum(name.startswith("socket:") for name in open_now)
        return Held(sockets, len(open_now) - sockets, self.tasks, gauges)

    async def busy(self, seconds: float) -> float:
        """The share of a core that it takes, over so many seconds from now."""
        begun, spent = time.monotonic(), self.cpu_seconds()
        await asyncio.sleep(seconds)
        return (self.cpu_seconds() - spent) / (time.monotonic() - begun)

    async def fill(self, stock: Stock, scale: float) -> None:
        """Publish what an attack needs. `scale` 1 is the full size."""
        if stock == "large":
            await self._publish([("big/one", "x" * LARGE)] * int(1_000 * scale), 100)
        elif stock == "topics":
            await self._publish([(f"crowd/{n % 100}/{n}", n) for n in range(int(50_000 * scale))], _BATCH)
        else:
            await self._publish([(f"deep/{n % 20}", n) for n in range(int(200_000 * scale))], _BATCH)

    async def _publish(self, events: list[tuple[str, object]], batch: int) -> None:
        connection = await Connection.open(self.url)
        headers = {"Content-Type": "application/x-ndjson", **OURS}
        for start in range(0, len(events), batch):
            lines = (
                json.dumps({"topic": topic, "type": "log", "data": data})
                for topic, data in events[start : start + batch]
            )
            body = "\n".join(lines).encode()
            answer = await connection.request("POST", "/api/events", headers=headers, body=body)
            assert answer.status == 201, answer.body[:500]
        connection.reset()
