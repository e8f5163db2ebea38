"""One run: start, everybody at work, kills, everybody finishes, and the books are closed."""

import asyncio
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.kills.closing import WAL_MAX, floors_of, integrity_of_copy, kept_events, look_at_database, state_of
from tests.kills.judge import judge
from tests.kills.killer import Killer
from tests.kills.ledger import BEGIN, END, STATES, Faults, Journal, Ledger
from tests.kills.publishers import publish_one, publishers
from tests.kills.readers import readers
from tests.kills.texts import TextReader, TextWriter, look_at_text
from tests.kills.trims import Trimmer
from tests.support.server import ServerProcess

RETENTION: Final = (
    {"topics": "few/**", "max_count": 100},
    {"topics": "small/**", "max_bytes": 20_000},
    {"topics": "brief/**", "max_age": 2},
    {"topics": "state/**", "keep": "state"},
    {"topics": "texts/**", "keep": "state"},
)
ENVIRONMENT: Final = {
    "TWINWIRE_RETENTION": json.dumps(RETENTION),
    "TWINWIRE_RETENTION_INTERVAL": "0.3",
    "TWINWIRE_TOMBSTONES": "60",  # longer than any publisher repeats a key
    "TWINWIRE_HEARTBEAT": "1",
    "TWINWIRE_LOG_FORMAT": "json",
}
FINISH: Final = 120.0
"""Seconds until all have heard the last event; `twinwire tail` may pause for half a minute before it looks again."""
LOOK_AFTER: Final = 50
"""Kills between two looks at a copy of the files, as they were left."""


@dataclass(slots=True)
class Result:
    """`wrong` has what is no count, in words; `database` is its size at the end, in bytes."""

    cycles: int
    seconds: float
    ledger: Ledger
    journals: list[Journal]
    killer: Killer
    trimmer: Trimmer
    faults: Faults
    kept: int
    database: int
    compacted: int = 0
    """Events that others have replaced and that are gone, of those that were acknowledged."""
    joins: int = 0
    """Joined texts that their reader has met."""
    wrong: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not self.wrong and not any(self.faults.counts.values())


@dataclass(frozen=True, slots=True)
class Until:
    """So many kills, or so many seconds, whichever comes first."""

    cycles: int | None
    seconds: float | None

    def is_over(self, cycles: int, seconds: float) -> bool:
        return (self.cycles is not None and cycles >= self.cycles) or (
            self.seconds is not None and seconds >= self.seconds
        )


class Run:
    """Everybody who takes part. `said` gets a line from time to time."""

    def __init__(self, server: ServerProcess, seed: str, said: Callable[[str], None]) -> None:
        self.server = server
        self.ledger = Ledger()
        self.trimmer = Trimmer(server.url, seed)
        self.killer = Killer(server, self.trimmer, seed)
        self.readers = readers(server.url, seed)
        self.publishers = publishers(server.url, self.ledger, seed)
        self.writer = TextWriter(server.url, seed)
        self.text_reader = TextReader(server.url, seed)
        self.text_faults = Faults()
        self.wrong: list[str] = []
        self.cycles = 0
        self._said = said

    @property
    def journals(self) -> list[Journal]:
        return [one.journal for one in self.readers]

    async def play(self, until: Until) -> Result:
        begun = time.monotonic()
        await self.killer.start()
        async with asyncio.TaskGroup() as group:
            reading = [group.create_task(one.run()) for one in self.readers]
            await publish_one(self.server.url, self.ledger, BEGIN)
            for reader in self.readers:  # whoever comes later does not know what was trimmed before
                await reader.started.wait()
            publishing = [group.create_task(one.run()) for one in self.publishers]
            publishing.append(group.create_task(self.writer.run()))
            others = [group.create_task(one.run()) for one in (self.trimmer, self.text_reader)]
            while not until.is_over(self.cycles, time.monotonic() - begun):
                await self._cycle(time.monotonic() - begun)
            for publisher in (*self.publishers, self.writer):
                publisher.stop()
            await asyncio.gather(*publishing)
            self.text_faults = await look_at_text(self.server.url, self.writer, self.text_reader)
            for task in others:
                task.cancel()
            await publish_one(self.server.url, self.ledger, END)
            async with asyncio.timeout(FINISH):
                await asyncio.gather(*reading)
        return await self._close(begun)

    async def _cycle(self, seconds: float) -> None:
        looks = self.cycles % LOOK_AFTER == LOOK_AFTER - 1
        await self.killer.kill(self._look_at_copy if looks else None)
        self.cycles += 1
        if looks:
            heard = sum(len(one.offsets) for one in self.journals)
            acknowledged = len(self.ledger.acknowledged)
            self._said(f"{self.cycles} cycles, {seconds:.0f} s, {acknowledged:,} acknowledged, {heard:,} delivered")

    def _look_at_copy(self) -> None:
        self.wrong += integrity_of_copy(self.server.database)

    async def _close(self, begun: float) -> Result:
        (kept, texts), floors = await kept_events(self.server.url), await floors_of(self.server.url)
        states = await state_of(self.server.url)
        self.server.signal()
        if (code := await self.server.await_exit()) != 0:
            self.wrong.append(f"the last stop ended with {code}")
        self.wrong += [f"in its log: {line}" for line in self.server.faults()[:5]]
        self.wrong += look_at_database(self.server.database, len(kept) + texts)
        if self.killer.wal > WAL_MAX:
            self.wrong.append(f"the write-ahead log had {self.killer.wal:,} bytes")
        return Result(
            cycles=self.cycles,
            seconds=time.monotonic() - begun,
            ledger=self.ledger,
            journals=self.journals,
            killer=self.killer,
            trimmer=self.trimmer,
            faults=_with(judge(self.ledger, self.journals, kept, floors, states), self.text_faults),
            joins=self.text_reader.joins,
            kept=len(kept),
            database=self.server.database.stat().st_size,
            compacted=self._compacted({one.serial for one in kept}),
            wrong=self.wrong,
        )

    def _compacted(self, kept: set[int]) -> int:
        sent = self.ledger.sent
        return sum(sent[serial].topic.startswith(STATES) and serial not in kept for serial in self.ledger.acknowledged)


def _with(faults: Faults, more: Faults) -> Faults:
    faults.counts += more.counts
    faults.examples += more.examples
    return faults


async def run(until: Until, seed: str, said: Callable[[str], None] = lambda line: None) -> Result:
    """Raises what keeps the harness itself from going on, such as a server that does not start any more."""
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        server = ServerProcess(Path(folder) / "server", env=ENVIRONMENT)
        try:
            return await Run(server, seed, said).play(until)
        except BaseException:
            said(server.log_tail())
            raise
        finally:
            server.discard()
