"""`python -m tests.kills [--cycles N] [--seconds S] [--seed X]`: kill, start, kill, and print the zeros; 1 if one is
none.
"""

import argparse
import asyncio
import secrets
import signal
import sys

from tests.kills.report import table
from tests.kills.run import Until, run


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.kills")
    parser.add_argument("--cycles", type=int, help="kills; 1,000 if nothing is said")
    parser.add_argument("--seconds", type=float, help="no more cycles after that")
    parser.add_argument("--seed", default=secrets.token_hex(4), help="of what is random; another each time")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no server is left behind
    cycles = 1000 if options.cycles is None and options.seconds is None else options.cycles
    print(f"seed {options.seed}", flush=True)
    result = asyncio.run(run(Until(cycles, options.seconds), options.seed, lambda line: print(line, flush=True)))
    print("\n".join(table(result)))
    return 0 if result.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
