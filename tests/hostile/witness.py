"""The witness: a process apart that lives beside the attack and tells how it fares.

It asks `GET /api/health` all the time, on a connection that it keeps and on new ones (a stranger may shut out only
those), and it follows a topic over SSE to which it publishes at a gentle rate. Told to `mark`, it says how long things
took since the last mark; what is still unanswered counts with its age.

Its seconds are wall time without what the machine is to blame for: the kernel counts for each thread how long it was
ready to run and did not (proc(5), schedstat), and that much of the server's loop (for events: of all its threads) and
of the witness itself is taken off. What is left is what the server did to it. What it waited in vain for is left in.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.hostile.ours import OURS
from tests.support.http import Connection
from tests.support.server import ROOT, environment

TOPIC: Final = "witness/live"
HEALTH_PAUSE: Final = 0.02
FRESH_PAUSE: Final = 0.2
PUBLISH_PAUSE: Final = 0.02
"""Seconds between two of each: about 2 % of a core for the server."""
GIVE_UP: Final = 60.0
"""Seconds after which a question counts as unanswered for good."""
_NANO: Final = 1e9


@dataclass(frozen=True, slots=True)
class Seen:
    """What the witness saw between two marks, in seconds. `failures` says what was refused, cut or never answered."""

    health_max: float
    health_p99: float
    live_p99: float
    answers: int
    events: int
    failures: tuple[str, ...] = ()


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest rank, the worst of a few; 0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


class Excuse:
    """How long the machine has kept the server's threads and this process waiting, in seconds since they began."""

    def __init__(self, server: int) -> None:
        self._server = Path(f"/proc/{server}/task")
        self._loop = self._server / str(server) / "schedstat"
        self._own = Path("/proc/self/schedstat")

    def of_loop(self) -> float:
        return _waited(self._loop) + _waited(self._own)

    def of_all(self) -> float:
        threads = list(self._server.iterdir()) if self._server.exists() else []
        return _waited(self._own) + sum(_waited(thread / "schedstat") for thread in threads)


def _waited(path: Path) -> float:
    try:
        return int(path.read_text().split()[1]) / _NANO
    except (OSError, IndexError):  # a thread that has ended, or a kernel without the figure: then nothing is excused
        return 0.0


@dataclass(slots=True)
class Witness:
    url: str
    excuse: Excuse
    health: list[float] = field(default_factory=list)
    live: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    asked: dict[str, tuple[float, float]] = field(default_factory=dict)  # by question: when, and what was excused
    sent: dict[int, tuple[float, float]] = field(default_factory=dict)

    def mark(self) -> Seen:
        health = self.health + [self._age(at, excused) for at, excused in self.asked.values()]
        now_excused = self.excuse.of_all()
        live = self.live + [max(0.0, time.monotonic() - at - (now_excused - e)) for at, e in self.sent.values()]
        seen = Seen(
            max(health, default=0.0),
            percentile(health, 0.99),
            percentile(live, 0.99),
            len(self.health),
            len(self.live),
            tuple(dict.fromkeys(self.failures)),
        )
        self.health, self.live, self.failures = [], [], []
        return seen

    def _age(self, at: float, excused: float) -> float:
        return max(0.0, time.monotonic() - at - (self.excuse.of_loop() - excused))

    async def ask(self, name: str, connection: Connection, headers: dict[str, str] | None = None) -> None:
        begun = (time.monotonic(), self.excuse.of_loop())
        self.asked[name] = begun
        try:
            async with asyncio.timeout(GIVE_UP):
                response = await connection.request("GET", "/api/health", headers=headers)
        finally:
            del self.asked[name]
        self.health.append(self._age(*begun))
        if response.status != 200:
            self.failures.append(f"health: {response.status}")

    async def keep_asking(self) -> None:
        connection = await Connection.open(self.url)
        while True:
            try:
                await self.ask("kept", connection)
            except (OSError, TimeoutError) as error:
                self.failures.append(f"health on a kept connection: {type(error).__name__}")
                await asyncio.sleep(FRESH_PAUSE)
                with suppress(OSError):
                    connection = await Connection.open(self.url)
            await asyncio.sleep(HEALTH_PAUSE)

    async def knock(self) -> None:
        """New connections, which are let go at once: `Connection: close`."""
        while True:
            try:
                connection = await Connection.open(self.url)
                try:
                    await self.ask("fresh", connection, {"Connection": "close"})
                finally:
                    connection.reset()
            except (OSError, TimeoutError) as error:
                self.failures.append(f"health on a new connection: {type(error).__name__}")
            await asyncio.sleep(FRESH_PAUSE)

    async def publish(self) -> None:
        connection = await Connection.open(self.url)
        number = 0
        while True:
            number += 1
            body = json.dumps({"topic": TOPIC, "type": "beat", "data": number}).encode()
            self.sent[number] = (time.monotonic(), self.excuse.of_all())
            try:
                async with asyncio.timeout(GIVE_UP):
                    response = await connection.request("POST", "/api/events", headers=OURS, body=body)
                if response.status != 201:
                    self.failures.append(f"publish: {response.status}")
                    del self.sent[number]
            except (OSError, TimeoutError) as error:
                self.failures.append(f"publish: {type(error).__name__}")
                self.sent.pop(number, None)
                await asyncio.sleep(FRESH_PAUSE)
                with suppress(OSError):
                    connection = await Connection.open(self.url)
            await asyncio.sleep(PUBLISH_PAUSE)

    async def follow(self) -> None:
        while True:
            try:
                await self._follow_once()
            except OSError as error:
                self.failures.append(f"live stream: {type(error).__name__}")
            else:
                self.failures.append("live stream: ended")
            self.sent.clear()
            await asyncio.sleep(FRESH_PAUSE)

    async def _follow_once(self) -> None:
        connection = await Connection.open(self.url)
        await connection.send("GET", f"/api/sse?topic={TOPIC}", headers=OURS)
        head = await connection.read_head()
        if head.status != 200:
            raise ConnectionRefusedError(head.status)
        rest = b""
        async for piece in connection.pieces(head):
            *blocks, rest = (rest + piece).split(b"\n\n")
            for block in blocks:
                self._take(block)

    def _take(self, block: bytes) -> None:
        data = next((line[6:] for line in block.splitlines() if line.startswith(b"data: ")), b"{}")
        event = json.loads(data)
        if event.get("type") == "beat" and (begun := self.sent.pop(event["data"], None)) is not None:
            waited = time.monotonic() - begun[0] - (self.excuse.of_all() - begun[1])
            self.live.append(max(0.0, waited))


async def live(url: str, server: int) -> None:
    """Witness until standard input ends; each line there is answered with what was seen since the last."""
    witness = Witness(url, Excuse(server))
    follower = asyncio.create_task(witness.follow())
    doings = [follower, *map(asyncio.create_task, (witness.keep_asking(), witness.knock(), witness.publish()))]
    while await asyncio.to_thread(sys.stdin.readline):
        for doing in doings:
            if doing.done():
                witness.failures.append(f"the witness has failed: {doing.exception()!r}")
        print(json.dumps(asdict(witness.mark())), flush=True)


class WitnessProcess:
    """The handle of it: `mark` says how it fared since the last."""

    def __init__(self, url: str, server: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.hostile.witness", url, str(server)],
            env=environment(),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    async def mark(self) -> Seen:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("mark\n")
        self._process.stdin.flush()
        values: dict[str, Any] = json.loads(await asyncio.to_thread(self._process.stdout.readline))
        return Seen(**{**values, "failures": tuple(values["failures"])})

    def discard(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def __enter__(self) -> "WitnessProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(live(sys.argv[1], int(sys.argv[2])))
