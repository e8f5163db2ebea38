"""The harness itself: what it must see, and what it must not be taken in by."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
import uvloop

from tests.hostile.__main__ import parted
from tests.hostile.attack import FEW, MANY, frame
from tests.hostile.attacks import ATTACKS
from tests.hostile.probe import TOLD, Teller, watched
from tests.hostile.run import HONEST
from tests.hostile.verdict import ANSWER, MEMORY, RESIDENT, STEP, TURN, WIDE, Measured
from tests.hostile.victim import Held, Told
from tests.hostile.witness import Excuse, Seen, percentile

BURNT = 0.03
"""Seconds of CPU: over the bound of a step."""
CALM = Seen(0.002, 0.001, 0.003, 100, 100)


def burn(seconds: float) -> None:
    begun = time.thread_time()
    while time.thread_time() - begun < seconds:
        pass


def told_by(base: type[Any], path: Path, main: Any) -> list[dict[str, Any]]:
    """What the probe tells of a run of `main` on a loop of this kind."""
    with asyncio.Runner(loop_factory=watched(base, Teller(str(path)))) as runner:
        runner.run(main())
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("base", [uvloop.Loop, asyncio.SelectorEventLoop])
def test_probe_sees_a_step_of_a_task_a_timer_and_a_thread(base: type[Any], tmp_path: Path) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        timer, thread = asyncio.Event(), asyncio.Event()

        def slow(event: asyncio.Event) -> None:
            burn(BURNT)
            event.set()

        loop.call_later(0.001, slow, timer)
        await timer.wait()
        await asyncio.to_thread(loop.call_soon_threadsafe, slow, thread)
        await thread.wait()
        burn(2 * BURNT)
        await asyncio.sleep(0.02)  # the beat after it has to come

    told = told_by(base, tmp_path / "probe", main)
    steps = sorted(one["value"] for one in told if one["kind"] == "step" and one["value"] >= BURNT)
    assert len(steps) == 3, told
    assert steps[-1] >= 2 * BURNT
    assert max(one["value"] for one in told if one["kind"] == "turn") >= 2 * BURNT
    assert any("main" in one["what"] for one in told)


@pytest.mark.parametrize("base", [uvloop.Loop, asyncio.SelectorEventLoop])
def test_probe_is_not_taken_in_by_time_that_passes(base: type[Any], tmp_path: Path) -> None:
    async def main() -> None:
        time.sleep(0.1)  # as if the machine had given the core to somebody else
        await asyncio.sleep(0.01)

    assert [
        one for one in told_by(base, tmp_path / "probe", main) if one["value"] > 0.05 and one["kind"] != "tasks"
    ] == []
    assert TOLD < STEP


def measured(**changes: Any) -> Measured:
    values = {"calm": CALM, "storm": CALM, "told": Told(), "given_back": 0.1, "resident": [0], **changes}
    return Measured(ATTACKS["honest"], 1, **values)


def test_what_holds_every_bound_has_broken_none() -> None:
    assert measured(memory=MEMORY, told=Told(STEP, "", TURN), resident=[0, RESIDENT]).broken == []


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"storm": Seen(ANSWER * 1.01, 0, 0, 1, 1)}, "health"),
        ({"storm": Seen(0, 0, ANSWER * 1.01, 1, 1)}, "live"),
        ({"storm": Seen(0, 0, 0, 1, 1, ("publish: 503",))}, "publish: 503"),
        ({"told": Told(STEP * 1.01, "x")}, "step"),
        ({"told": Told(0, "", TURN * 1.01)}, "turn"),
        ({"memory": MEMORY + 1}, "memory"),
        ({"given_back": None, "kept": ["3 sockets"]}, "keeps 3 sockets"),
        ({"resident": [0, 5, RESIDENT + 1]}, "grows"),
        ({"tracebacks": 1}, "tracebacks"),
        ({"logged": 2 << 20}, "of log"),
        ({"breaches": ["x: 101"]}, "x: 101"),
        ({"returncode": -11}, "died"),
    ],
)
def test_one_past_each_bound_is_broken(changes: dict[str, Any], word: str) -> None:
    (broken,) = measured(**changes).broken
    assert word in broken


def test_bounds_are_wider_for_a_machine_that_others_use() -> None:
    storm, told = Seen(0.4, 0.4, 0.4, 10, 10), Told(4 * STEP, "x", 4 * TURN)
    assert measured(storm=storm, told=told, memory=MEMORY + 1, slack=WIDE).broken == []
    assert len(measured(storm=storm, told=told, memory=MEMORY + 1).broken) == 5
    worse = measured(storm=Seen(0.6, 0.6, 0.6, 1, 1), told=Told(6 * STEP, "x", 6 * TURN), memory=3 * MEMORY, slack=WIDE)
    assert len(worse.broken) == 5


def test_a_slow_machine_moves_the_bound() -> None:
    slow = Seen(0.2, 0.2, 0.2, 10, 10)
    assert measured(calm=slow, storm=Seen(0.5, 0.5, 0.5, 10, 10)).broken == []


def test_what_is_held_is_told_piece_by_piece() -> None:
    before = Held(10, 20, 30, {"twinwire_places": 1.0})
    assert before.beyond(before) == []
    later = Held(11, 40, 40, {"twinwire_places": 3.0, "twinwire_bodies_held_bytes": 5.0})
    assert later.beyond(before) == [
        "1 sockets",
        "20 files",
        "10 tasks",
        "twinwire_places +2",
        "twinwire_bodies_held_bytes +5",
    ]


def test_excuse_of_a_process_that_is_gone_is_its_own_only() -> None:
    gone = Excuse(2**22 + 1)
    assert 0 <= gone.of_all() <= time.monotonic()
    assert 0 <= gone.of_loop() <= time.monotonic()


def test_percentile_is_the_worst_of_a_few() -> None:
    assert percentile([], 0.99) == 0
    assert percentile([3, 1, 2], 0.99) == 3
    assert percentile(range(1, 1001), 0.99) == 991


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_frames_are_whole(size: int) -> None:
    """A server's parser reads back what was meant."""
    from websockets.frames import Frame, Opcode
    from websockets.streams import StreamReader

    reader = StreamReader()
    reader.feed_data(frame(1, b"x" * size))
    parsing = Frame.parse(reader.read_exact, mask=True)
    with pytest.raises(StopIteration) as parsed:
        next(parsing)
    assert (parsed.value.value.opcode, len(parsed.value.value.data)) == (Opcode.TEXT, size)


def test_every_row_of_the_list_is_attacked() -> None:
    rows = {attack.row.partition(" ")[0] for attack in ATTACKS.values()}
    assert {str(number) for number in range(1, 29)} <= rows
    assert {f"R{number}" for number in range(1, 18)} <= rows
    assert {f"A{number}" for number in range(1, 8)} <= rows
    neighbours = [attack for attack in ATTACKS.values() if attack.row.endswith("kin")]
    assert len(neighbours) >= 12
    assert (FEW, MANY) == (40, 200)


def test_parts_are_all_of_it_and_honest_use_is_in_each() -> None:
    everything = list(ATTACKS.values())
    parts = [parted(everything, number, 3) for number in (1, 2, 3)]
    assert {part[0].name for part in parts} == {HONEST}
    assert sorted(one.name for part in parts for one in part if one.name != HONEST) == sorted(
        one.name for one in everything if one.name != HONEST
    )
    assert parted(everything, 1, 1)[0].name == HONEST
