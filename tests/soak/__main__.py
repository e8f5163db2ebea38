"""`python -m tests.soak [--minutes N] [--seed X] [--plots FOLDER]`: use a server, and say what is flat; 1 if anything
is not.
"""

import argparse
import asyncio
import secrets
import signal
import sys
from pathlib import Path
from typing import Final

from tests.soak.plots import write
from tests.soak.run import run
from tests.support.server import ROOT

FULL: Final = 20.0
"""Minutes. Plots of less do not replace those of the documents."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--minutes", type=float, default=FULL, help="20 if nothing is said")
    parser.add_argument("--seed", default=secrets.token_hex(4), help="of what is random; another each time")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="docs/ after 20 minutes, else none")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no server is left behind
    print(f"seed {options.seed}", flush=True)
    result = asyncio.run(run(60 * options.minutes, options.seed, lambda line: print(line, flush=True)))
    for name, count in result.done.items():
        print(f"{name:<42}{count:>12,}")
    print("\n".join(map(str, result.findings)))
    print("\n".join(f"a long step: {step}" for step in result.longest))
    folder = options.plots or (ROOT / "docs" if options.minutes >= FULL else None)
    if folder is not None:
        print(*write(folder, result.samples), sep="\n")
    return 0 if result.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
