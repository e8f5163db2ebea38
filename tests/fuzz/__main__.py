"""`python -m tests.fuzz [--count N] [--seed S] [TARGET ...]`: so many inputs over all targets; 1 if one fails."""

import argparse
import random
import sys

from tests.fuzz.run import all_targets, run


def main() -> int:
    known = all_targets()
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(known)}; all without")
    parser.add_argument("--count", type=int, default=20_000, help="inputs, over all targets")
    parser.add_argument("--seed", type=int, default=random.Random().getrandbits(32), help="for the same inputs again")
    options = parser.parse_args()
    unknown = [name for name in options.targets if name not in known]
    if unknown:
        parser.error(f"no target {', '.join(unknown)}")
    chosen = [known[name] for name in options.targets] or list(known.values())
    shares = sum(target.share for target in chosen)
    print(f"--seed {options.seed}", flush=True)
    total, faults = 0, 0
    for target in chosen:
        outcome = run(target, -(-options.count * target.share // shares), options.seed)
        total += outcome.inputs
        faults += outcome.fault is not None
        rate = outcome.inputs / outcome.seconds
        longest = f"longest {outcome.longest * 1_000:6.1f} ms CPU"
        print(f"{target.name:10} {outcome.inputs:9,} inputs, {rate:7,.0f}/s, {longest}", flush=True)
        if outcome.fault is not None:
            print(f"FAILED: {outcome.fault}", flush=True)
    print(f"{total:,} inputs, {faults} of {len(chosen)} targets failed")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
