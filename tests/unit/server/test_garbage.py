import gc
from collections.abc import Iterator

import pytest

from service.server import garbage
from service.server.garbage import ASIDE, LEAST, MANY, MOST, SPARE, STEP, YOUNG, GarbageKeeper


class Recorder:
    """In place of the gc module: what it was asked to do."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.looks = 0
        self.old = 0
        self.frozen = 0
        self.counted = 0

    def collect(self, generation: int = 2) -> None:
        self.asked.append(f"collect {generation}")

    def freeze(self) -> None:
        self.asked.append("freeze")
        self.looks = 0

    def get_freeze_count(self) -> int:
        self.counted += 1
        return self.frozen

    def unfreeze(self) -> None:
        self.asked.append("unfreeze")

    def set_threshold(self, *thresholds: int) -> None:
        self.asked.append(f"threshold {thresholds[0]}")

    def get_count(self) -> tuple[int, int, int]:
        return (0, 0, self.looks)

    def get_objects(self, generation: int) -> list[None]:
        assert generation == 2
        return [None] * self.old

    def take(self) -> list[str]:
        asked, self.asked = self.asked, []
        return asked


EVERYTHING = ["unfreeze", "collect 2", "freeze"]


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr(garbage, "gc", recorder)
    return recorder


@pytest.fixture
def thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    gc.collect()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def test_what_is_loaded_at_the_start_is_set_aside(recorder: Recorder) -> None:
    GarbageKeeper().start()
    assert recorder.take() == ["freeze", f"threshold {YOUNG}"], "a look at all of it would be a step of 0.1 s"


def test_what_stays_is_looked_at_once_while_it_is_little(recorder: Recorder) -> None:
    keeper = GarbageKeeper()
    recorder.looks, recorder.old = 1, MANY - 1
    keeper.look(1, 0, is_quiet=False)
    assert recorder.take() == []
    recorder.looks, recorder.old = 2, MANY
    keeper.look(1, 0, is_quiet=False)
    assert recorder.take() == ["collect 2", "freeze"]


def test_a_crowd_is_set_aside_unseen_but_for_what_is_young(recorder: Recorder) -> None:
    keeper = GarbageKeeper()
    recorder.looks, recorder.old = 1, STEP + 1
    keeper.look(9 * LEAST, 0, is_quiet=False)
    assert recorder.take() == ["collect 1", "freeze"]


def test_nothing_is_counted_while_nothing_can_have_become_old(recorder: Recorder) -> None:
    keeper = GarbageKeeper()
    recorder.looks, recorder.old = 1, 1
    keeper.look(1, 0, is_quiet=False)
    recorder.old = STEP
    keeper.look(1, 0, is_quiet=False)
    assert recorder.take() == []


def test_everything_is_looked_at_when_nobody_is_connected(recorder: Recorder) -> None:
    keeper = GarbageKeeper()
    keeper.look(LEAST, LEAST - 1, is_quiet=True)
    assert recorder.take() == [], "one is"
    keeper.look(LEAST, LEAST, is_quiet=False)
    assert recorder.take() == [], "somebody publishes"
    keeper.look(LEAST, LEAST, is_quiet=True)
    assert recorder.take() == EVERYTHING
    keeper.look(2 * LEAST - 1, 2 * LEAST - 1, is_quiet=True)
    assert recorder.take() == [], "counted from there on"
    keeper.look(2 * LEAST, 2 * LEAST, is_quiet=True)
    assert recorder.take() == EVERYTHING


def test_where_somebody_always_is_a_quiet_moment_will_do_in_the_end(recorder: Recorder) -> None:
    keeper = GarbageKeeper()
    keeper.look(MOST + 4, MOST - 1, is_quiet=True)
    keeper.look(MOST + 5, MOST, is_quiet=False)
    assert recorder.take() == []
    keeper.look(MOST + 5, MOST, is_quiet=True)
    assert recorder.take() == EVERYTHING


def test_where_it_is_never_quiet_it_is_looked_at_before_half_of_it_may_be_garbage(recorder: Recorder) -> None:
    keeper = GarbageKeeper()
    recorder.frozen = 50_000
    keeper.start()
    recorder.take()
    recorder.old = MANY

    def set_aside(objects: int) -> list[str]:
        for looks in range(objects // MANY + 2):
            recorder.looks = looks + 1
            keeper.look(9, 0, is_quiet=False)
        return recorder.take()

    recorder.frozen = 2 * 50_000 + SPARE
    counted = recorder.counted
    assert "unfreeze" not in set_aside(ASIDE), "most of it has gone by itself"
    assert recorder.counted == counted + 1, "which takes a while to count"
    recorder.frozen += 1
    assert set_aside(ASIDE).count("unfreeze") == 1
    assert "unfreeze" not in set_aside(ASIDE), "it is what stays"


async def test_it_is_quiet_when_nothing_was_published_between_two_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "INTERVAL", 0.0)
    published = iter([5, 5, 6, 6])
    looked: list[tuple[int, int, bool]] = []

    def look(opened: int, ended: int, *, is_quiet: bool) -> None:
        looked.append((opened, ended, is_quiet))

    keeper = GarbageKeeper()
    monkeypatch.setattr(keeper, "look", look)
    with pytest.raises(RuntimeError):  # what a coroutine makes of the end of the list
        await keeper.run(lambda: (3, 1), lambda: next(published))
    assert looked == [(3, 1, True), (3, 1, False), (3, 1, True)]


class Node:
    """Refers to itself, and one of `MANY`."""

    alive = 0

    def __init__(self) -> None:
        self.me = self
        self.others = [[] for _ in range(MANY)]  # type: ignore[var-annotated]
        Node.alive += 1

    def __del__(self) -> None:
        Node.alive -= 1


@pytest.mark.usefixtures("thresholds")
def test_no_collection_of_pythons_looks_at_what_stays() -> None:
    keeper = GarbageKeeper()
    keeper.start()
    nodes = [Node()]
    gc.collect(1)
    keeper.look(1, 0, is_quiet=False)
    before = gc.get_freeze_count()
    assert before > MANY
    full = gc.get_stats()[2]["collections"]
    kept = [[] for _ in range(10 * YOUNG)]  # type: ignore[var-annotated]
    assert gc.get_stats()[2]["collections"] == full
    assert len(kept) + len(nodes) > 10 * YOUNG


@pytest.mark.usefixtures("thresholds")
def test_a_cycle_that_was_set_aside_goes_at_the_look_at_everything() -> None:
    keeper = GarbageKeeper()
    keeper.start()
    nodes = [Node()]
    gc.collect(1)
    keeper.look(1, 0, is_quiet=False)
    nodes.clear()
    gc.collect()
    assert Node.alive == 1, "set aside"
    keeper.look(LEAST, LEAST, is_quiet=True)
    assert Node.alive == 0


@pytest.mark.usefixtures("thresholds")
def test_a_cycle_that_is_garbage_before_it_is_set_aside_goes_then() -> None:
    keeper = GarbageKeeper()
    keeper.start()
    nodes = [Node()]
    gc.collect(1)
    nodes.clear()
    keeper.look(1, 0, is_quiet=False)
    assert Node.alive == 0
