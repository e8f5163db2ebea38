"""`python -m tests.faults [SCENE ...]`: measure what faults of the disk do, and print the tables."""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from tests.faults import scenes
from tests.faults.scenes import Row

SCENES: Final[Mapping[str, Sequence[Callable[[Path], Awaitable[Row]]]]] = {
    "slow": [
        partial(scenes.slow_disk, read=0.0),
        partial(scenes.slow_disk, read=0.0, all_=1, single=20),
        partial(scenes.slow_disk, read=scenes.SLOW),
        partial(scenes.slow_disk, read=scenes.SLOW, all_=1),
        partial(scenes.slow_disk, read=scenes.SLOW, single=20),
        partial(scenes.slow_disk, read=scenes.SLOW, all_=1, single=20),
    ],
    "reader": [scenes.foreign_reader],
    "retention": [
        partial(scenes.retention, topics=1_000),
        partial(scenes.retention, topics=1_000, watched=False),
        partial(scenes.retention, topics=1),
        partial(scenes.retention, topics=20_000),
    ],
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help=", ".join(SCENES))
    parser.add_argument("--rounds", type=int, default=1, help="each is measured so often")
    parser.add_argument("--folder", help="on the disk to measure")
    options = parser.parse_args()
    if unknown := [name for name in options.scenes if name not in SCENES]:
        sys.exit(f"no scene {', '.join(unknown)}: {', '.join(SCENES)}")
    for name in options.scenes or SCENES:
        heads: Sequence[str] = ()
        for scene in SCENES[name]:
            for _ in range(options.rounds):
                with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                    row = {**asyncio.run(scene(Path(folder))), "load": f"{os.getloadavg()[0]:.1f}"}  # type: ignore[arg-type]
                if not heads:
                    heads = list(row)
                    print(f"\n{name}\n\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}", flush=True)
                print(f"| {' | '.join(row.get(head, '') for head in heads)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
