"""When the server is killed: at any moment, and at those of which somebody might think that they are worse.

| moment | the server is killed |
|---|---|
| `running` | soon after it has said that it accepts connections |
| `start` | before it has said so: most of the way through its start |
| `trim` | within milliseconds of a trim being asked for |
| `checkpoint` | as soon as the database's file is written to, which is when the log moves into it |
| `drain` | after SIGTERM, before it has ended by itself |
"""

import asyncio
import random
import signal
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, get_args

from tests.kills.trims import Trimmer
from tests.support.server import ServerProcess

Moment = Literal["running", "start", "trim", "checkpoint", "drain"]
MOMENTS: Final[tuple[Moment, ...]] = get_args(Moment)
WEIGHTS: Final = (4, 2, 2, 2, 1)

RUNNING: Final = 0.8
"""Seconds after the start up to which it is killed."""
STARTING: Final = (0.3, 1.05)
"""Shares of the last start's time: before, only Python's modules are read."""
TRIMMING: Final = 0.02
"""Seconds after a trim was asked for; it takes a few milliseconds."""
DRAINING: Final = 0.3
"""Seconds after SIGTERM."""
CHECKPOINT_PATIENCE: Final = 2.5
"""Seconds for which a checkpoint is waited for: the log must grow to a mebibyte first."""
WATCHER: Final = Path(__file__).with_name("watcher.py")
FIRST_START: Final = 0.7
"""Seconds that a start takes, until one was measured."""


class Killer:
    """Counts kills by moment, and those `in_checkpoint`: it had begun to write, and had not told its end. `wal`: the
    largest log that a dead server left, in bytes.
    """

    def __init__(self, server: ServerProcess, trimmer: Trimmer, seed: str) -> None:
        self.kills: Counter[Moment] = Counter()
        self.in_checkpoint = 0
        self.wal = 0
        self._server = server
        self._trimmer = trimmer
        self._random = random.Random(f"{seed} kills")
        self._start_seconds = FIRST_START
        self._has_checkpoint_begun = False
        self._wal = Path(f"{server.database}-wal")

    async def kill(self, look: Callable[[], None] | None = None) -> None:
        """One cycle: the server runs before, and runs after it. `look` is called while it is dead."""
        (moment,) = self._random.choices(MOMENTS, WEIGHTS)
        await {
            "running": self._in_run,
            "start": self._in_start,
            "trim": self._in_trim,
            "checkpoint": self._in_checkpoint,
            "drain": self._in_drain,
        }[moment]()
        await self._server.akill9()
        self.kills[moment] += 1
        self.wal = max(self.wal, self._wal_bytes())
        self.in_checkpoint += self._has_checkpoint_begun and self._is_checkpoint_unfinished()
        self._has_checkpoint_begun = False
        if look is not None:
            await asyncio.to_thread(look)
        await self.start()

    async def start(self) -> None:
        begun = time.monotonic()
        await self._server.astart()
        self._start_seconds = time.monotonic() - begun

    async def _in_run(self) -> None:
        await asyncio.sleep(self._random.uniform(0, RUNNING))

    async def _in_start(self) -> None:
        """Of the next incarnation: this one is killed at once, and that is not counted."""
        await self._server.akill9()
        self._server.launch()
        await asyncio.sleep(self._start_seconds * self._random.uniform(*STARTING))

    async def _in_trim(self) -> None:
        await self._trimmer.begun()
        await asyncio.sleep(self._random.uniform(0, TRIMMING))

    async def _in_checkpoint(self) -> None:
        """A database in WAL mode is written to by checkpoints only (sqlite.org/wal.html, 2.1)."""
        arguments = [str(self._server.database), str(self._server.pid), str(CHECKPOINT_PATIENCE)]
        watcher = await asyncio.create_subprocess_exec(sys.executable, "-S", "-E", str(WATCHER), *arguments)
        self._has_checkpoint_begun = await watcher.wait() == 0

    async def _in_drain(self) -> None:
        await asyncio.sleep(self._random.uniform(0, RUNNING / 2))
        self._server.signal(signal.SIGTERM)
        await asyncio.sleep(self._random.uniform(0, DRAINING))

    def _is_checkpoint_unfinished(self) -> bool:
        """By the frames that were moved and those that were to be (sqlite.org/walformat.html, 2.2)."""
        shared = self._wal.with_name(self._wal.name.removesuffix("-wal") + "-shm").read_bytes()
        (moved,), (to_move,) = (struct.unpack_from("=I", shared, at) for at in (96, 128))
        return bool(moved < to_move)

    def _wal_bytes(self) -> int:
        return self._wal.stat().st_size if self._wal.exists() else 0
