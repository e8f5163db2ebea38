"""Every attack with short times, a test each; `python -m tests.hostile --all` takes its time, and 200 connections."""

from collections.abc import Iterator
from typing import Final

import pytest

from tests.hostile.attack import Attack
from tests.hostile.attacks import ATTACKS
from tests.hostile.run import HONEST, QUICK, Runner, setting
from tests.hostile.verdict import line

BY_SETTING: Final = sorted(ATTACKS.values(), key=setting)
"""Side by side, those that can share a server."""


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    """One that knows what honest use costs."""
    runner = Runner(QUICK)
    honest = ATTACKS[HONEST]
    runner.measure(honest, *honest.counts(is_quick=True))
    yield runner
    runner.close()


@pytest.mark.parametrize("attack", BY_SETTING, ids=lambda attack: str(attack.name))
def test_withstands(attack: Attack, runner: Runner) -> None:
    measured = runner.measure(attack, *attack.counts(is_quick=True))
    assert measured.broken == [], line(measured.cells)
