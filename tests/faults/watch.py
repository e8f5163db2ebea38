"""A process apart that lives beside a fault: it publishes 50 times a second, follows that live, and asks for health.

Like `tests/hostile/witness.py`, whose doings these are, but its seconds are plain: nothing is taken off for what else
the machine has to do. So look at the load first, and measure more than once.
"""

import asyncio
import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Final

from tests.hostile.witness import Excuse, Witness, percentile
from tests.support.server import ROOT, environment

_MS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Felt:
    """In milliseconds: p50, p98, p99 and the longest."""

    live: tuple[float, float, float, float]
    health: tuple[float, float, float, float]
    events: int
    failures: int


class _None(Excuse):
    def of_loop(self) -> float:
        return 0.0

    def of_all(self) -> float:
        return 0.0


def _spread(seconds: list[float]) -> tuple[float, float, float, float]:
    p50, p98, p99 = (_MS * percentile(seconds, share) for share in (0.5, 0.98, 0.99))
    return p50, p98, p99, _MS * max(seconds, default=0.0)


async def _live(url: str) -> None:
    witness = Witness(url, _None(0))
    doings = [asyncio.create_task(one()) for one in (witness.follow, witness.keep_asking, witness.publish)]
    await asyncio.to_thread(sys.stdin.readline)
    for doing in doings:
        doing.cancel()
    late = witness.sent.values()  # what has not come yet counts with its age
    now = asyncio.get_running_loop().time()
    live = witness.live + [now - at for at, _ in late]
    health = witness.health + [now - at for at, _ in witness.asked.values()]
    print(json.dumps(asdict(Felt(_spread(live), _spread(health), len(live), len(witness.failures)))), flush=True)


class Watcher:
    """The handle of it: `end` says how it fared since its beginning."""

    def __init__(self, url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.watch", url],
            env=environment(),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def end(self) -> Felt:
        told, _ = self._process.communicate("end\n")
        return Felt(**json.loads(told))

    def __enter__(self) -> "Watcher":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(_live(sys.argv[1]))
