"""The bounds, what was measured against them, and the table."""

from dataclasses import dataclass, field
from typing import Final

from tests.hostile.attack import Attack
from tests.hostile.victim import Told
from tests.hostile.witness import Seen

ANSWER: Final = 0.100
"""Seconds: the longest that health takes, and the live subscriber's p99, while a stranger does his worst."""
NOISE: Final = 3
"""How often the calm phase's own figure a figure may be, if that is more than ANSWER: then the machine is slow."""
STEP: Final = 0.020
"""Seconds of CPU of one step of the loop."""
TURN: Final = 0.100
"""Seconds of CPU between two beats of the loop: what the bound of an answer is, on a machine that does nothing else."""
MEMORY: Final = 64 << 20
"""Bytes over what honest use of so many connections costs."""
RETURN: Final = 10.0
"""Seconds after which everything that was held is given back."""
RESIDENT: Final = 16 << 20
"""Bytes by which the last round may end above the first: what an allocator keeps in its pockets."""
LOG: Final = 1 << 20
"""Bytes of log that one attack may write."""
MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Slack:
    """By how much the bounds are wider: nothing, or what a machine may need that others use too."""

    times: float = 1.0
    memory: float = 1.0


NONE: Final = Slack()
WIDE: Final = Slack(times=5.0, memory=2.0)
"""A fault of a kind stops the loop for a second, or holds hundreds of megabytes: it is seen all the same."""


@dataclass(slots=True)
class Measured:
    """One attack with so many connections. Seconds and bytes."""

    attack: Attack
    connections: int
    calm: Seen
    storm: Seen
    told: Told
    memory: int = 0
    honest: int = 0
    resident: list[int] = field(default_factory=list)  # after each round, without what the tail has grown
    given_back: float | None = None  # seconds; None: not within RETURN
    kept: list[str] = field(default_factory=list)
    breaches: list[str] = field(default_factory=list)
    tracebacks: int = 0
    logged: int = 0
    slack: Slack = NONE
    is_cut: bool = False  # the server was ended, because its memory ran out of hand
    returncode: int | None = None

    @property
    def broken(self) -> list[str]:
        """Every bound that does not hold, in words; empty: it has withstood."""
        times = self.slack.times
        health = max(times * ANSWER, NOISE * self.calm.health_max)
        live = max(times * ANSWER, NOISE * self.calm.live_p99)
        found = [
            *([f"died with {self.returncode}"] if self.returncode is not None and not self.is_cut else []),
            *(["health"] if self.storm.health_max > health else []),
            *(["live"] if self.storm.live_p99 > live else []),
            *([f"step ({self.told.where})"] if self.told.step > times * STEP else []),
            *(["turn"] if self.told.turn > times * TURN else []),
            *(["memory"] if self.memory > self.honest + self.slack.memory * MEMORY or self.is_cut else []),
            *([f"keeps {', '.join(self.kept)}"] if self.given_back is None else []),
            *([f"grows by {self.growth // MIB} MiB"] if self.growth > RESIDENT else []),
            *([f"{self.tracebacks} tracebacks"] if self.tracebacks else []),
            *([f"{self.logged / MIB:.1f} MiB of log"] if self.logged > LOG else []),
        ]
        return [*found, *self.storm.failures, *self.breaches]

    @property
    def growth(self) -> int:
        return self.resident[-1] - self.resident[0] if len(self.resident) > 1 else 0

    @property
    def cells(self) -> tuple[str, ...]:
        broken = self.broken
        return (
            self.attack.row,
            self.attack.name,
            str(self.connections),
            _ms(self.storm.health_max),
            _ms(self.storm.health_p99),
            _ms(self.storm.live_p99),
            _ms(self.told.step),
            _ms(self.told.turn),
            f"{'over ' if self.is_cut else '+'}{self.memory // MIB}",
            "never" if self.given_back is None else f"{self.given_back:.1f}",
            f"{self.growth / MIB:+.0f}" if len(self.resident) > 1 else "",
            "holds" if not broken else f"BROKEN: {'; '.join(broken)}",
        )


HEADS: Final = (
    "row",
    "attack",
    "conns",
    "health max ms",
    "p99 ms",
    "live p99 ms",
    "step CPU ms",
    "turn CPU ms",
    "memory MiB",
    "back s",
    "again MiB",
    "verdict",
)
_WIDTHS: Final = (7, 24, 5, 9, 8, 8, 8, 8, 8, 6, 6, 0)


def line(cells: tuple[str, ...]) -> str:
    """A row for the terminal: it is printed as soon as it is known."""
    return "  ".join(cell.ljust(width) if n < 2 else cell.rjust(width) for n, (cell, width) in _columns(cells)).rstrip()


def _columns(cells: tuple[str, ...]) -> list[tuple[int, tuple[str, int]]]:
    return list(enumerate(zip(cells, _WIDTHS, strict=True)))


def head_lines() -> str:
    """The table's head, in two lines: the second holds the units."""
    first = line(tuple(head.rpartition(" ")[0] if head[-2:] in ("ms", "iB", " s") else head for head in HEADS))
    return (
        first + "\n" + line(tuple(head.rpartition(" ")[2] if head[-2:] in ("ms", "iB", " s") else "" for head in HEADS))
    )


def markdown(rows: list[Measured]) -> str:
    """The table for a document."""
    lines = [f"| {' | '.join(HEADS)} |", f"|{'---|' * len(HEADS)}"]
    lines += [f"| {' | '.join(cell.replace('|', '/') for cell in row.cells)} |" for row in rows]
    return "\n".join(lines)


def _ms(seconds: float) -> str:
    milliseconds = seconds * 1_000
    return f"{milliseconds:,.0f}" if milliseconds >= 10 else f"{milliseconds:.1f}"
