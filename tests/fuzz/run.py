"""Runs targets, counts inputs, and judges the time of each.

Hypothesis remembers every input of a run so as not to repeat it, which a million does not bear: so a target runs in
pieces, each with a seed of its own, made of the one that is told. Each input that it draws brings its neighbours with
it (`mutation.py`); when one of them fails, what it was drawn from is made as small as it gets.
"""

import itertools
import time
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz.mutation import NEIGHBOURS, neighbour
from tests.fuzz.service import add_service
from tests.fuzz.target import Check, Target, Targets, must
from tests.fuzz.values import add_values
from tests.fuzz.wire import add_wire

STEP: Final = 0.100
"""Seconds of CPU that an input may take."""
PIECE: Final = 500
"""Inputs that one run of hypothesis draws."""


def all_targets() -> dict[str, Target]:
    targets = Targets()
    add_values(targets)
    add_service(targets)
    add_wire(targets)
    return targets.by_name


@dataclass(slots=True)
class Outcome:
    """What came of a target: how many inputs, the longest in seconds of CPU, and what was wrong."""

    target: Target
    inputs: int = 0
    longest: float = 0.0
    seconds: float = 0.0
    fault: str | None = None


def run(target: Target, count: int, number: int) -> Outcome:
    """`count` inputs of a target, or up to the first that it fails; that one is made as small as it gets."""
    outcome = Outcome(target)
    begun = time.monotonic()
    try:
        with target.open() as check:
            judge = _Judge(target, check, outcome)
            for piece in itertools.count():
                left = count - outcome.inputs
                if left <= 0:
                    break
                _piece(target, judge, min(PIECE, -(-left // (NEIGHBOURS + 1))), f"{number}/{piece}")
    except Exception as error:
        notes = "\n".join(getattr(error, "__notes__", []))
        outcome.fault = f"{type(error).__name__}: {str(error)[:500]}\n{notes[:1_500]}"
    outcome.seconds = time.monotonic() - begun
    return outcome


def _piece(target: Target, judge: "_Judge", count: int, number: str) -> None:
    @seed(f"{target.name}/{number}")
    @settings(
        max_examples=count,
        phases=[Phase.generate] if target.is_apart else [Phase.generate, Phase.shrink],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(target.inputs, st.integers(0, 1 << 32))
    def every(one: Any, chance: int) -> None:
        judge.family(one, Random(chance))

    every()


@dataclass(slots=True)
class _Judge:
    """Counts; and measures with the CPU time of this thread. An input that is too long has to be so a second time."""

    target: Target
    check: Check[Any]
    outcome: Outcome

    def family(self, one: Any, chance: Random) -> None:
        """An input and its neighbours, each a step further away."""
        self.one(one)
        for _ in range(NEIGHBOURS):
            one = neighbour(one, chance)
            try:
                self.one(one)
            except Exception as error:
                error.add_note(f"with the neighbour {repr(one)[:600]}")
                raise

    def one(self, one: Any) -> None:
        self.outcome.inputs += 1
        spent = self._spent(one)
        if not self.target.is_apart and spent > STEP:
            spent = min(spent, self._spent(one))
            must(spent <= STEP, f"an input takes {spent * 1_000:.0f} ms")
        self.outcome.longest = max(self.outcome.longest, spent)

    def _spent(self, one: Any) -> float:
        before = time.thread_time()
        self.check(one)
        return time.thread_time() - before
