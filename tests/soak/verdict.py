"""What is flat: plain numbers in, findings out.

The first half is for warming up, in which caches fill to their bounds: of twenty minutes that is as long as a
connection that has ended is remembered (`stream/gone.py`), and nothing else takes so long. From then on a series may
rise by so much in all, as the straight line through it does (least squares): a leak rises on and on, noise does not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

MIB: Final = 1 << 20

WARM: Final = 0.5
"""The share of the time that is not judged."""
MEMORY_RISE: Final = 6 * MIB
"""Bytes: an allocator's moods. In ten minutes, 70 bytes kept of each event would be more."""
COUNT_RISE: Final = 6.0
"""Descriptors or tasks: less than what one stream in a thousand would leave behind."""
DATABASE_RISE: Final = 0.10
"""The share of its size by which the database may rise, once retention takes as much as comes."""
WAL_MAX: Final = 33 * MIB
"""Bytes: a checkpoint is due at 32 MiB, however busy the log is."""
STEP_MAX: Final = 0.020
"""Seconds of CPU of one step of the loop."""
TURN_MAX: Final = 0.100
"""Seconds of CPU between two beats of the loop."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One look. `seconds` since the load began; bytes; `step` and `turn`: the longest since the look before, seconds of
    CPU, 0 if none was worth telling.
    """

    seconds: float
    memory: int
    descriptors: int
    tasks: int
    wal: int
    database: int
    step: float
    turn: float


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the verdict."""

    name: str
    told: str
    is_good: bool

    def __str__(self) -> str:
        return f"{'flat' if self.is_good else 'NOT '}  {self.name:<24} {self.told}"


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the straight line through them, by least squares; 0 for fewer than two moments."""
    if not points:
        return 0.0
    middle_x = sum(x for x, _ in points) / len(points)
    middle_y = sum(y for _, y in points) / len(points)
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread if spread else 0.0


def warm(samples: Sequence[Sample]) -> list[Sample]:
    """Those that are judged."""
    return [one for one in samples if one.seconds >= WARM * samples[-1].seconds]


def rise(samples: Sequence[Sample], name: str) -> float:
    """By how much it rises from the first to the last of them, as the line through it does."""
    points = [(one.seconds, float(getattr(one, name))) for one in samples]
    return slope(points) * (samples[-1].seconds - samples[0].seconds)


def findings(samples: Sequence[Sample]) -> Iterator[Finding]:
    """Of at least two samples."""
    judged = warm(samples)
    hours = (judged[-1].seconds - judged[0].seconds) / 3600
    memory = rise(judged, "memory")
    told = f"{judged[-1].memory / MIB:.1f} MiB, {memory / MIB:+.1f} MiB ({memory / MIB / hours:+.1f} an hour)"
    yield Finding("memory", told, memory <= MEMORY_RISE)
    for name in ("descriptors", "tasks"):
        values = [getattr(one, name) for one in judged]
        grown = rise(judged, name)
        yield Finding(name, f"{min(values)} to {max(values)}, {grown:+.1f}", grown <= COUNT_RISE)
    database, size = rise(judged, "database"), judged[0].database
    told = f"{judged[-1].database / MIB:.1f} MiB, {database / MIB:+.1f} MiB"
    yield Finding("database", told, database <= DATABASE_RISE * size)
    wal = max(one.wal for one in samples)
    yield Finding(
        "write-ahead log", f"{wal / MIB:.1f} MiB at most, {rise(judged, 'wal') / MIB:+.1f} MiB", wal <= WAL_MAX
    )
    for name, bound in (("step", STEP_MAX), ("turn", TURN_MAX)):
        longest = max(getattr(one, name) for one in samples)
        yield Finding(f"longest {name} of the loop", f"{1000 * longest:.1f} ms of CPU", longest <= bound)
