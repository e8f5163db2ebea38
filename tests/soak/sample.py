"""What a server holds, every second, seen from outside (proc(5)), and what its probe tells of its loop."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any, Final

from tests.hostile.victim import Victim
from tests.soak.verdict import Sample

PERIOD: Final = 1.0
"""Seconds between two looks."""

MOST: Final = 5
"""Steps of the loop that are told by whose they were."""


class Probe:
    """Reads what the probe has told since the last time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = 0
        self.tasks = 0
        self._longest: list[tuple[float, str]] = []
        """Steps so far, MOST of them, the longest first."""

    def read(self) -> tuple[float, float]:
        """The longest step and turn since, in seconds of CPU."""
        longest = {"step": 0.0, "turn": 0.0}
        for record in self._records():
            kind, value = record["kind"], record["value"]
            if kind == "tasks":
                self.tasks = int(value)
                continue
            longest[kind] = max(longest[kind], value)
            if kind == "step":
                self._longest = sorted([*self._longest, (value, record["what"])], reverse=True)[:MOST]
        return longest["step"], longest["turn"]

    @property
    def longest(self) -> list[str]:
        """How long the longest steps so far were, and whose."""
        return [f"{1000 * value:.1f} ms, {what}" for value, what in self._longest]

    def forget(self) -> None:
        """What was told so far, of a start, is not looked at."""
        self.read()
        self._longest.clear()

    def _records(self) -> list[dict[str, Any]]:
        """Whole lines only; the rest is read the next time."""
        with self._path.open("rb") as file:
            file.seek(self._place)
            told, _, _ = file.read().rpartition(b"\n")
        self._place += len(told) + 1 if told else 0
        return [json.loads(line) for line in told.splitlines()]


class Sampler:
    """`samples` grows by one a second while `run` runs."""

    def __init__(self, victim: Victim) -> None:
        self.samples: list[Sample] = []
        self.probe = Probe(victim.probe)
        self._victim = victim
        self._wal = Path(f"{victim.database}-wal")
        self._begun = time.monotonic()

    async def run(self) -> None:
        """Until cancelled."""
        self.probe.forget()
        self._begun = time.monotonic()
        while True:
            await asyncio.sleep(PERIOD)
            self.samples.append(self.look())

    def look(self) -> Sample:
        step, turn = self.probe.read()
        return Sample(
            seconds=time.monotonic() - self._begun,
            memory=self._victim.memory(),
            descriptors=sum(1 for _ in Path(f"/proc/{self._victim.pid}/fd").iterdir()),
            tasks=self.probe.tasks,
            wal=self._wal.stat().st_size if self._wal.exists() else 0,
            database=self._victim.database.stat().st_size,
            step=step,
            turn=turn,
        )
