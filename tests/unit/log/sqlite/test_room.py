"""The ballast: made of blocks, spent by who makes room, made again; the reserve; and what is published meanwhile."""

import contextlib
import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from service.core.errors import ReserveError, StorageError, StorageFullError
from service.core.event import Draft
from service.log.sqlite import room
from service.log.sqlite.files import DatabaseFiles
from service.log.sqlite.ranges import Wanted
from service.log.sqlite.room import BALLAST_BYTES, LARGE, LOW_BYTES, SHARE, SPARE, Room, on_full_disk, spend
from service.log.sqlite.trim import SCARCE_ROWS, TRIM_ROWS
from tests.support.clock import ManualClock
from tests.unit.log.rigs import Parts, drafts


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The disk as the kernel tells it; plenty, unless a test says otherwise."""
    found = SimpleNamespace(f_bavail=1 << 40, f_blocks=1 << 41, f_frsize=1)
    monkeypatch.setattr(os, "statvfs", lambda path: found)
    return found


def beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.ballast")


def opened(path: Path) -> Room:
    one = Room(DatabaseFiles(path))
    one.open()
    return one


async def spent(parts: Parts) -> None:
    """As a trim does that finds the disk full: on the writer's thread."""
    (pages,) = (await parts.sql("PRAGMA page_count"))[0]
    await parts.sql(f"PRAGMA max_page_count = {pages}")

    def step(connection: Any) -> None:
        if not parts.room.is_spent:
            connection.execute("CREATE TABLE too_much (data)")

    await parts.writer.run(lambda connection: parts.room.using(connection, lambda: step(connection)))
    await parts.sql("PRAGMA max_page_count = 1000000")
    assert parts.room.is_spent


def test_it_is_made_of_blocks(tmp_path: Path, free: SimpleNamespace) -> None:
    one = opened(tmp_path / "a.db")
    found = beside(tmp_path / "a.db").stat()
    assert (one.ballast, found.st_size) == (BALLAST_BYTES, BALLAST_BYTES)
    assert found.st_blocks * 512 >= BALLAST_BYTES
    assert found.st_mode & 0o077 == 0


def test_a_hole_is_filled_and_what_is_too_large_is_cut(tmp_path: Path, free: SimpleNamespace) -> None:
    for name, size in (("a.db", BALLAST_BYTES), ("b.db", 3 * BALLAST_BYTES)):
        with beside(tmp_path / name).open("wb") as file:
            file.truncate(size)
        opened(tmp_path / name)
        found = beside(tmp_path / name).stat()
        assert found.st_size == BALLAST_BYTES
        assert found.st_blocks * 512 >= BALLAST_BYTES


@pytest.mark.parametrize(("bytes", "made"), [(BALLAST_BYTES + SPARE, True), (BALLAST_BYTES + SPARE - 1, False)])
def test_a_small_disk_is_not_filled_with_it(tmp_path: Path, free: SimpleNamespace, bytes: int, made: bool) -> None:
    free.f_bavail = bytes
    one = opened(tmp_path / "a.db")
    assert beside(tmp_path / "a.db").exists() == bool(one.ballast) == made
    assert not one.is_spent, "what never was is not spent"


def test_two_databases_have_one_each(tmp_path: Path, free: SimpleNamespace) -> None:
    for name in ("a.db", "b.db"):
        opened(tmp_path / name)
    assert spend(tmp_path / "a.db")
    assert not spend(tmp_path / "a.db"), "once"
    assert not spend(tmp_path / "c.db")
    assert [beside(tmp_path / name).stat().st_size for name in ("a.db", "b.db")] == [0, BALLAST_BYTES]


def test_that_it_is_spent_outlasts_the_process_and_is_made_up_for(tmp_path: Path, free: SimpleNamespace) -> None:
    opened(tmp_path / "a.db")
    assert spend(tmp_path / "a.db")
    free.f_bavail = SPARE
    one = opened(tmp_path / "a.db")
    assert (one.is_spent, one.ballast) == (True, 0)
    assert not one.look()
    free.f_bavail = BALLAST_BYTES + SPARE
    assert one.look()
    one.make()
    assert (one.is_spent, one.ballast) == (False, BALLAST_BYTES)
    assert not one.look()


@pytest.mark.parametrize("happens", ["folder", "link", "no_space"])
def test_where_it_cannot_be_made_nobody_is_stopped(
    tmp_path: Path, free: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, happens: str
) -> None:
    file, precious = beside(tmp_path / "a.db"), tmp_path / "precious"
    precious.write_bytes(b"x" * 3 * BALLAST_BYTES)
    if happens == "folder":
        file.mkdir()
    elif happens == "link":
        file.symlink_to(precious)
    else:

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "full")

        monkeypatch.setattr(os, "posix_fallocate", full)
    one = opened(tmp_path / "a.db")
    assert (one.ballast, one.is_spent) == (0, False)
    assert one.look() == (happens == "no_space"), "a disk that is full may not be so later"
    assert file.exists() == (happens != "no_space")
    assert precious.stat().st_size == 3 * BALLAST_BYTES
    spend(tmp_path / "a.db")
    assert precious.stat().st_size == 3 * BALLAST_BYTES


def test_before_the_log_is_open_work_is_done_again_once(tmp_path: Path, free: SimpleNamespace) -> None:
    opened(tmp_path / "a.db")
    tries = 0

    def work() -> int:
        nonlocal tries
        tries += 1
        if beside(tmp_path / "a.db").stat().st_size:
            raise StorageFullError("full")
        return tries

    assert on_full_disk(tmp_path / "a.db", work) == 2

    def never() -> None:
        raise StorageFullError("full")

    with pytest.raises(StorageFullError):
        on_full_disk(tmp_path / "a.db", never)


async def test_while_it_is_spent_only_free_pages_are_published_into(parts: Parts) -> None:
    large = drafts("a", 1, data=f'"{"x" * 100_000}"')
    for _ in range(10):
        await parts.writer.append(large)
    await spent(parts)
    size = parts.path.stat().st_size
    for one in (large, drafts("a", 1)):
        with pytest.raises(StorageFullError):
            await parts.writer.append(one)
    with pytest.raises(StorageFullError):
        await parts.writer.probe()
    topic = parts.registry.get("a")
    assert topic is not None
    assert await parts.trimmer.to_count(topic, 1) == 9
    await parts.writer.probe()
    published = 0
    with contextlib.suppress(StorageFullError):
        while published < 20:
            await parts.writer.append(large)
            published += 1
    assert 2 < published < 9
    assert parts.path.stat().st_size == size
    assert (await parts.sql("PRAGMA page_count"))[0][0] * 4_096 == size


async def test_steps_are_small_then_and_the_journal_keeps_its_size(parts: Parts) -> None:
    await parts.writer.append(drafts("a", TRIM_ROWS))
    topic = parts.registry.get("a")
    assert topic is not None
    await spent(parts)
    told: list[tuple[int, int]] = []
    await parts.cutter.cut([Wanted(topic, 0, 0)], lambda *step: told.append(step))
    assert sorted({gone for gone, _ in told}) == list(range(0, TRIM_ROWS + 1, SCARCE_ROWS))
    assert parts.writer.journal_used < BALLAST_BYTES


async def test_what_is_no_full_disk_does_not_spend_it(parts: Parts) -> None:
    await parts.sql("PRAGMA query_only = ON")

    def step(connection: Any) -> None:
        connection.execute("CREATE TABLE too_much (data)")

    with pytest.raises(StorageError):
        await parts.writer.run(lambda connection: parts.room.using(connection, lambda: step(connection)))
    assert (parts.room.is_spent, parts.room.spent) == (False, 0)


async def test_on_a_disk_that_is_nearly_full_the_journal_is_short(parts: Parts, free: SimpleNamespace) -> None:
    free.f_bavail = LOW_BYTES - 1
    parts.room.look()
    most = 0
    for _ in range(60):
        await parts.writer.append(drafts("a", 1, data=f'"{"x" * 100_000}"'))
        most = max(most, parts.writer.journal_used)
    assert most < room.JOURNAL_BYTES
    free.f_bavail = LOW_BYTES
    parts.room.look()
    for _ in range(60):
        await parts.writer.append(drafts("a", 1, data=f'"{"x" * 100_000}"'))
    assert parts.writer.journal_used > 5 * room.JOURNAL_BYTES


async def test_and_a_large_publish_has_to_fit_in_twice(parts: Parts, free: SimpleNamespace) -> None:
    large = drafts("a", 1, data=f'"{"x" * 2 * LARGE}"')
    free.f_bavail = 5 * LARGE
    parts.room.look()
    with pytest.raises(StorageFullError):
        await parts.writer.append(large)
    assert (await parts.writer.append(drafts("a", 1))).fresh
    free.f_bavail = 6 * LARGE
    assert (await parts.writer.append(large)).fresh


async def test_bytes_are_counted_and_not_characters(parts: Parts, free: SimpleNamespace) -> None:
    large = drafts("a", 1, data=f'"{"é" * LARGE}"')
    free.f_bavail = 4 * LARGE
    parts.room.look()
    with pytest.raises(StorageFullError):
        await parts.writer.append(large)
    free.f_bavail = 6 * LARGE
    assert (await parts.writer.append(large)).fresh


async def test_it_is_there_when_the_log_is_opened_again(parts: Parts, clock: ManualClock) -> None:
    await spent(parts)
    await parts.close()
    again = await Parts.open(parts.path, clock)
    assert again.room.ballast == BALLAST_BYTES, "this disk has room"
    await again.close()


# The reserve

RESERVE = 100 << 20


@pytest.fixture
async def reserving(tmp_path: Path, clock: ManualClock, free: SimpleNamespace) -> AsyncIterator[Parts]:
    """A log that leaves RESERVE bytes of the disk, which has plenty."""
    parts = await Parts.open(tmp_path / "reserving.db", clock, RESERVE)
    yield parts
    await parts.close()


def test_the_reserve_is_reached_at_its_bound_and_left_a_little_above(tmp_path: Path, free: SimpleNamespace) -> None:
    one = Room(DatabaseFiles(tmp_path / "a.db"), RESERVE)
    found = []
    for bytes in (RESERVE, RESERVE - 1, RESERVE + SPARE - 1, RESERVE + SPARE, RESERVE):
        free.f_bavail = bytes
        one.look()
        found.append(one.is_reserved)
        assert one.free == bytes
    assert found == [False, True, True, False, False]


def test_without_a_reserve_nothing_is_kept(tmp_path: Path, free: SimpleNamespace) -> None:
    one = Room(DatabaseFiles(tmp_path / "a.db"))
    free.f_bavail = 0
    one.look()
    assert (one.is_reserved, one.is_low) == (False, True)


def test_a_disk_that_nobody_can_ask_is_not_said_to_be_below_it(
    tmp_path: Path, free: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Room(DatabaseFiles(tmp_path / "a.db"), RESERVE)
    one.look()
    known = one.free

    def gone(path: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(os, "statvfs", gone)
    assert not one.look()
    assert (one.is_reserved, one.is_low, one.free) == (False, True, known)


async def test_within_the_reserve_nothing_is_published_and_the_log_is_well(
    reserving: Parts, free: SimpleNamespace
) -> None:
    assert (await reserving.writer.append(drafts("a", 1))).fresh
    free.f_bavail = RESERVE - 1
    reserving.room.look()
    with pytest.raises(ReserveError, match="TWINWIRE_DISK_RESERVE") as caught:
        await reserving.writer.append(drafts("a", 1))
    assert (caught.value.status, caught.value.retry_after) == (503, 10.0)
    assert reserving.writer.failure is None, "it is not the log's fault, which is ready for all the rest"
    await reserving.writer.probe()
    free.f_bavail = RESERVE + SPARE
    reserving.room.look()
    assert (await reserving.writer.append(drafts("a", 1))).offsets == (2,)


async def test_within_the_reserve_a_trim_makes_room_in_the_file_which_does_not_grow(
    reserving: Parts, free: SimpleNamespace
) -> None:
    large = drafts("a", 1, data=f'"{"x" * 100_000}"')
    for _ in range(10):
        await reserving.writer.append(large)
    await reserving.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    size = reserving.path.stat().st_size
    free.f_bavail = RESERVE - 1
    reserving.room.look()
    with pytest.raises(ReserveError):
        await reserving.writer.append(large)
    topic = reserving.registry.get("a")
    assert topic is not None
    assert await reserving.trimmer.to_count(topic, 1) == 9
    published = 0
    with contextlib.suppress(ReserveError):
        while published < 20:
            await reserving.writer.append(large)
            published += 1
    assert 2 < published < 9
    assert (await reserving.sql("PRAGMA page_count"))[0][0] * 4_096 == size
    assert reserving.writer.journal_used <= 2 * room.JOURNAL_BYTES
    assert (reserving.room.is_spent, reserving.room.spent) == (False, 0), "the ballast is for a disk that is full"


async def test_the_services_own_events_are_taken_within_the_reserve(reserving: Parts, free: SimpleNamespace) -> None:
    """Whoever's token is revoked has no use for a full disk."""
    free.f_bavail = RESERVE - 1
    reserving.room.look()
    assert (await reserving.writer.append([Draft("twinwire/revoked", "jti", "{}")])).fresh
    with pytest.raises(ReserveError):
        await reserving.writer.append([Draft("twinwire/revoked", "jti", "{}"), Draft("a", "log", "1")])


async def test_a_large_publish_does_not_break_into_the_reserve(reserving: Parts, free: SimpleNamespace) -> None:
    large = drafts("a", 1, data=f'"{"x" * 2 * LARGE}"')
    free.f_bavail = RESERVE + 5 * LARGE
    reserving.room.look()
    with pytest.raises(ReserveError):
        await reserving.writer.append(large)
    assert reserving.writer.failure is None
    free.f_bavail = RESERVE + 6 * LARGE
    assert (await reserving.writer.append(large)).fresh


def test_of_a_small_disk_a_twentieth_is_kept(tmp_path: Path, free: SimpleNamespace) -> None:
    """One of 64 MiB had nothing but reserve: nobody could publish on it."""
    room = Room(DatabaseFiles(tmp_path / "test.db"), 256 << 20)
    room.look()
    assert room.reserve == 256 << 20
    free.f_blocks = free.f_bavail = 64 << 20
    room.look()
    assert (room.reserve, room.is_reserved) == ((64 << 20) // SHARE, False)
    free.f_bavail = room.reserve - 1
    room.look()
    assert room.is_reserved
