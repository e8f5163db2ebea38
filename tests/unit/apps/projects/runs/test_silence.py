"""Commands of which nothing is heard any more, and what becomes of them when somebody cancels them."""

import asyncio

import pytest

from service.apps.projects.models import Run
from service.apps.projects.runs.silence import ENDED_AFTER, SILENT_AFTER, Silence
from service.core.errors import ConflictError
from tests.support.clock import ManualClock
from tests.support.projects import BRIEF, Plain, World
from tests.support.reporter import Reporter


class Still(ManualClock):
    """Nobody who sleeps wakes up: the test looks itself."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()


@pytest.fixture
def clock() -> Still:
    return Still()


@pytest.fixture
async def one(world: World, clock: Still) -> Reporter:
    service = await world.service([Plain()], clock=clock)
    one = Reporter(service, (await service.create("P", None)).id)
    await one.begin("build")
    await one.report({"stage": "build"})
    return one


async def shown(one: Reporter) -> Run:
    return await one.service.runs.reading.detail(one.project, one.number)


async def test_after_a_minute_it_is_silent_until_it_is_heard_of(one: Reporter, world: World, clock: Still) -> None:
    look = one.service.runs.silence.look
    clock.advance(SILENT_AFTER)
    assert await look()
    assert not (await shown(one)).silent
    clock.advance(0.001)
    await look()
    await look()
    assert (await shown(one)).silent
    await one.report({"alive": True})
    assert not (await shown(one)).silent
    assert [told["silent"] for told in world.of("run_update")][-2:] == [True, False]
    assert sum(told["silent"] for told in world.of("run_update")) == 1


async def test_what_is_the_matter_with_one_keeps_no_other_from_being_seen_to(
    one: Reporter, clock: Still, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = Reporter(one.service, one.project, "two")
    await two.begin()
    clock.advance(SILENT_AFTER + 1)
    silence, see_to = one.service.runs.silence, Silence._see_to

    async def faulty(self: Silence, project: str, number: int) -> None:
        if number == one.number:
            raise KeyError("a mistake")
        await see_to(self, project, number)

    monkeypatch.setattr(Silence, "_see_to", faulty)
    with pytest.raises(KeyError):
        await silence.look()
    assert (await shown(two)).silent
    assert not (await shown(one)).silent


async def test_after_a_day_it_has_failed_and_a_later_report_opens_it_again(
    one: Reporter, world: World, clock: Still
) -> None:
    clock.advance(ENDED_AFTER + 1)
    assert await one.service.runs.silence.look()
    run = await one.service.runs.reading.detail(one.project, one.number)
    assert (run.status, run.message, run.stages[0].status) == ("failed", "Not heard of for a day", "failed")
    assert world.of("status_update")[-1]["status"] == "failed"
    assert not await one.service.runs.silence.look(), "none is left"
    await one.report({"output": "still here\n"})
    run = await one.service.runs.reading.detail(one.project, one.number)
    assert (run.status, run.finished, run.stages[0].status, run.lines) == ("running", None, "started", 1)
    await one.report({"end": {"exit": 0}})
    assert (await shown(one)).status == "completed"


async def test_nobody_could_be_heard_before_the_service_was_there(world: World, one: Reporter, clock: Still) -> None:
    clock.advance(ENDED_AFTER + 1)
    later = await world.service([Plain()], clock=clock)
    await later.runs.silence.look()
    assert (await shown(one)).status == "running"
    clock.advance(SILENT_AFTER)
    await later.runs.silence.look()
    assert (await shown(one)).status == "failed"


async def test_cancelling_is_told_to_the_reporter_who_ends_it(one: Reporter, world: World) -> None:
    commands = one.service.runs.commands
    run = await commands.cancel(one.project, one.number, "alice", one.spending)
    assert (run.status, run.message) == ("running", "Being cancelled by alice")
    await commands.cancel(one.project, one.number, "bob", one.spending)
    assert (await one.report({"output": "stopping\n"})).cancel
    assert not (await one.report({"end": {"exit": 143, "signal": "SIGTERM"}})).cancel
    run = await one.service.runs.reading.detail(one.project, one.number)
    assert (run.status, run.message, run.exit) == ("cancelled", "Cancelled by alice at build", 143)
    assert run.stages[0].status == "cancelled"
    with pytest.raises(ConflictError):
        await commands.cancel(one.project, one.number, None, one.spending)


async def test_one_that_ends_well_all_the_same_is_completed(one: Reporter) -> None:
    await one.service.runs.commands.cancel(one.project, one.number, None, one.spending)
    await one.report({"end": {"exit": 0}})
    assert (await shown(one)).status == "completed"


async def test_a_silent_one_ends_at_once(one: Reporter, clock: Still) -> None:
    clock.advance(SILENT_AFTER + 1)
    await one.service.runs.silence.look()
    run = await one.service.runs.commands.cancel(one.project, one.number, "alice", one.spending)
    assert (run.status, run.message) == ("cancelled", "Cancelled by alice at build")
    assert (await one.report({"output": "a"})).cancel, "and whoever comes back is told"
    await one.report({"end": {"signal": "SIGTERM"}})
    assert (await shown(one)).status == "cancelled"


async def test_whoever_presses_ctrl_c_has_cancelled_it(one: Reporter) -> None:
    await one.report({"end": {"signal": "SIGINT"}})
    run = await shown(one)
    assert (run.status, run.exit, run.message) == ("cancelled", 130, "Ended by SIGINT")


async def test_a_generation_is_cancelled_otherwise(world: World) -> None:
    service = await world.service([Plain()])
    id = (await service.create("P", BRIEF)).id
    run = await service.generate(id)
    with pytest.raises(ConflictError):
        await service.runs.commands.cancel(id, run.number, None, Reporter.spending)
