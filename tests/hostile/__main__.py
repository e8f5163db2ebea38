"""`python -m tests.hostile (--all | --quick | NAME ...)`: run attacks, print the table; 1 if one breaks a bound."""

import argparse
import signal
import sys
from pathlib import Path
from typing import Final

from tests.hostile.attack import Attack
from tests.hostile.attacks import ATTACKS
from tests.hostile.run import FULL, HONEST, QUICK, Runner, setting
from tests.hostile.verdict import NONE, WIDE, Measured, head_lines, line, markdown


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile")
    parser.add_argument("names", nargs="*", metavar="NAME", help="attacks, or rows of them (row:6)")
    parser.add_argument("--all", action="store_true", help="every attack")
    parser.add_argument("--quick", action="store_true", help="short times, one round, one number of connections")
    parser.add_argument("--lenient", action="store_true", help="wider bounds, and more tries, where others work too")
    parser.add_argument("--without", action="append", default=[], metavar="NAME", help="not this one")
    parser.add_argument(
        "--part", type=part, default=(1, 1), metavar="K/N", help="one of N parts, for as many at a time"
    )
    parser.add_argument("--connections", type=int, help="instead of what an attack says")
    parser.add_argument("--list", action="store_true", help="say what there is")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there too")
    return parser.parse_args()


def part(text: str) -> tuple[int, int]:
    """`1/2` as a pair. Raises ValueError."""
    number, count = map(int, text.split("/"))
    if not 1 <= number <= count:
        raise ValueError(text)
    return number, count


def parted(attacks: list[Attack], number: int, count: int) -> list[Attack]:
    """The part of this number, from 1 on; honest use, which the others are measured against, is in each."""
    honest = [one for one in attacks if one.name == HONEST]
    others = [one for one in attacks if one.name != HONEST]
    return [*honest, *others[(number - 1) * len(others) // count : number * len(others) // count]]


TRIES: Final = 3
"""Of an attack on a machine that others use: a fault is there each time, what others do is not."""


def chosen(options: argparse.Namespace) -> list[Attack]:
    """Honest use first: the others are measured against its memory."""
    if unknown := [name for name in options.without if name not in ATTACKS]:
        sys.exit(f"no attack {', '.join(unknown)}: --list says what there is")
    return [one for one in _named(options) if one.name not in options.without]


def _named(options: argparse.Namespace) -> list[Attack]:
    if options.all or (options.quick and not options.names):
        return list(ATTACKS.values())
    rows = {name.removeprefix("row:") for name in options.names if name.startswith("row:")}
    names = [name for name in options.names if not name.startswith("row:")]
    unknown = [name for name in names if name not in ATTACKS]
    if unknown or not (names or rows):
        sys.exit(f"no attack {', '.join(unknown) or 'is named'}: --list says what there is")
    return [one for one in ATTACKS.values() if one.name in {HONEST, *names} or one.row in rows]


def main() -> int:
    options = arguments()
    if options.list:
        print("\n".join(f"{one.row:7} {one.name:24} {one.what}" for one in ATTACKS.values()))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no server is left behind
    rows = run(options)
    if options.markdown:
        options.markdown.write_text(markdown(rows) + "\n")
    broken = sum(bool(row.broken) for row in rows)
    print(f"{len(rows)} runs, {broken} broken")
    return 1 if broken else 0


def run(options: argparse.Namespace) -> list[Measured]:
    """Measures, and prints each row as soon as it is known."""
    attacks = chosen(options)
    if options.quick:
        attacks.sort(key=lambda one: (one.name != HONEST, setting(one)))  # those that can share a server, side by side
    attacks = parted(attacks, *options.part)
    runner = Runner(QUICK if options.quick else FULL)
    rows: list[Measured] = []
    print(head_lines(), flush=True)
    try:
        for attack in attacks:
            counts = [options.connections] if options.connections else attack.counts(options.quick)
            for connections in counts:
                for _ in range(TRIES if options.lenient else 1):
                    measured = runner.measure(attack, connections)
                    measured.slack = WIDE if options.lenient else NONE
                    print(line(measured.cells), flush=True)
                    if not measured.broken:
                        break
                rows.append(measured)
    finally:
        runner.close()
    return rows


if __name__ == "__main__":
    sys.exit(main())
