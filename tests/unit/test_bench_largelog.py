"""The benchmark's large logs are logs as a service leaves them: whole, counted, and with every event in its place."""

import json
from collections import Counter
from pathlib import Path

import pytest

from service.clock import SystemClock
from service.core.topics import TopicFilter
from service.log.base import EventLog
from service.log.sqlite.log import open_log
from service.log.sqlite.migrate import migrate
from service.log.sqlite.verify import verify
from tests.bench.largelog import EPOCH, HEAVY, Shape, write
from tests.support.databases import MIGRATIONS, quiet, rows

SHAPE = Shape(topics=1_000, each=4, heavy=17, pad=5)

every_shape = pytest.mark.parametrize(
    "shape", [SHAPE, Shape(topics=1, each=1), Shape(topics=20, each=40, pad=0)], ids=lambda shape: shape.file
)


def built(path: Path, shape: Shape) -> Path:
    migrate(path, MIGRATIONS)
    write(path, shape)
    return path


async def topics_of(log: EventLog, pattern: str) -> Counter[str]:
    """How many events a reader gets of each topic that matches."""
    found: Counter[str] = Counter()
    at = 0
    while at < log.head:
        page = await log.read(TopicFilter((pattern,)), at, 1_000, 1 << 20)
        found.update(event.topic for event in page.events)
        at = page.next
    return found


@every_shape
def test_it_is_whole(shape: Shape, tmp_path: Path) -> None:
    path = built(tmp_path / "large.db", shape)
    found = verify(path, MIGRATIONS, quiet)
    assert found.faults == ()
    assert (found.events, found.head, found.waiting) == (shape.events, shape.events, 0)
    assert found.topics == shape.topics + bool(shape.heavy)
    assert [one.name for one in tmp_path.iterdir()] == ["large.db"], "one file, as after a stop"


async def test_a_service_opens_it_as_its_own(tmp_path: Path) -> None:
    log = await open_log(
        built(tmp_path / "large.db", SHAPE),
        clock=SystemClock(),
        durability="full",
        policies=(),
        retention_interval=3600.0,
        max_topics=1_000_000,
        disk_reserve=0,
    )
    try:
        assert (log.epoch, log.head) == (EPOCH, SHAPE.events), "one that was not closed well gets another epoch"
        assert await topics_of(log, HEAVY) == {HEAVY: 17 * SHAPE.each}
        assert await topics_of(log, "*/x") == {SHAPE.name(index): SHAPE.each for index in range(SHAPE.x_topics)}
    finally:
        await log.close()


def test_stamps_of_neighbours_follow_each_other(tmp_path: Path) -> None:
    """A load client that reads some of them is told by the first number, and how many there are."""
    found = rows(
        built(tmp_path / "large.db", SHAPE),
        "SELECT name, data FROM events JOIN topics ON topics.id = events.topic ORDER BY offset",
    )
    numbers: dict[str, list[int]] = {}
    for name, data in found:
        numbers.setdefault(name, []).append(int(json.loads(data)["t"].rpartition(".")[2]))
    for index in range(SHAPE.topics):
        first = index * SHAPE.each
        assert numbers[SHAPE.name(index)] == list(range(first, first + SHAPE.each))
    assert numbers[HEAVY] == list(range(17 * SHAPE.each))


def test_each_cycle_has_each_topic_in_another_order(tmp_path: Path) -> None:
    order = [
        topic for (topic,) in rows(built(tmp_path / "large.db", SHAPE), "SELECT topic FROM events ORDER BY offset")
    ]
    size = SHAPE.topics + SHAPE.heavy
    cycles = [order[start : start + size] for start in range(0, len(order), size)]
    assert len(cycles) == SHAPE.each
    assert all(Counter(cycle) == Counter(cycles[0]) for cycle in cycles)
    assert cycles[0] != cycles[1]


def test_topics_that_would_share_a_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="share their names"):
        write(tmp_path / "large.db", Shape(topics=7_919, each=1))
