"""A few inputs of each target; `python -m tests.fuzz --count N` takes as many as it is told."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import strategies as st

from tests.fuzz import grammar
from tests.fuzz.mutation import neighbour
from tests.fuzz.run import STEP, all_targets, run
from tests.fuzz.target import Check, Target, must

COUNT = 420
"""Inputs of each: 20 that are drawn, with their neighbours."""
SEED = 9110


@pytest.mark.parametrize("target", all_targets().values(), ids=lambda target: str(target.name))
def test_withstands(target: Target) -> None:
    outcome = run(target, COUNT, SEED)
    assert outcome.fault is None
    assert outcome.inputs >= COUNT


def seen_by(count: int, number: int, spoil: str | None = None) -> tuple[list[str], str | None]:
    """The inputs of a target of short texts, and its fault. It fails at what contains `spoil`."""
    seen: list[str] = []

    @contextmanager
    def open() -> Iterator[Check[str]]:
        yield check

    def check(text: str) -> None:
        seen.append(text)
        must(spoil is None or spoil not in text, "spoilt")

    return seen, run(Target("words", st.text("ab", max_size=5), open), count, number).fault


def test_seed_makes_the_same_inputs_again() -> None:
    assert seen_by(200, 1) == seen_by(200, 1)
    assert seen_by(200, 1) != seen_by(200, 2)


def test_fault_is_told_with_its_input() -> None:
    _, fault = seen_by(10_000, 1, spoil="bb")
    assert fault is not None
    assert "spoilt" in fault
    assert "bb" in fault


def test_slow_input_is_a_fault() -> None:
    def check(number: int) -> None:
        until = time.thread_time() + 1.5 * STEP
        while time.thread_time() < until:
            pass

    @contextmanager
    def open() -> Iterator[Check[int]]:
        yield check

    fault = run(Target("slow", st.integers(), open), 5, 1).fault
    assert fault is not None
    assert "an input takes" in fault


def test_neighbours_keep_the_shape_and_differ() -> None:
    chance = random.Random(1)
    given = ("abc", b"abc", ["a", "b"], {"a": "b"}, None, 7)
    found = [neighbour(given, chance) for _ in range(200)]
    assert {tuple(type(one) for one in each) for each in found} == {tuple(type(one) for one in given)}
    assert len({repr(one) for one in found}) > 50
    assert grammar.AWKWARD
