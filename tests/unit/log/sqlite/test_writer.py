"""The one writer: what waits together commits together, and a full disk or queue is told, not hidden."""

import asyncio
import contextlib
import resource as process
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from service.core.errors import OverloadedError, StorageError, StorageFullError, UnavailableError
from service.core.event import Draft
from service.log.base import Receipt, Statement
from service.log.sqlite import writer as writer_module
from service.log.sqlite.database import on_thread
from service.log.sqlite.jobs import COMMIT_EVENTS, COMMIT_PUBLISHES, SMALL
from tests.support.clock import ManualClock
from tests.unit.log.rigs import Parts, drafts


@contextlib.asynccontextmanager
async def held(parts: Parts) -> AsyncIterator[None]:
    """The writer's thread is busy, so that what is published meanwhile waits."""
    entered, release = threading.Event(), threading.Event()

    def hold(connection: Any) -> None:
        entered.set()
        release.wait()

    task = asyncio.create_task(parts.writer.run(hold))
    await asyncio.to_thread(entered.wait)
    try:
        yield
    finally:
        release.set()
        await task


def publish(parts: Parts, *requests: list[Draft]) -> "list[asyncio.Task[Receipt]]":
    return [asyncio.create_task(parts.writer.append(request, ())) for request in requests]


async def test_publishes_that_wait_share_one_commit(parts: Parts) -> None:
    async with held(parts):
        waiting = publish(parts, *(drafts(f"t{n % 3}", 1) for n in range(50)))
        await asyncio.sleep(0)
    receipts = await asyncio.gather(*waiting)
    assert parts.writer.durations.count == 1
    assert [receipt.offsets for receipt in receipts] == [(n,) for n in range(1, 51)]
    assert [len(events) for events in parts.heard] == [50], "listeners hear one commit in one piece"


class Ticking(ManualClock):
    """A quarter of a second goes by between any two looks at it."""

    def monotonic(self) -> float:
        self.advance(0.25)
        return super().monotonic()


async def test_a_commit_is_timed(tmp_path: Path) -> None:
    parts = await Parts.open(tmp_path / "test.db", Ticking())
    await parts.writer.append(drafts("a", 1), ())
    assert parts.writer.durations.last == 0.25
    await parts.close()


async def test_publishes_of_one_turn_of_the_loop_share_one_commit(parts: Parts) -> None:
    await asyncio.gather(*(parts.writer.append(drafts("a", 2), ()) for _ in range(20)))
    assert parts.writer.durations.count == 1


async def test_statements_keys_and_plain_publishes_share_it_too(parts: Parts) -> None:
    await parts.sql("CREATE TABLE notes (text TEXT)")
    note = [Statement("INSERT INTO notes VALUES ('x')")]
    await asyncio.gather(
        parts.writer.append(drafts("a", 1), note),
        parts.writer.append([Draft("a", "log", "1", "key")], ()),
        parts.writer.append(drafts("a", 1), ()),
        parts.writer.append([], note),
    )
    assert parts.writer.durations.count == 1
    assert await parts.sql("SELECT count(*) FROM notes") == [(2,)]


async def test_a_commit_is_bounded(parts: Parts) -> None:
    async with held(parts):
        waiting = publish(parts, drafts("a", COMMIT_EVENTS - 200), drafts("a", 200), drafts("a", 101))
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert [len(events) for events in parts.heard] == [COMMIT_EVENTS, 101]


async def test_so_is_one_of_small_publishes(parts: Parts) -> None:
    async with held(parts):
        waiting = publish(parts, *(drafts("a", SMALL) for _ in range(COMMIT_EVENTS // SMALL + 1)))
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert [len(events) for events in parts.heard] == [COMMIT_EVENTS, SMALL]


async def test_few_enough_are_answered_at_once(parts: Parts) -> None:
    async with held(parts):
        waiting = publish(parts, *(drafts("a", 1) for _ in range(COMMIT_PUBLISHES + 1)))
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert [len(events) for events in parts.heard] == [COMMIT_PUBLISHES, 1]


async def test_small_ones_have_room_where_large_ones_have_none(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "QUEUE_EVENTS", 1_000)
    async with held(parts):
        waiting = publish(parts, drafts("a", 850))
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError):
            await parts.writer.append(drafts("a", SMALL + 1), ())
        waiting += publish(parts, drafts("a", SMALL))
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)


async def test_small_publishes_do_not_wait_for_all_the_large_ones(parts: Parts) -> None:
    async with held(parts):
        large = publish(parts, *(drafts("a", COMMIT_EVENTS) for _ in range(3)))
        small = publish(parts, drafts("a", 1), drafts("a", 2))
        await asyncio.sleep(0)
    await asyncio.gather(*large, *small)
    assert [len(events) for events in parts.heard] == [3, COMMIT_EVENTS, COMMIT_EVENTS, COMMIT_EVENTS]
    assert [(await task).offsets[0] for task in (*small, *large)] == [1, 2, 4, COMMIT_EVENTS + 4, 2 * COMMIT_EVENTS + 4]


async def test_large_ones_come_in_between_small_ones_without_end(parts: Parts) -> None:
    async with held(parts):
        large = publish(parts, drafts("a", COMMIT_EVENTS))
        small = publish(parts, *(drafts("a", SMALL) for _ in range(2 * COMMIT_EVENTS // SMALL)))
        await asyncio.sleep(0)
    await asyncio.gather(*large, *small)
    assert [len(events) for events in parts.heard] == [COMMIT_EVENTS] * 3
    assert (await large[0]).offsets[0] == COMMIT_EVENTS + 1, "after the first commit of small ones"


def newest(connection: Any) -> int:
    found: int = connection.execute("SELECT ifnull(max(offset), 0) FROM events").fetchone()[0]
    return found


async def test_nobody_waits_for_more_than_one_job_of_another_kind(parts: Parts) -> None:
    async with held(parts):
        large = publish(parts, *(drafts("a", COMMIT_EVENTS) for _ in range(3)))
        works = [asyncio.create_task(parts.writer.run(newest)) for _ in range(2)]
        await asyncio.sleep(0)
        small = publish(parts, drafts("a", 1))
        await asyncio.sleep(0)
    await asyncio.gather(*large, *small)
    assert (await small[0]).offsets == (1,), "though a work came before it, and waited behind the large ones"
    assert [await work for work in works] == [COMMIT_EVENTS + 1, 2 * COMMIT_EVENTS + 1]


async def test_what_is_done_last_sees_all_that_waited(parts: Parts) -> None:
    async with held(parts):
        waiting = publish(parts, *(drafts("a", COMMIT_EVENTS) for _ in range(3)))
        seen: list[int] = []
        await asyncio.sleep(0)
        closing = asyncio.create_task(parts.writer.close(lambda connection: seen.append(newest(connection))))
        await asyncio.sleep(0)
    await asyncio.gather(closing, *waiting)
    assert seen == [3 * COMMIT_EVENTS]


async def test_a_larger_request_still_commits_whole(parts: Parts) -> None:
    await parts.writer.append(drafts("a", COMMIT_EVENTS + 1), ())
    assert [len(events) for events in parts.heard] == [COMMIT_EVENTS + 1]


async def test_work_does_not_part_publishes_that_wait_together(parts: Parts) -> None:
    _, seen, _ = await asyncio.gather(
        parts.writer.append(drafts("a", 3), ()), parts.writer.run(newest), parts.writer.append(drafts("a", 4), ())
    )
    assert seen == 7
    assert parts.writer.durations.count == 1


async def test_a_plain_publish_is_one_statement(parts: Parts) -> None:
    """With a busy event loop each further statement would wait for the interpreter (see the module)."""
    await parts.writer.append(drafts("a", 1), ())
    statements: list[str] = []
    await parts.writer.run(lambda connection: connection.set_trace_callback(statements.append))
    await parts.writer.append(drafts("a", 100), ())
    await parts.writer.run(lambda connection: connection.set_trace_callback(None))
    assert [statement.split()[0] for statement in statements if "events" in statement] == ["INSERT"]
    assert not any("BEGIN" in statement for statement in statements)


async def test_one_bad_request_is_found_among_its_neighbours(parts: Parts) -> None:
    await parts.sql("CREATE TABLE notes (text TEXT UNIQUE)")
    taken = [Statement("INSERT INTO notes VALUES ('x')")]
    answers = await asyncio.gather(
        parts.writer.append(drafts("a", 1), ()),
        parts.writer.append(drafts("new", 1), [*taken, *taken]),
        parts.writer.append(drafts("a", 1), taken),
        return_exceptions=True,
    )
    assert answers[0] == Receipt((1,), True)
    assert isinstance(answers[1], StorageError)
    assert "UNIQUE" in answers[1].detail
    assert answers[2] == Receipt((2,), True)
    assert parts.registry.get("new") is None
    assert parts.writer.failure is None, "a fault of one request is not a fault of the disk"


async def test_text_that_no_database_takes_fails_alone(parts: Parts) -> None:
    answers = await asyncio.gather(
        parts.writer.append(drafts("a", 1), ()),
        parts.writer.append([Draft("a", "log", '"\ud800"')], ()),
        return_exceptions=True,
    )
    assert answers[0] == Receipt((1,), True)
    assert isinstance(answers[1], UnicodeEncodeError)
    assert await parts.writer.append(drafts("a", 1), ()) == Receipt((2,), True)


async def test_the_queue_is_bounded(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "QUEUE_EVENTS", 10)
    async with held(parts):
        waiting = publish(parts, drafts("a", 6), drafts("a", 4))
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError) as caught:
            await parts.writer.append(drafts("a", 1), ())
        assert caught.value.retry_after
    assert [(await task).offsets[0] for task in waiting] == [1, 7]
    assert (await parts.writer.append(drafts("a", 11), ())).offsets[0] == 11, "alone, a large request is taken"


async def test_refused_publishes_do_not_fill_the_queue(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "QUEUE_EVENTS", 2)
    for _ in range(3):
        async with held(parts):
            waiting = publish(parts, drafts("a", 2))
            await asyncio.sleep(0)
            for _ in range(3):
                with pytest.raises(OverloadedError):
                    await parts.writer.append(drafts("a", 1), ())
        await asyncio.gather(*waiting)
    assert parts.head == 6


@contextlib.contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """No file of this process may grow beyond `size` bytes; the kernel says EFBIG, as with a quota."""
    soft, hard = process.getrlimit(process.RLIMIT_FSIZE)
    process.setrlimit(process.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        process.setrlimit(process.RLIMIT_FSIZE, (soft, hard))


async def fill_up(parts: Parts) -> int:
    """Publish until the disk is full; returns how many events were taken."""
    taken = 0
    with contextlib.suppress(StorageFullError):
        while taken < 1_000:
            await parts.writer.append(drafts("a", 1, data=f'"{"x" * 60_000}"'), ())
            taken += 1
    assert taken < 1_000
    return taken


async def expect_recovery(parts: Parts, taken: int) -> None:
    assert parts.head == taken, "what was refused was not heard"
    assert parts.kept() == list(range(1, taken + 1))
    assert (await parts.writer.append(drafts("a", 1), ())).offsets == (taken + 1,)
    assert parts.writer.failure is None
    assert await parts.sql("PRAGMA integrity_check") == [("ok",)]


async def test_a_full_disk_is_told_and_recovered_from(parts: Parts) -> None:
    await parts.sql("PRAGMA max_page_count = 100")
    taken = await fill_up(parts)
    assert taken
    assert isinstance(parts.writer.failure, StorageFullError)
    await parts.sql("PRAGMA max_page_count = 100000")
    await expect_recovery(parts, taken)


async def test_a_file_size_limit_is_a_full_disk(parts: Parts) -> None:
    with file_size_limit(2 << 20):
        taken = await fill_up(parts)
    assert taken
    await expect_recovery(parts, taken)


async def test_a_full_disk_fails_all_that_wait(parts: Parts) -> None:
    await parts.writer.append(drafts("a", 1), ())
    (pages,) = (await parts.sql("PRAGMA page_count"))[0]
    await parts.sql(f"PRAGMA max_page_count = {pages}")
    large = [drafts("a", 1, data=f'"{"x" * 100_000}"') for _ in range(5)]
    answers = await asyncio.gather(*publish(parts, *large), return_exceptions=True)
    assert all(isinstance(answer, StorageFullError) for answer in answers)
    assert parts.writer.durations.count == 1


async def test_work_that_fails_tells_only_its_caller(parts: Parts) -> None:
    def divide(connection: Any) -> float:
        return 1 / 0

    with pytest.raises(ZeroDivisionError):
        await parts.writer.run(divide)
    with pytest.raises(StorageError, match="no such table"):
        await parts.sql("SELECT * FROM nowhere")
    assert await parts.writer.append(drafts("a", 1), ()) == Receipt((1,), True)


async def test_a_connection_is_left_without_a_transaction(parts: Parts) -> None:
    with pytest.raises(StorageError):
        await parts.writer.append(drafts("a", 1), [Statement("INSERT INTO nowhere VALUES (1)")])
    assert not await on_thread(parts.connection, lambda connection: connection.in_transaction)


async def test_a_closed_writer_takes_nothing(parts: Parts) -> None:
    waiting = publish(parts, drafts("a", 1))
    await asyncio.sleep(0)
    await parts.writer.close()
    await parts.writer.close()
    assert await waiting[0] == Receipt((1,), True)
    with pytest.raises(UnavailableError):
        await parts.writer.append(drafts("a", 1), ())
    with pytest.raises(UnavailableError):
        await parts.sql("SELECT 1")
