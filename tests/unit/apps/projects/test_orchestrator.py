"""Runs: in order, one a project, bounded in number; failed, cancelled, interrupted and taken up again."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from service.apps.projects.agents.base import AgentError, Workspace
from service.apps.projects.service import ProjectService
from service.core.errors import ConflictError, DrainingError, NotFoundError, OverloadedError, StorageFullError
from service.core.event import Draft
from tests.support.clock import ManualClock
from tests.support.projects import BRIEF, DEADLINE, Failing, Gate, LimitedBus, Plain, World

STATES = {"status_update", "run_update"}
"""Types that tell how the project and its run are."""
HINT = "the log of this run has the details"


async def _project(service: ProjectService) -> str:
    return (await service.create("P", BRIEF)).id


async def test_a_run_tells_everything_in_order(world: World) -> None:
    service = await world.service([Plain("a"), Plain("b")])
    id = await _project(service)
    run = await service.generate(id)
    assert (run.status, run.progress) == ("queued", 0)
    await world.completion(run.id)
    told = [one for one in world.told if one.topic == f"projects/{id}" and one.type not in STATES]
    assert [one.type for one in told] == [
        *("agent_update", "log", "file_update", "agent_update"),
        *("agent_update", "log", "file_update", "agent_update"),
        *("log", "completion"),
    ]
    assert told[0].data["message"] == "Starting a agent"
    assert told[3].data["message"].startswith("Completed a agent in ")
    statuses = world.of("status_update", id)
    assert [one["status"] for one in statuses[:2]] == ["idle", "queued"]
    assert statuses[-1] == {
        "status": "completed",
        "progress": 100,
        "run": run.id,
        "message": "Generated 2 files",
    }
    progress = [one["progress"] for one in statuses]
    assert progress == sorted(progress)


async def test_a_run_may_follow_the_moment_the_other_has_ended(world: World) -> None:
    service = await world.service([Plain("a")])
    id = await _project(service)
    first = await service.generate(id)
    await world.completion(first.id)
    second = await service.generate(id)
    await world.completion(second.id)
    assert [one["action"] for one in world.of("file_update", id)] == ["created", "updated"]


async def test_one_run_a_project(world: World) -> None:
    gate = Gate()
    service = await world.service([gate])
    id = await _project(service)
    run = await service.generate(id)
    await gate.reached.wait()
    with pytest.raises(ConflictError):
        await service.generate(id)
    gate.open.set()
    await world.completion(run.id)
    assert len(world.of("completion", id)) == 1


async def test_unknown_projects(world: World) -> None:
    service = await world.service([Plain()])
    for call in (service.generate, service.cancel, service.delete):
        with pytest.raises(NotFoundError):
            await call("nobody")


async def test_runs_that_work_and_wait_have_a_bound(world: World) -> None:
    gate = Gate()
    service = await world.service([gate], concurrency=1, max_runs=2)
    first, second, third = [await _project(service) for _ in range(3)]
    runs = [await service.generate(id) for id in (first, second)]
    with pytest.raises(OverloadedError, match="2 runs") as refused:
        await service.generate(third)
    assert refused.value.retry_after
    gate.open.set()
    for run in runs:
        await world.completion(run.id)
    await world.completion((await service.generate(third)).id)


async def test_more_runs_than_slots_are_queued_and_follow_in_order(world: World) -> None:
    gate = Gate()
    service = await world.service([gate], concurrency=1)
    ids = [await _project(service) for _ in range(3)]
    runs = [await service.generate(id) for id in ids]
    await asyncio.wait_for(gate.reached.wait(), DEADLINE)
    assert [(await service.snapshot(id)).status for id in ids] == ["running", "queued", "queued"]
    gate.open.set()
    for run in runs:
        await world.completion(run.id)
    assert [one["run"] for one in world.of("completion")] == [run.id for run in runs]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (AgentError("no such colour"), "no such colour"),
        (AgentError("broken {template}"), "broken {template}"),
        (ZeroDivisionError(), f"The failing agent failed unexpectedly (ZeroDivisionError): {HINT}"),
        (asyncio.CancelledError(), "the agent was cancelled from within"),
    ],
)
async def test_an_agent_that_raises_fails_the_run_and_generate_works_again(
    world: World, error: BaseException, message: str
) -> None:
    service = await world.service([Plain("a"), Failing(error), Plain("z")])
    id = await _project(service)
    run = await service.generate(id)
    end = await world.completion(run.id)
    assert (end.data["status"], end.data["message"], end.data["files"]) == ("failed", message, 2)
    assert world.of("log", id)[-1].items() >= {"level": "error", "message": message, "agent": "failing"}.items()
    assert world.stages(id)[-1] == ("failing", "failed")
    snapshot = await service.snapshot(id)
    assert [stage.status for stage in snapshot.stages] == ["completed", "failed", "pending"]
    assert snapshot.status == "failed"
    again = await service.generate(id)
    assert (await world.completion(again.id)).data["status"] == "completed"


async def test_cancelling_inside_an_agent(world: World) -> None:
    gate = Gate()
    service = await world.service([Plain("a"), gate])
    id = await _project(service)
    run = await service.generate(id)
    await gate.reached.wait()
    cancelled = await service.cancel(id, "alice")
    assert (cancelled.id, cancelled.status) == (run.id, "cancelled")
    assert (cancelled.message, cancelled.stage) == ("Cancelled by alice at stage 2", "gate")
    assert [stage.status for stage in (await service.snapshot(id)).stages] == ["completed", "cancelled"]
    assert gate.left
    assert world.stages(id)[-1] == ("gate", "cancelled")
    assert world.told[-1].type == "completion"
    assert world.told[-1].data["status"] == "cancelled"
    with pytest.raises(ConflictError):
        await service.cancel(id)
    gate.open.set()
    again = await service.generate(id)
    assert (await world.completion(again.id)).data["status"] == "completed"


async def test_cancelling_a_run_that_waits_for_its_slot(world: World) -> None:
    gate = Gate()
    service = await world.service([gate], concurrency=1)
    first, second = await _project(service), await _project(service)
    run = await service.generate(first)
    await gate.reached.wait()
    await service.generate(second)
    assert (await service.cancel(second)).message == "Cancelled"
    assert [(await service.snapshot(id)).status for id in (first, second)] == ["running", "cancelled"]
    gate.open.set()
    await world.completion(run.id)
    assert world.stages(second) == []


async def test_cancelling_between_agents_while_the_pace_is_waited_for(world: World) -> None:
    class Stopped(ManualClock):
        """Its sleep never ends."""

        def __init__(self) -> None:
            super().__init__()
            self.asleep = asyncio.Event()

        async def sleep(self, seconds: float) -> None:
            self.asleep.set()
            await asyncio.get_running_loop().create_future()

    clock = Stopped()
    service = await world.service([Plain("a"), Plain("b")], pace=1.0, clock=clock)
    id = await _project(service)
    await service.generate(id)
    await asyncio.wait_for(clock.asleep.wait(), DEADLINE)
    assert (await service.cancel(id)).status == "cancelled"
    assert ("b", "started") not in world.stages(id)


@pytest.mark.parametrize("way", ["swallow", "convert"])
async def test_an_agent_can_not_escape_its_cancellation(world: World, way: str) -> None:
    class Stubborn(Gate):
        async def run(self, work: Workspace) -> None:
            try:
                await super().run(work)
            except asyncio.CancelledError:
                if way == "convert":
                    raise ValueError("interrupted") from None
                with contextlib.suppress(asyncio.CancelledError):
                    await work.write("late.txt", "too late")

    gate = Stubborn()
    service = await world.service([gate, Plain("b")])
    id = await _project(service)
    await service.generate(id)
    await gate.reached.wait()
    assert (await service.cancel(id)).status == "cancelled"
    assert len(world.of("completion", id)) == 1
    assert "late.txt" not in [file.path for file in await service.files(id)]
    assert ("b", "started") not in world.stages(id)


async def test_a_caller_that_hangs_up_does_not_stop_what_it_asked_for(world: World) -> None:
    gate = Gate()
    service = await world.service([gate])
    id = await _project(service)
    caller = asyncio.create_task(service.generate(id))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await asyncio.wait_for(gate.reached.wait(), DEADLINE)


async def test_closing_leaves_the_run_to_the_next_start(world: World) -> None:
    agents = [Plain("a"), Gate(), Plain("z")]
    first = await world.service(agents)
    id = await _project(first)
    run = await first.generate(id)
    assert isinstance(agents[1], Gate)
    await agents[1].reached.wait()
    await first.close()
    assert world.of("completion", id) == []
    with pytest.raises(DrainingError):
        await first.generate(id)
    agents[1].open.set()
    second = await world.service(agents)
    assert (await world.completion(run.id)).data["status"] == "completed"
    assert [agent.worked for agent in agents] == [1, 2, 1]
    messages = [one["message"] for one in world.of("log", id)]
    assert "Resumed after an interruption: going on with stage 2 of 3, gate" in messages
    assert (await second.snapshot(id)).files == 3


@pytest.mark.parametrize("publishes", range(2, 15))
async def test_a_run_that_was_killed_repeats_no_stage_and_skips_none(tmp_path: Path, publishes: int) -> None:
    """Killed before each of its commits in turn: what was finished stays, what was not is done."""
    async with World.open(tmp_path / "test.db") as world:
        bus = LimitedBus(world.bus, publishes)
        agents = [Plain("a"), Plain("b"), Plain("c")]
        dying = await world.service(agents, bus=bus)
        id = await _project(dying)
        run = await dying.generate(id)
        await asyncio.wait_for(bus.died.wait(), DEADLINE)
        finished = [agent for agent, status in world.stages(id) if status == "completed"]
        heir = await world.service(agents)
        await world.completion(run.id)
        completed = [agent for agent, status in world.stages(id) if status == "completed"]
        assert completed == ["a", "b", "c"]
        assert all(agent.worked == 1 for agent in agents if agent.name in finished)
        _check_files(world.of("file_update", id))
        snapshot = await heir.snapshot(id)
        assert (snapshot.status, snapshot.progress, snapshot.files) == ("completed", 100, 3)
        assert [stage.status for stage in snapshot.stages] == ["completed"] * 3
        progress = [one["progress"] for one in world.of("status_update", id)]
        assert progress == sorted(progress)
        bus.bury()


def _check_files(updates: list[dict[str, Any]]) -> None:
    """Each path is created once; whatever was written again is an update."""
    seen: set[str] = set()
    for one in updates:
        assert one["action"] == ("updated" if one["path"] in seen else "created")
        seen.add(one["path"])


async def test_queued_runs_are_taken_up_too(world: World) -> None:
    gate = Gate()
    first = await world.service([gate], concurrency=1)
    ids = [await _project(first) for _ in range(2)]
    runs = [await first.generate(id) for id in ids]
    await gate.reached.wait()
    await first.close()
    gate.open.set()
    await world.service([gate], concurrency=1)
    for run in runs:
        assert (await world.completion(run.id)).data["status"] == "completed"
    resumed = [one["message"] for one in world.of("log", ids[1]) if "Resumed" in one["message"]]
    assert resumed == []


async def test_an_agent_that_was_uninstalled_in_between_fails_the_run(world: World) -> None:
    gate = Gate()
    first = await world.service([Plain("a"), gate])
    id = await _project(first)
    run = await first.generate(id)
    await gate.reached.wait()
    await first.close()
    await world.service([Plain("a")])
    end = await world.completion(run.id)
    assert (end.data["status"], end.data["message"]) == (
        "failed",
        "the agent 'gate' is not installed any more",
    )


async def test_a_full_disk_makes_a_run_wait_not_fail(world: World) -> None:
    class FullFor(LimitedBus):
        """Has no space for a few commits of the run."""

        refusals = 3

        async def publish(self, drafts: Any, *rest: Any) -> Any:
            if self.refusals and any(isinstance(one, Draft) and one.type == "log" for one in drafts):
                self.refusals -= 1
                raise StorageFullError("no space left")
            return await super().publish(drafts, *rest)

    clock = ManualClock()
    service = await world.service([Plain("a")], bus=FullFor(world.bus, 10**6), clock=clock)
    id = await _project(service)
    run = await service.generate(id)
    assert (await world.completion(run.id)).data["status"] == "completed"
    assert clock.slept == [10.0, 10.0, 10.0]
    assert len(world.of("log", id)) == 2


async def test_each_stage_takes_its_pace(world: World) -> None:
    clock = ManualClock()
    service = await world.service([Plain("a"), Plain("b")], pace=2.0, clock=clock)
    run = await service.generate(await _project(service))
    end = await world.completion(run.id)
    assert end.data["duration"] == pytest.approx(4.0)
    assert sum(clock.slept) == pytest.approx(4.0)
    durations = [one["duration"] for one in world.of("agent_update") if one["status"] == "completed"]
    assert durations == pytest.approx([2.0, 2.0])


async def test_files_of_earlier_runs_go_when_a_run_completes_without_them(world: World) -> None:
    first = await world.service([Plain("a"), Plain("b")])
    id = await _project(first)
    await world.completion((await first.generate(id)).id)
    await first.close()
    second = await world.service([Plain("a")])
    await world.completion((await second.generate(id)).id)
    assert [file.path for file in await second.files(id)] == ["a.txt"]
