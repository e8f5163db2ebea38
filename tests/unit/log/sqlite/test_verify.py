"""What is wrong with a database is found, each kind of it, and nothing else is."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from service.core.errors import MigrationError, StorageError
from service.core.event import Draft
from service.core.topics import TopicFilter
from service.log.sqlite import verify as module
from service.log.sqlite.backup import back_up
from service.log.sqlite.drivers import driver
from service.log.sqlite.log import SQLiteEventLog
from service.log.sqlite.verify import Verified, verify
from tests.support.clock import ManualClock, StillClock
from tests.support.databases import FROM_LATER, MIGRATIONS, NEWEST, change, make_older, quiet
from tests.support.sqlitelog import open_sqlite_log


async def fill(path: Path) -> SQLiteEventLog:
    """Offsets 1 to 60 on three topics in turn; of `a` 1, 4, 7 and 10 are gone, and of `gone` all."""
    log = await open_sqlite_log(path, ManualClock())
    for n in range(20):
        for topic in ("a", "b", "gone"):
            await log.append([Draft(topic, "log", f'"é{n}"')])
    await log.trim(TopicFilter(("a",)), 16)
    await log.trim(TopicFilter(("gone",)), 0)
    return log


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    log = await fill(tmp_path / "a.db")
    await log.close()
    return tmp_path / "a.db"


def look(path: Path) -> Verified:
    return verify(path, MIGRATIONS, quiet)


def test_one_that_is_whole_says_what_is_in_it_and_leaves_no_trace(path: Path) -> None:
    before = sorted(path.parent.iterdir())
    found = look(path)
    assert found.faults == ()
    assert (found.events, found.topics, found.first, found.last, found.head) == (36, 3, 2, 59, 60)
    assert (found.newest, found.migrations, found.waiting) == (1_800_000_000_000, NEWEST, 0)
    assert (len(found.epoch or ""), found.is_copy) == (8, False)
    assert sorted(path.parent.iterdir()) == before


async def test_a_log_that_is_in_use_can_be_looked_at(tmp_path: Path) -> None:
    """With what is in its journal, and with counts that are not saved yet."""
    log = await fill(tmp_path / "a.db")
    await log.append([Draft("new", "log", "1"), Draft("b", "log", "2")])
    found = look(tmp_path / "a.db")
    assert (found.faults, found.events, found.topics) == ((), 38, 4)
    await log.append([Draft("b", "log", "3")])
    await log.close()


@pytest.mark.parametrize(
    ("damage", "faults"),
    [
        (
            ["DELETE FROM events WHERE offset = 29"],
            ["event 29 on b is missing, which 32 follows", "b is saved: events 20"],
        ),
        (
            ["DELETE FROM events WHERE offset = 13"],
            ["event 13 on a is missing, which 16 follows", "a is saved: events 16"],
        ),
        (["UPDATE events SET prev = 5 WHERE offset = 14"], ["14 on b says that it follows 5, and 11 lies between"]),
        (["UPDATE events SET prev = 12 WHERE offset = 14"], ["event 12 on b is missing, which 14 follows"]),
        (["UPDATE events SET prev = 11 WHERE offset = 13"], ["event 11 on a is missing, which 13 follows"]),
        (["UPDATE topics SET floor = 13 WHERE name = 'a'"], ["event 13 is kept, and the floor of a is 13"]),
        (["UPDATE topics SET count = 21 WHERE name = 'b'"], ["b is saved: events 21; and there is: 20"]),
        (["UPDATE topics SET bytes = 1 WHERE name = 'b'"], ["b is saved: bytes 1; and there is: 110"]),
        (["UPDATE topics SET head = 60 WHERE name = 'b'"], ["b is saved: the newest at 60; and there is: 59"]),
        (["UPDATE topics SET head = 1 WHERE name = 'gone'"], ["gone is saved: the newest at 1; and there is: 60"]),
        (
            ["UPDATE events SET topic = 9 WHERE offset = 59"],
            ["row 59 of events is of a row of topics that is not there"],
        ),
        (["UPDATE topics SET id = 7 WHERE name = 'gone'"], ["4 topics are not there, by their numbers"]),
        (["DELETE FROM topics WHERE name = 'gone'", "UPDATE log SET last_topic = 3"], ["1 topics are not there"]),
        (["DELETE FROM topics WHERE name = 'gone'", "UPDATE log SET last_topic = 3, folded = 60"], []),
        (
            ["DELETE FROM topics WHERE name = 'a'", "UPDATE log SET folded = 60"],
            ["event 13 is on a topic that is not there"],
        ),
        (["DELETE FROM log"], ["the log has no row of its own, as a copy that was not finished"]),
        (["INSERT INTO topics (id, name) VALUES (4, 'd')"], []),
    ],
)
def test_each_fault_is_found(path: Path, damage: list[str], faults: list[str]) -> None:
    change(path, *damage)
    found = look(path).faults
    for fault in faults:
        assert any(fault in one for one in found), (fault, found)
    if not faults:
        assert found == ()


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 2 * 4096)


def _blot_events(path: Path) -> None:
    _blot(path, "events")


def _blot_an_index(path: Path) -> None:
    _blot(path, "events_key")


def _blot(path: Path, name: str) -> None:
    """The root of a table or an index, and with it whatever lies behind."""
    connection = driver.connect(str(path))
    (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)).fetchone()
    connection.close()
    with path.open("r+b") as file:
        file.seek(4096 * (root - 1))
        file.write(b"\xff" * 4096)


@pytest.mark.parametrize("damage", [_cut, _blot_events, _blot_an_index])
def test_a_file_that_is_damaged_is_told(path: Path, damage: Callable[[Path], None]) -> None:
    damage(path)
    try:
        faults = look(path).faults
    except StorageError as error:
        faults = (error.detail,)
    assert faults
    assert all(fault.startswith("SQLite: ") or "is corrupt" in fault or "event" in fault for fault in faults), faults


def test_there_is_an_end_to_the_faults(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FAULTS_MAX", 3)
    change(path, "UPDATE events SET prev = 10000 WHERE topic = 2")
    found = look(path).faults
    assert len(found) == 4
    assert found[-1] == "and more of the kind"


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "no database of Twinwire"), (b"text" * 2_000, "is not a SQLite database")]
)
def test_what_is_none_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.db").write_bytes(content)
    with pytest.raises(StorageError, match=message):
        look(tmp_path / "a.db")
    with pytest.raises(StorageError, match="can't be opened"):
        look(tmp_path / "nowhere.db")


def test_a_copy_that_was_not_finished_is_not_taken_for_whole(path: Path, tmp_path: Path) -> None:
    """As a run leaves it that was killed: its last look had not come."""
    part = tmp_path / "b.db.twinwire-part"

    class Killed(BaseException):
        pass

    def tell(what: str, done: int, total: int) -> None:
        if done:
            (tmp_path / "half.db").write_bytes(part.read_bytes())
            raise Killed

    with pytest.raises(Killed):
        back_up(path, tmp_path / "b.db", MIGRATIONS, StillClock(), tell)
    with pytest.raises(StorageError, match="is not whole: no migration is recorded"):
        look(tmp_path / "half.db")


@pytest.mark.parametrize("applied", [1, 2])
def test_an_older_one_is_looked_at_as_it_is(tmp_path: Path, applied: int) -> None:
    make_older(tmp_path / "a.db", applied)
    found = look(tmp_path / "a.db")
    assert (found.migrations, found.waiting, found.events, found.faults) == (applied, NEWEST - applied, 10, ())


def test_a_newer_one_is_refused_by_its_name(path: Path) -> None:
    change(path, FROM_LATER)
    with pytest.raises(MigrationError, match=r"a\.db: the database is newer than this program"):
        look(path)


def test_it_tells_how_far_it_is(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEP", 10)
    told: list[tuple[str, int, int]] = []
    verify(path, MIGRATIONS, lambda *one: told.append(one))
    assert told[0] == ("checking the file", 0, 0)
    assert told[1] == ("checking events", 0, 58)
    assert told[-1] == ("checking events", 58, 58)
    assert len(told) == 6


async def test_a_topic_that_was_forgotten_is_not_missing(tmp_path: Path) -> None:
    """Nor is one that began since, whose first event follows what may have been there."""
    path, clock = tmp_path / "a.db", ManualClock()
    log = await open_sqlite_log(path, clock, forget_after=1)
    await log.append([Draft("gone", "log", "1"), Draft("b", "log", "2"), Draft("c", "log", "3")])
    await log.trim(TopicFilter(("gone", "c")), 0)
    clock.advance(1)
    assert await log.forgetter.run() == 2
    await log.append([Draft("c", "log", "4"), Draft("new", "log", "5"), Draft("b", "log", "6")])
    found = look(path)
    assert (found.faults, found.topics, found.events, found.head) == ((), 3, 4, 6)
    await log.trim(TopicFilter.all(), 0)
    clock.advance(1)
    assert await log.forgetter.run() == 3
    await log.close()
    found = look(path)
    assert (found.faults, found.topics, found.events, found.head) == ((), 0, 0, 6)


async def test_a_subject_with_two_values_is_told(path: Path) -> None:
    log = await open_sqlite_log(path, ManualClock())
    for n in range(3):
        await log.append([Draft("b", "log", f'"{n}"', None, "s"), Draft("b", "log", '"x"', None, "t", append=True)])
    await log.close()
    assert look(path).faults == ()
    change(path, "UPDATE events SET gone = NULL WHERE subject = 's'")
    assert look(path).faults == ("the subject 's' on b has 3 values",)


async def test_single_events_that_were_compacted_are_not_missing(path: Path) -> None:
    log = await open_sqlite_log(path, ManualClock())
    for n in range(3):
        await log.append([Draft("b", "log", f'"{n}"', None, "s"), Draft("b", "log", "1")])
    await log.append([Draft("b", "log", "null", None, "s")])
    for tombstones in (1e6, -1e9):
        compactor = log.compactor(lambda topic: topic == "b", tombstones)
        for _ in range(2):
            await compactor.run(0)
        assert look(path).faults == ()
    await log.close()
    found = look(path)
    assert (found.faults, found.head) == ((), 67)
    change(path, "UPDATE topics SET compacted = 0, thinned = 0")
    assert any("is missing" in fault for fault in look(path).faults)
