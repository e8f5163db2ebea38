import gc
from collections.abc import Iterator

import pytest

from service.server import garbage
from service.server.garbage import LEAST, REST, YOUNG, GarbageKeeper


class Recorder:
    """In place of the gc module: what it was asked to do."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def collect(self) -> None:
        self.asked.append("collect")

    def freeze(self) -> None:
        self.asked.append("freeze")

    def unfreeze(self) -> None:
        self.asked.append("unfreeze")

    def set_threshold(self, *thresholds: int) -> None:
        self.asked.append(f"threshold {thresholds[0]}")

    def take(self) -> list[str]:
        asked, self.asked = self.asked, []
        return asked


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr(garbage, "gc", recorder)
    return recorder


@pytest.fixture
def thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def test_what_is_loaded_at_the_start_is_set_aside(recorder: Recorder) -> None:
    GarbageKeeper().start()
    assert recorder.take() == ["freeze", f"threshold {YOUNG}"], "a look at all of it would be a step of 0.1 s"


def test_new_streams_are_set_aside_in_crowds(recorder: Recorder) -> None:
    keeper = GarbageKeeper()
    keeper.look(LEAST - 1, 0, is_quiet=True)
    assert recorder.take() == []
    keeper.look(LEAST, 0, is_quiet=True)
    assert recorder.take() == ["freeze"]
    keeper.look(LEAST, 0, is_quiet=True)
    assert recorder.take() == []
    keeper.look(40 * LEAST, 0, is_quiet=True)
    assert recorder.take() == ["freeze"]
    keeper.look(49 * LEAST, 0, is_quiet=True)
    assert recorder.take() == [], "less than a quarter more"
    keeper.look(50 * LEAST, 0, is_quiet=True)
    assert recorder.take() == ["freeze"]


def test_all_is_looked_at_when_as_many_have_ended_as_are_open(recorder: Recorder) -> None:
    keeper = GarbageKeeper()
    keeper.look(10 * LEAST, 0, is_quiet=True)
    recorder.take()
    keeper.look(19 * LEAST, 9 * LEAST, is_quiet=True)
    assert recorder.take() == [], "ten are open, nine have ended"
    keeper.look(20 * LEAST, 10 * LEAST, is_quiet=True)
    assert recorder.take() == ["unfreeze", "collect", "freeze"]
    keeper.look(20 * LEAST, 10 * LEAST, is_quiet=True)
    assert recorder.take() == [], "counted from there on"


def test_while_something_is_published_the_collection_waits_up_to_a_point(recorder: Recorder) -> None:
    keeper = GarbageKeeper()
    keeper.look(LEAST, 0, is_quiet=False)
    assert recorder.take() == ["freeze"]
    keeper.look(5 * LEAST - 1, 4 * LEAST - 1, is_quiet=False)
    assert recorder.take() == []
    keeper.look(5 * LEAST, 4 * LEAST, is_quiet=False)
    assert recorder.take() == ["unfreeze", "collect", "freeze"]


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


def test_between_two_full_collections_there_is_a_rest(recorder: Recorder) -> None:
    keeper = GarbageKeeper()
    keeper.look(LEAST, 0, is_quiet=True)
    keeper.look(2 * LEAST, LEAST, is_quiet=True)
    assert "collect" in recorder.take()
    for _ in range(REST - 1):
        keeper.look(4 * LEAST, 3 * LEAST, is_quiet=True)
        assert "collect" not in recorder.take()
    keeper.look(4 * LEAST, 3 * LEAST, is_quiet=True)
    assert "collect" in recorder.take()


def test_streams_that_come_and_go_are_left_to_the_interpreter(recorder: Recorder) -> None:
    """They were never set aside."""
    keeper = GarbageKeeper()
    for number in range(1, 4 * REST):
        keeper.look(number * LEAST, number * LEAST, is_quiet=True)
        assert recorder.take() == []


@pytest.mark.usefixtures("thresholds")
def test_a_cycle_that_was_set_aside_goes_at_the_next_look() -> None:
    class Node:
        alive = 0

        def __init__(self) -> None:
            self.me = self
            Node.alive += 1

        def __del__(self) -> None:
            Node.alive -= 1

    keeper = GarbageKeeper()
    keeper.start()
    nodes = [Node() for _ in range(3)]
    keeper.look(LEAST, 0, is_quiet=True)
    nodes.clear()
    gc.collect()
    assert Node.alive == 3, "set aside"
    keeper.look(LEAST, LEAST, is_quiet=True)
    assert Node.alive == 0
