"""`python -m tests.restart [--clients N] [--delay S] [--plots FOLDER]`: restart a server behind HAProxy, print how its
clients came back, and end with 1 if anything was lost, or anybody refused who should not have been.
"""

import argparse
import asyncio
import resource
import signal
import sys
from pathlib import Path
from typing import Final

from tests.restart.plots import write
from tests.restart.run import run
from tests.support.server import ROOT

FULL: Final = 1_000
"""Clients. A plot of fewer does not replace that of the documents."""
DELAY: Final = 2.0
"""Seconds: HAProxy asks every second."""
SHOWN: Final = 20
"""Problems that are printed."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.restart")
    parser.add_argument("--clients", type=int, default=FULL, help="1,000 if nothing is said")
    parser.add_argument("--delay", type=float, default=DELAY, help="TWINWIRE_DRAIN_DELAY, 2 s if nothing is said")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="docs/ with 1,000 clients, else none")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no server is left behind
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # for the clients, and for those who inherit it
    result = asyncio.run(run(options.clients, options.delay, lambda line: print(line, flush=True)))
    print("\n".join([*result.table(), result.summary()]))
    problems = result.problems
    print("\n".join(problems[:SHOWN]) or "nothing lost, and nobody refused once the new process was ready")
    folder = options.plots or (ROOT / "docs" if options.clients >= FULL else None)
    if folder is not None and not problems:
        print(write(folder, result))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
