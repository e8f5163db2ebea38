"""A short run of the real thing, and the checker itself: what it must see, and what it must not be taken in by."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from tests.kills.closing import DATABASE_BASE, integrity, integrity_of_copy, look_at_database
from tests.kills.judge import ZEROS, judge
from tests.kills.killer import WATCHER
from tests.kills.ledger import END, EXAMPLES_MAX, Faults, Journal, Ledger, Stored
from tests.kills.report import table
from tests.kills.run import Until, run

CYCLES: Final = 16
SEED: Final = "ci-12"
"""Its moments: five checkpoints, of which some are met, and two of each other at least."""


@pytest.mark.timeout(300)
async def test_sixteen_kills_and_all_zeros() -> None:
    result = await run(Until(CYCLES, None), SEED)
    assert result.is_good, "\n".join(table(result))
    assert result.cycles == CYCLES
    assert len(result.killer.kills) == 5, "a moment never came"
    assert result.killer.in_checkpoint > 0, "no checkpoint was met"
    assert all(one.is_done and one.connections for one in result.journals)
    assert sum(len(one.gaps) for one in result.journals) > 0, "nobody was told of what retention took"
    assert result.compacted > 0, "nothing was compacted"
    assert result.joins > 0, "no text was joined"
    assert all(one.state for one in result.journals if one.name == "state"), "it was told that more had gone than was"
    assert set(result.ledger.by_kind) >= {"http", "http-keyed", "batch", "batch-keyed", "command", "command-keyed"}
    assert set(result.ledger.by_kind) >= {"websocket", "websocket-keyed"}


# A run in which nothing went wrong, to be spoiled


class Books:
    """Nine events on two topics: three single ones of "one", a keyed one, a request of three, and two on `cut`."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.kept: list[Stored] = []
        self.floors: dict[str, int] = {}
        for _ in range(3):
            self.publish(["kept/a"], "one")
        self.publish(["kept/a"], "two", is_keyed=True)
        self.publish(["kept/a", "kept/b", "kept/b"], None)
        self.publish(["cut/a"], None)
        self.publish(["cut/a"], None)
        self.events = list(self.kept)

    def publish(self, topics: list[str], line: str | None, *, is_keyed: bool = False) -> None:
        serials = self.ledger.send(topics, line, is_keyed=is_keyed)
        ids = []
        for topic, serial in zip(topics, serials, strict=True):
            prev = max((one.offset for one in self.kept if one.topic == topic), default=0)
            self.kept.append(Stored(len(self.kept) + 1, topic, prev, serial))
            ids.append(f"e-{len(self.kept)}")
        self.ledger.acknowledge("test", serials, ids)

    def trim(self) -> None:
        """The first of `cut/a`."""
        self.kept = [one for one in self.kept if one.offset != 8]
        self.floors["cut/a"] = 8

    def judge(self, *journals: Journal) -> Faults:
        return judge(self.ledger, journals, self.kept, self.floors)


def frame(one: Stored) -> dict[str, Any]:
    prev = f"e-{one.prev}" if one.prev else None
    return {"id": f"e-{one.offset}", "topic": one.topic, "prev": prev, "data": {"n": one.serial}}


def heard(events: list[Stored], *topics: str) -> Journal:
    journal = Journal("client", topics)
    for one in events:
        journal.hear(frame(one))
    return journal


def gap(low: int, floor: int, reason: str = "trimmed") -> dict[str, Any]:
    return {"type": "gap", "reason": reason, "requested": f"e-{low}", "id": f"e-{floor}", "floor": f"e-{floor}"}


@pytest.fixture
def books() -> Books:
    return Books()


def test_nothing_is_found_where_nothing_is_wrong(books: Books) -> None:
    faults = books.judge(heard(books.events), heard(books.events[5:7], "kept/b"))
    assert (dict(faults.counts), faults.examples) == ({}, [])


def test_what_was_trimmed_is_missed_by_nobody_who_was_told(books: Books) -> None:
    books.trim()
    journal = heard(books.events[:7])
    journal.hear_gap(gap(7, 8))
    journal.hear(frame(books.events[8]))
    assert not books.judge(journal, heard(books.events)).counts


def test_what_was_trimmed_and_not_told_is_a_fault(books: Books) -> None:
    books.trim()
    faults = books.judge(heard(books.events[:7] + books.events[8:]))
    assert faults.counts == {"not delivered, untold": 1, "chain broken, untold": 1}
    late = heard(books.events[:7] + books.events[8:])
    late.hear_gap(gap(8, 9))  # of something else
    assert books.judge(late).counts == {"not delivered, untold": 1, "chain broken, untold": 1}


def test_unacknowledged_events_may_appear_but_to_all(books: Books) -> None:
    (serial,) = books.ledger.send(["kept/b"], "one")
    books.kept.append(Stored(10, "kept/b", 7, serial))
    assert not books.judge(heard(books.kept)).counts
    assert books.judge(heard(books.events)).counts == {"not delivered, untold": 1}


def lose(books: Books) -> Journal:
    books.kept = [one for one in books.kept if one.offset != 7]
    return heard(books.events)


def deliver_and_lose(books: Books) -> Journal:
    (serial,) = books.ledger.send(["kept/b"], None)
    return heard([*books.events, Stored(10, "kept/b", 7, serial)])


def skip(books: Books) -> Journal:
    return heard([one for one in books.events if one.offset != 7])


def repeat(books: Books) -> Journal:
    return heard([*books.events[:5], *books.events[3:]])


def swap(books: Books) -> Journal:
    swapped = [*books.events[:5], books.events[7], books.events[5], books.events[6], books.events[8]]
    return heard(swapped)


def break_chain(books: Books) -> Journal:
    return heard([one if one.offset != 4 else one._replace(prev=2) for one in books.events])


def break_chain_in_log(books: Books) -> Journal:
    books.kept[3] = books.kept[3]._replace(prev=2)
    return heard(books.events)


def store_keyed_twice(books: Books) -> Journal:
    books.kept.append(Stored(10, "kept/a", 5, 3))
    return heard(books.kept)


def acknowledge_twice(books: Books) -> Journal:
    books.ledger.acknowledge("test", [3], ["e-5"])
    return heard(books.events)


def store_twice(books: Books) -> Journal:
    books.kept.append(Stored(10, "kept/a", 5, 2))
    return heard(books.kept)


def use_an_offset_twice(books: Books) -> Journal:
    return heard([*books.events[:6], books.events[6]._replace(serial=7), *books.events[7:]])


def store_in_part(books: Books) -> Journal:
    books.ledger.send(["kept/b", "kept/b"], None)
    books.kept.append(Stored(10, "kept/b", 7, 9))
    return heard(books.kept)


def store_out_of_order(books: Books) -> Journal:
    early, late = books.ledger.send(["kept/b"], "one") + books.ledger.send(["kept/b"], "one")
    books.kept += [Stored(10, "kept/b", 7, late), Stored(11, "kept/b", 10, early)]
    return heard(books.kept)


def tell_another_gap(books: Books) -> Journal:
    journal = heard(books.events)
    journal.hear_gap(gap(9, 9, "ahead"))
    return journal


def answer_too_few(books: Books) -> Journal:
    (serial, _) = books.ledger.send(["kept/b", "kept/b"], None)
    books.ledger.acknowledge("test", [serial, serial + 1], ["e-10"])
    books.kept += [Stored(10, "kept/b", 7, serial), Stored(11, "kept/b", 10, serial + 1)]
    return heard(books.kept)


def make_up(books: Books) -> Journal:
    books.kept.append(Stored(10, "kept/b", 7, 99))
    return heard(books.events)


def deliver_what_nobody_asked_for(books: Books) -> Journal:
    return heard([books.events[4], books.events[5]], "kept/a")


@pytest.mark.parametrize(
    ("spoil", "kinds"),
    [
        (lose, {"acknowledged and lost"}),
        (deliver_and_lose, {"delivered and lost"}),
        (skip, {"not delivered, untold"}),
        (repeat, {"delivered twice"}),
        (swap, {"out of order", "not delivered, untold"}),
        (break_chain, {"chain broken, untold"}),
        (break_chain_in_log, {"chain broken, untold"}),
        (store_keyed_twice, {"keyed events stored twice"}),
        (acknowledge_twice, {"keyed events stored twice"}),
        (store_twice, {"others stored twice"}),
        (use_an_offset_twice, {"an offset used twice", "others stored twice"}),
        (store_in_part, {"requests stored in part"}),
        (store_out_of_order, {"out of order"}),
        (tell_another_gap, {"gaps without a reason"}),
        (answer_too_few, {"answered wrongly"}),
        (make_up, {"never sent"}),
        (deliver_what_nobody_asked_for, {"never sent"}),
    ],
    ids=lambda one: getattr(one, "__name__", None),
)
def test_each_fault_is_found(books: Books, spoil: Callable[[Books], Journal], kinds: set[str]) -> None:
    faults = books.judge(spoil(books))
    assert kinds <= set(faults.counts), faults.counts
    assert set(faults.counts) <= set(ZEROS), "a kind that the table does not have"
    assert faults.examples


def told(offset: int, *, append: bool = False, topic: str = "state/a") -> dict[str, Any]:
    return {**frame(Stored(offset, topic, offset - 1, 0)), "subject": "s", "append": append}


def states(journal: Journal, state: list[int]) -> Faults:
    return judge(Ledger(), [journal], [], {}, {("state/a", "s"): state})


@pytest.mark.parametrize(("reason", "state", "is_fault"), [
    (None, [2, 3], False),
    (None, [3], True),
    (None, [2, 3, 4], True),
    ("compacted", [2, 3], False),
    ("compacted", [3], True),
    ("trimmed", [3], False),
])  # fmt: skip
def test_a_state_that_is_not_what_a_client_has_is_found(reason: str | None, state: list[int], is_fault: bool) -> None:
    journal = Journal("client", ("state/*",))
    journal.hear(told(1))
    if reason is not None:
        journal.hear_gap(gap(1, 1, reason))
    journal.hear(told(2))
    journal.hear(told(3, append=True))
    assert bool(states(journal, state).counts["states that are not so"]) == is_fault


def test_all_faults_are_counted_and_the_first_ones_told() -> None:
    faults = Faults()
    for number in range(EXAMPLES_MAX + 1):
        faults.add("delivered twice", str(number))
    assert faults.counts == {"delivered twice": EXAMPLES_MAX + 1}
    assert len(faults.examples) == EXAMPLES_MAX


def test_a_client_is_done_when_it_has_heard_the_end() -> None:
    journal = heard([Stored(1, "kept/a", 0, 0)])
    assert not journal.is_done
    journal.hear(frame(Stored(2, END, 0, 1)))
    assert journal.is_done


# The killer and the files


@pytest.mark.parametrize("is_written", [True, False])
def test_watcher_kills_when_the_file_is_written_to_and_says_whether_it_was(tmp_path: Path, is_written: bool) -> None:
    file = tmp_path / "file"
    file.write_text("")
    os.utime(file, (1, 1))
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as victim:
        seconds = "30" if is_written else "0"
        with subprocess.Popen([sys.executable, str(WATCHER), str(file), str(victim.pid), seconds]) as watcher:
            while is_written and watcher.poll() is None:  # it may not have looked yet
                file.write_text("more")
            assert watcher.wait() == (not is_written)
        assert victim.wait() == -signal.SIGKILL


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "x.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE events (data TEXT)")
        connection.executemany("INSERT INTO events VALUES (?)", [("x" * 1000,)] * 100)
        connection.execute("CREATE INDEX found ON events (data)")
    connection.close()
    return path


def test_sound_files_pass(database: Path) -> None:
    assert look_at_database(database, 100) == []
    assert integrity_of_copy(database) == []


def test_rows_that_are_not_told_are_found(database: Path) -> None:
    assert look_at_database(database, 99) == ["100 rows in the database, of which 99 are told"]


def test_a_database_that_has_grown_beyond_its_events_is_found(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE leak (data BLOB)")
        connection.execute("INSERT INTO leak VALUES (zeroblob(?))", (DATABASE_BASE + 1_000_000,))
    connection.close()
    (wrong,) = look_at_database(database, 100)
    assert "bytes for 100 events" in wrong


def test_damage_is_found(database: Path) -> None:
    content = bytearray(database.read_bytes())
    content[3 * 4096 : 3 * 4096 + 200] = b"\xff" * 200
    database.write_bytes(content)
    assert integrity(database) != []
    assert integrity_of_copy(database) != []
