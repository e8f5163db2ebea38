"""Commands that are reported, on a real log and bus: in order, each item once."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from service.apps.projects.models import Run
from service.apps.projects.runs.service import Bounds
from service.bus.bus import EventBus
from service.core.errors import ConflictError, InvalidError, NotFoundError, OverloadedError, TooLargeError
from service.core.event import Draft
from service.core.time import parse_rfc3339
from service.core.topics import TopicFilter
from service.log.base import Receipt, StateSearch
from tests.support.clock import HeldClock
from tests.support.projects import BRIEF, DEADLINE, Plain, World
from tests.support.reporter import Reporter


async def reporter_of(world: World, brief: str | None = None, **options: Any) -> Reporter:
    service = await world.service([Plain()], **options)
    return Reporter(service, (await service.create("P", brief)).id)


async def run_of(reporter: Reporter) -> Run:
    return await reporter.service.runs.reading.detail(reporter.project, reporter.number)


async def test_a_command_from_its_beginning_to_its_end(world: World) -> None:
    one = await reporter_of(world)
    begun = await one.begin("build", "test", author="alice")
    assert (begun.run.number, begun.run.status, begun.run.author, begun.reported) == (1, "running", "alice", 0)
    await one.report({"stage": "build"}, {"output": "cc a.c\n"}, {"progress": 40, "message": "compiling"})
    await one.report({"stage": "test"}, {"output": "1 pass"}, {"output": "ed\n2 passed\n"})
    await one.report({"end": {"exit": 0}})
    detail = await one.service.runs.reading.detail(one.project, one.number)
    assert (detail.status, detail.progress, detail.exit, detail.stage) == ("completed", 100, 0, "test")
    assert (detail.lines, detail.bytes) == (3, 25)
    assert [(stage.name, stage.status, stage.message, stage.first_line) for stage in detail.stages] == [
        ("build", "completed", "", 1),
        ("test", "completed", "Ended with exit code 0", 2),
    ]
    assert await one.log() == b"cc a.c\n1 passed\n2 passed\n"
    assert await one.log("test") == b"1 passed\n2 passed\n"
    assert world.of("run_output", one.project) == [
        {"run": 1, "stage": "build", "line": 1, "text": "cc a.c\n"},
        {"run": 1, "stage": "test", "line": 2, "text": "1 passed\n2 passed\n"},
    ]
    assert world.of("run_update", one.project)[-1] == detail.model_dump(exclude={"lines", "stages", "cursor"})
    assert world.of("status_update", one.project)[-1]["status"] == "completed"


async def test_what_is_told_late_has_the_commands_own_times(world: World) -> None:
    """All of it comes an hour late; of another, half of it, and lies."""
    clock = HeldClock(parse_rfc3339("2027-01-01T12:00:00Z"))
    one = await reporter_of(world, clock=clock)
    begun = await one.begin(ago=3_600.0)
    assert begun.run.started == "2027-01-01T11:00:00.000Z"
    await one.report({"stage": "build", "at": 1.5}, {"output": "a\n"}, {"stage": "test", "at": 61.5})
    await one.report({"end": {"exit": 0}, "at": 600.25})
    detail = await one.service.runs.reading.detail(one.project, one.number)
    assert (detail.created, detail.finished) == ("2027-01-01T12:00:00.000Z", "2027-01-01T11:10:00.250Z")
    assert (detail.duration, [stage.duration for stage in detail.stages]) == (600.25, [60.0, 538.75])
    assert world.of("run_update", one.project)[-1] == detail.model_dump(exclude={"lines", "stages", "cursor"})
    two = Reporter(one.service, one.project, "two")
    await two.begin()
    clock.advance(10)
    await two.report({"stage": "build"})
    clock.advance(10)
    await two.report({"stage": "test", "at": 4}, {"stage": "late", "at": 1}, {"stage": "last", "at": 9e7})
    await two.report({"end": {"exit": 1}, "at": 9e7})
    detail = await one.service.runs.reading.detail(one.project, two.number)
    assert (detail.duration, [stage.duration for stage in detail.stages]) == (20.0, [0.0, 0.0, 16.0, 0.0])


async def test_repeats_are_ignored_and_gaps_refused(world: World) -> None:
    one = await reporter_of(world)
    await one.begin()
    await one.report({"output": "a"}, {"output": "b"})
    assert (await one.report({"output": "b"}, {"output": "c"}, start=2)).reported == 3
    assert (await one.report({"output": "X"}, start=1)).reported == 3
    with pytest.raises(ConflictError) as caught:
        await one.report({"output": "e"}, start=5)
    assert caught.value.members == {"reported": 3}
    assert await one.log() == b"abc"
    assert [told["text"] for told in world.of("run_output")] == ["ab", "c"]


async def test_two_reporters_of_one_run_make_each_item_count_once(world: World) -> None:
    one = await reporter_of(world)
    await one.begin()
    items = [{"output": f"{number}\n"} for number in range(1, 41)]
    await asyncio.gather(*(one.report(*items[:size], start=1) for size in range(1, 41)))
    assert await one.log() == "".join(f"{number}\n" for number in range(1, 41)).encode()
    assert "".join(told["text"] for told in world.of("run_output")) == (await one.log()).decode()


async def test_a_key_begins_one_run_however_many_try(world: World) -> None:
    one = await reporter_of(world)
    begun = await asyncio.gather(*(one.begin() for _ in range(10)))
    assert {each.run.number for each in begun} == {1}
    assert sum(each.is_new for each in begun) == 1
    one.command = "make install"
    with pytest.raises(ConflictError) as caught:
        await one.begin()
    assert caught.value.field == "key"


async def test_commands_overlap_and_each_has_a_number(world: World) -> None:
    one = await reporter_of(world)
    others = [Reporter(one.service, one.project, f"k{number}") for number in range(5)]
    begun = await asyncio.gather(*(other.begin() for other in others))
    assert sorted(each.run.number for each in begun) == [1, 2, 3, 4, 5]


async def test_beside_a_generation_which_alone_is_the_projects_status(world: World) -> None:
    one = await reporter_of(world, BRIEF)
    await one.begin()
    run = await one.service.generate(one.project)
    await world.completion(run.id)
    await one.report({"end": {"exit": 1}})
    snapshot = await one.service.snapshot(one.project)
    assert (snapshot.status, snapshot.run and snapshot.run.number, run.number) == ("completed", 2, 2)
    assert {told["run"] for told in world.of("status_update", one.project)} == {None, run.id}


async def test_of_a_project_without_a_brief_it_is_that_of_the_newest_command(world: World) -> None:
    one = await reporter_of(world)
    with pytest.raises(ConflictError):
        await one.service.generate(one.project)
    await one.begin()
    two = Reporter(one.service, one.project, "two")
    await two.begin()
    await two.report({"progress": 30})
    await one.report({"end": {"exit": 1}})
    snapshot = await one.service.snapshot(one.project)
    assert (snapshot.brief, snapshot.status, snapshot.progress) == (None, "running", 30)
    assert world.of("status_update", one.project)[-1]["progress"] == 30


async def test_a_character_that_is_cut_in_two_is_told_once_and_stored_as_it_came(world: World) -> None:
    one = await reporter_of(world)
    await one.begin()
    await one.report({"output_base64": "w6TD"})
    await one.report({"output_base64": "pMM="})
    await one.report({"end": {"exit": 0}})
    assert await one.log() == b"\xc3\xa4\xc3\xa4\xc3"
    assert [told["text"] for told in world.of("run_output")] == ["ä", "ä", "\ufffd"]


async def test_after_the_end_there_is_nothing_but_repeats(world: World) -> None:
    one = await reporter_of(world)
    await one.begin()
    await one.report({"output": "a"}, {"end": {"signal": "SIGKILL"}})
    run = await run_of(one)
    assert (run.status, run.exit, run.signal, run.message) == ("failed", 137, "SIGKILL", "Ended by SIGKILL")
    assert (await one.report({"end": {"signal": "SIGKILL"}}, start=2)).reported == 2
    with pytest.raises(ConflictError):
        await one.report({"output": "b"})


async def test_what_follows_the_end_in_its_own_report_is_refused_with_it(world: World) -> None:
    one = await reporter_of(world)
    await one.begin()
    with pytest.raises(InvalidError) as caught:
        await one.report({"end": {"exit": 0}}, {"output": "late"})
    assert caught.value.field == "items.1"
    assert (await run_of(one)).status == "running"


async def test_what_is_missing_is_a_line_of_its_own(world: World) -> None:
    one = await reporter_of(world)
    await one.begin()
    await one.report({"output": "abc"}, {"cut": {"bytes": 12_345, "lines": 3, "file": "/tmp/x.log"}}, {"output": "d\n"})
    expected = b"abc\n[... 12,345 bytes (3 lines) are not here: /tmp/x.log has all of it ...]\nd\n"
    assert await one.log() == expected
    run = await run_of(one)
    assert (run.cut, run.lines, run.bytes) == (12_345, 3, len(expected))


async def test_a_log_has_its_bound_and_nothing_of_what_goes_beyond_it_is_kept(world: World) -> None:
    one = await reporter_of(world, bounds=Bounds(log=10))
    await one.begin()
    await one.report({"output": "0123456789"})
    with pytest.raises(TooLargeError) as caught:
        await one.report({"progress": 50}, {"output": "x"})
    assert caught.value.field == "items"
    assert ((await run_of(one)).progress, await one.log()) == (0, b"0123456789")
    await one.report({"end": {"exit": 0, "cut": {"bytes": 1}}})


async def test_so_many_commands_of_a_project_are_reported_at_a_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.apps.projects.runs.commands.UNFINISHED_MAX", 1)
    one = await reporter_of(world)
    await one.begin()
    with pytest.raises(OverloadedError):
        await Reporter(one.service, one.project, "two").begin()
    await one.report({"end": {"exit": 0}})
    await Reporter(one.service, one.project, "two").begin()


async def test_a_project_that_is_deleted_meanwhile_is_not_there(world: World) -> None:
    one = await reporter_of(world)
    await one.begin()
    await one.service.delete(one.project)
    with pytest.raises(NotFoundError):
        await one.report({"output": "a"})
    with pytest.raises(NotFoundError):
        await one.begin()


class Deleting:
    """A bus on which a deletion waits until it `may` be stored."""

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus
        self.waits, self.may = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    async def publish(self, drafts: Sequence[Draft], *more: Any) -> Receipt:
        if any(draft.type == "project_deleted" for draft in drafts):
            self.waits.set()
            await self.may.wait()
        return await self._bus.publish(drafts, *more)


async def test_nothing_begins_in_a_project_that_is_just_being_deleted(world: World) -> None:
    bus = Deleting(world.bus)
    one = await reporter_of(world, bus=bus)
    await one.begin()
    two = Reporter(one.service, one.project, "two")
    deleting = asyncio.create_task(one.service.delete(one.project))
    await asyncio.wait_for(bus.waits.wait(), DEADLINE)
    beginning = asyncio.create_task(two.begin())
    reported = await one.report({"progress": 10})
    assert reported.reported == 1, "it is there as yet"
    bus.may.set()
    await deleting
    with pytest.raises(NotFoundError):
        await beginning
    with pytest.raises(NotFoundError):
        await one.report({"output": "a"})
    topic = TopicFilter((f"projects/{one.project}",))
    state = await world.log.state(StateSearch(topic, world.log.head))
    assert [event for event in state.events if event.data != b"null"] == []


async def test_it_goes_on_after_a_restart(world: World) -> None:
    one = await reporter_of(world)
    await one.begin("build")
    await one.report({"stage": "build"}, {"output": "a"})
    one.service = await world.service([Plain()])
    assert (await one.begin("build")).reported == 2
    await one.report({"output": "b"}, {"end": {"exit": 0}})
    assert await one.log() == b"ab"
