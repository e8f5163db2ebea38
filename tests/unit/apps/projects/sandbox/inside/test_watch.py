"""What a program is said to have used, on a stand-in for /proc; tests/integration/test_sandbox.py has real ones."""

import os

import pytest

from service.apps.projects.sandbox.inside import watch

PROGRAM = 10


class World:
    """Processes: the start of each, ticks of its own and of children that it waited for. `tree` is who is seen."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.all: dict[int, tuple[str, int, int]] = {}
        self.tree: set[int] | None = None
        monkeypatch.setattr(watch, "below", lambda process: self.all if self.tree is None else self.tree)
        monkeypatch.setattr(watch, "_look", self.look)
        monkeypatch.setattr(os, "sysconf", lambda name: 1)

    def look(self, process: int) -> "watch._Look":
        if process not in self.all:
            raise ProcessLookupError
        started, own, waited = self.all[process]
        return watch._Look(started.encode(), own, waited, 1)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_time_of_those_that_nobody_waits_for_counts(world: World) -> None:
    usage = watch.Usage()
    for n in range(1, 101):
        world.all = {PROGRAM: ("a", 1, 0), PROGRAM + n: (f"child {n}", 2, 0)}
        assert usage.of(PROGRAM).seconds == 1 + 2 * n
        assert len(usage._times) == 2  # of those that are gone there is a sum alone


def test_time_of_those_that_are_waited_for_counts_once(world: World) -> None:
    usage = watch.Usage()
    world.all = {PROGRAM: ("a", 1, 0), 11: ("b", 5, 0)}
    assert usage.of(PROGRAM).seconds == 6
    world.all = {PROGRAM: ("a", 1, 7)}
    assert usage.of(PROGRAM).seconds == 8


def test_who_moves_in_the_tree_is_not_gone(world: World) -> None:
    """Passed over in one look, and no less there; but whoever has its number later is somebody else."""
    usage = watch.Usage()
    world.all = {PROGRAM: ("a", 1, 0), 11: ("b", 5, 0)}
    for tree in (None, {PROGRAM}, None):
        world.tree = tree
        assert usage.of(PROGRAM) == (2, 6)
    world.all, world.tree = {PROGRAM: ("a", 1, 0), 11: ("somebody else", 100, 0)}, {PROGRAM}
    assert usage.of(PROGRAM) == (1, 6)


def test_a_tree_may_be_deep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_children", lambda process: [process + 1] if process < 5_000 else [])
    assert list(watch.below(1)) == list(range(1, 5_001))
