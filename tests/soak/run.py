"""One run: a server, everybody at work for so long, everybody leaves, and what is said of it."""

import asyncio
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.hostile.victim import Held, Victim
from tests.kills.closing import floors_of, integrity, kept_events
from tests.kills.judge import judge
from tests.kills.ledger import BEGIN, END, Ledger
from tests.kills.publishers import PACES, Command, publish_one
from tests.kills.readers import Reader, StreamReader
from tests.kills.run import RETENTION
from tests.kills.trims import Trimmer
from tests.soak.load import Load, Part, publish_some
from tests.soak.sample import Sampler
from tests.soak.verdict import Finding, Sample, findings
from tests.support.clients import TRANSPORTS

ENVIRONMENT: Final = {
    "TWINWIRE_RETENTION": json.dumps(
        (*RETENTION, {"topics": "kept/**", "max_count": 1_000}, {"topics": "projects", "max_count": 100})
    ),
    "TWINWIRE_RETENTION_INTERVAL": "5",
    "TWINWIRE_TOMBSTONES": "60",  # else keys of what was compacted would be gathered for all of it
}
SLOWER: Final = 3.0
"""How much slower publishers are here than where a server lives for a second only: some 150 events a second in all."""
FATES: Final = ("kept/**", "few/**", "small/**", "brief/**", "cut/**", "state/**", END)
RETURN: Final = 15.0
"""Seconds after which everything that was held is given back."""
FINISH: Final = 60.0
"""Seconds until the clients have heard the last event."""
LOOKS: Final = 5
PAUSE: Final = 0.3
"""Looks at what is held before all begins, and the seconds between two looks."""
TELL: Final = 60.0
"""Seconds between two lines about how it goes."""


@dataclass(frozen=True, slots=True)
class Result:
    """`done`: what there was, and how much of it. `longest`: steps of the loop."""

    samples: Sequence[Sample]
    findings: Sequence[Finding]
    done: Counter[str]
    longest: Sequence[str]

    @property
    def is_good(self) -> bool:
        return all(one.is_good for one in self.findings)


class Run:
    """A server that has started, and everybody who uses it."""

    def __init__(self, victim: Victim, seed: str, said: Callable[[str], None]) -> None:
        self.victim = victim
        self.ledger = Ledger()
        self.load = Load(victim.url, seed)
        self.readers: list[Reader] = [
            *(StreamReader(victim.url, name, FATES, seed, (name,)) for name in TRANSPORTS),
            StreamReader(victim.url, "mixed", FATES, seed, TRANSPORTS, leaves=True),
        ]
        self.sampler = Sampler(victim)
        self._seed = seed
        self._said = said

    async def play(self, seconds: float) -> Result:
        await publish_some(self.victim.url)
        before = await self._calm()
        async with asyncio.TaskGroup() as group:
            reading = [group.create_task(one.run()) for one in self.readers]
            await publish_one(self.victim.url, self.ledger, BEGIN)
            for reader in self.readers:
                await reader.started.wait()
            await self._use(group, seconds)
            await publish_one(self.victim.url, self.ledger, END)
            async with asyncio.timeout(FINISH):
                await asyncio.gather(*reading)
        longest, kept = self.sampler.probe.longest, await self._kept(before)
        found = [*findings(self.sampler.samples), Finding("given back", kept or "all", not kept), *await self._close()]
        done = Counter({"events acknowledged": len(self.ledger.acknowledged)}) + self.load.done
        done["events delivered to who keeps a cursor"] = sum(len(one.journal.offsets) for one in self.readers)
        return Result(self.sampler.samples, found, done, longest)

    async def _use(self, group: asyncio.TaskGroup, seconds: float) -> None:
        """All are at work for so long, and have left when it returns."""
        kinds = [(kind, pace) for kind, pace in PACES if not issubclass(kind, Command)]
        sending = [kind(self.victim.url, self.ledger, self._seed, SLOWER * pace) for kind, pace in kinds]
        publishing = [group.create_task(one.run()) for one in sending]
        parts: list[Part] = [*self.load.parts(), Trimmer(self.victim.url, self._seed).run, self.sampler.run, self._tell]
        working = [group.create_task(part()) for part in parts]
        await asyncio.sleep(seconds)
        for task in working:
            task.cancel()
        for publisher in sending:
            publisher.stop()
        await asyncio.gather(*publishing)
        await asyncio.gather(*working, return_exceptions=True)

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(TELL)
            last = self.sampler.samples[-1]
            self._said(
                f"{last.seconds:.0f} s: {last.memory >> 20} MiB, {last.descriptors} descriptors, {last.tasks} tasks,"
                f" WAL {last.wal >> 10} KiB, database {last.database >> 10} KiB,"
                f" {len(self.ledger.acknowledged):,} acknowledged"
            )

    async def _calm(self) -> Held:
        """What it holds before anybody is there: tasks are counted four times a second, first when there are none."""
        looks = []
        for _ in range(LOOKS):
            await asyncio.sleep(PAUSE)
            looks.append(await self._held())
        return Held(
            sockets=min(one.sockets for one in looks),
            files=max(one.files for one in looks),
            tasks=max(one.tasks for one in looks),
            gauges=looks[-1].gauges,
        )

    async def _held(self) -> Held:
        self.sampler.probe.read()
        held = await self.victim.held()
        return Held(held.sockets, held.files, self.sampler.probe.tasks, held.gauges)

    async def _kept(self, before: Held) -> str:
        """What is not given back within RETURN seconds, in words."""
        until = time.monotonic() + RETURN
        while kept := (await self._held()).beyond(before):
            if time.monotonic() > until:
                return ", ".join(kept)
            await asyncio.sleep(PAUSE)
        return ""

    async def _close(self) -> list[Finding]:
        """The books: nothing was lost while nothing grew."""
        (kept, _), floors = await kept_events(self.victim.url, FATES), await floors_of(self.victim.url)
        faults = judge(self.ledger, [one.journal for one in self.readers], kept, floors)
        told = "; ".join(faults.examples[:5]) or "nothing lost, twice or out of order"
        found = [Finding("events", told, not faults.counts)]
        self.victim.signal()
        code, traces = await self.victim.await_exit(), self.victim.faults()
        found.append(Finding("stop", f"{code}, {len(traces)} tracebacks", code == 0 and not traces))
        wrong = integrity(self.victim.database)
        return [*found, Finding("integrity of the file", "; ".join(wrong) or "ok", not wrong)]


async def run(seconds: float, seed: str, said: Callable[[str], None] = lambda line: None) -> Result:
    """Raises what keeps the load itself from going on."""
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        victim = Victim(Path(folder), env=ENVIRONMENT)
        try:
            await victim.astart()
            return await Run(victim, seed, said).play(seconds)
        except BaseException:
            said(victim.log_tail())
            raise
        finally:
            victim.discard()
