"""Agents and commands are present while they work, and no longer: on a real log and bus."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from service.apps.projects.attendance import PAGE, TITLE_MAX, Attendance, AttendedBus, title_of
from service.apps.projects.changes import Change
from service.apps.projects.models import RunUpdate
from service.apps.projects.runs.made import Wish, queued_run
from service.core.errors import ConflictError, StorageError
from service.core.event import Draft
from service.log.base import Receipt
from tests.support.clock import HeldClock, ManualClock
from tests.support.members import Members
from tests.support.projects import BRIEF, DEADLINE, Failing, Gate, Plain, World
from tests.support.reporter import Reporter


class Still(ManualClock):
    """Nobody who sleeps wakes up: the test looks itself."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()


@pytest.fixture
def members() -> Members:
    return Members()


def at(members: Members, project: str) -> dict[str, tuple[str | None, Any]]:
    return members.here.get(f"projects/{project}", {})


async def test_an_agent_is_there_while_it_works(world: World, members: Members) -> None:
    gate = Gate()
    service = await world.service([Plain("first"), gate, Plain("last")], presence=members)
    project = (await service.create("P", BRIEF)).id
    run = await service.generate(project)
    await gate.reached.wait()
    data = {"agent": "gate", "run": 1, "stage": 2}
    assert at(members, project) == {":stage-1-2": ("agent:gate", data)}
    assert members.users(f"projects/{project}") == {"agent:gate": 1}
    gate.open.set()
    await world.completion(run.id)
    await service.close()
    assert at(members, project) == {}
    stages = [f":stage-1-{number}" for number in (1, 2, 3)]
    assert members.log == [(sign, stage) for stage in stages for sign in "+-"]


async def test_one_that_fails_goes(world: World, members: Members) -> None:
    service = await world.service([Failing(ValueError("no"))], presence=members)
    project = (await service.create("P", BRIEF)).id
    await world.completion((await service.generate(project)).id)
    assert members.log == [("+", ":stage-1-1"), ("-", ":stage-1-1")]


@pytest.mark.parametrize("way", ["cancel", "delete"])
async def test_one_goes_that_is_cancelled_or_whose_project_is_deleted(world: World, members: Members, way: str) -> None:
    gate = Gate()
    service = await world.service([gate], presence=members)
    project = (await service.create("P", BRIEF)).id
    await service.generate(project)
    await gate.reached.wait()
    assert len(at(members, project)) == 1
    await getattr(service, way)(project)
    assert at(members, project) == {}


async def test_a_run_that_waits_for_its_turn_has_nobody_there(world: World, members: Members) -> None:
    gate = Gate()
    service = await world.service([gate], presence=members, concurrency=1)
    one, two = [(await service.create(name, BRIEF)).id for name in ("P", "Q")]
    await service.generate(one)
    await gate.reached.wait()
    await service.generate(two)
    assert (len(at(members, one)), len(at(members, two))) == (1, 0)


async def test_agents_come_again_with_the_next_process(world: World, members: Members) -> None:
    gate = Gate()
    first = await world.service([Plain("first"), gate], presence=members)
    project = (await first.create("P", BRIEF)).id
    await first.generate(project)
    await gate.reached.wait()
    await first.close()
    assert at(members, project) == {}, "nobody works on it"
    again = Gate()
    later = Members()
    await world.service([Plain("first"), again], presence=later)
    await again.reached.wait()
    assert later.log == [("+", ":stage-1-2")]


class Broken(AttendedBus):
    """Has no disk left once it is told."""

    is_broken = False

    async def publish(self, *rest: Any) -> Receipt:
        if self.is_broken:
            raise StorageError("the disk is gone")
        return await super().publish(*rest)


async def test_a_run_whose_end_can_not_be_stored_is_left_by_its_agent(world: World, members: Members) -> None:
    gate, bus = Gate(), Broken(world.bus, Attendance(Members()))
    service = await world.service([gate], bus=bus, presence=members)
    project = (await service.create("P", BRIEF)).id
    await service.generate(project)
    await gate.reached.wait()
    bus.is_broken = True
    gate.open.set()
    async with asyncio.timeout(DEADLINE):
        while at(members, project):
            await asyncio.sleep(0)


# Commands


async def reporter_of(world: World, members: Members, **options: Any) -> Reporter:
    service = await world.service([Plain()], presence=members, **options)
    return Reporter(service, (await service.create("P", None)).id)


async def test_a_command_is_there_from_its_beginning_to_its_end(world: World, members: Members) -> None:
    one = await reporter_of(world, members)
    await one.begin("build", "test")
    assert at(members, one.project) == {":run-1": ("run:1", {"run": 1, "title": "make test"})}
    await one.report({"stage": "build"}, {"progress": 10}, {"output": "x"})
    assert members.log == [("+", ":run-1")]
    await one.report({"end": {"exit": 0}})
    assert at(members, one.project) == {}


async def test_two_of_one_project_are_two(world: World, members: Members) -> None:
    one = await reporter_of(world, members)
    two = Reporter(one.service, one.project, key="other")
    await one.begin()
    await two.begin()
    assert set(at(members, one.project)) == {":run-1", ":run-2"}
    await one.report({"end": {"exit": 1}})
    assert set(at(members, one.project)) == {":run-2"}


async def test_one_that_is_being_cancelled_is_there_until_it_has_ended(world: World, members: Members) -> None:
    one = await reporter_of(world, members)
    await one.begin()
    await one.service.runs.commands.cancel(one.project, 1, "ada", one.spending)
    assert set(at(members, one.project)) == {":run-1"}
    await one.report({"end": {"signal": "SIGTERM"}})
    assert at(members, one.project) == {}


async def test_who_is_silent_is_not_there_until_he_is_heard_of(world: World, members: Members) -> None:
    clock = Still()
    one = await reporter_of(world, members, clock=clock)
    await one.begin()
    clock.advance(60.001)
    await one.service.runs.silence.look()
    assert at(members, one.project) == {}
    await one.report({"alive": True})
    assert set(at(members, one.project)) == {":run-1"}
    clock.advance(60.001)
    await one.service.runs.silence.look()
    await one.service.runs.commands.cancel(one.project, 1, "ada", one.spending)
    assert members.log == [("+", ":run-1"), ("-", ":run-1")] * 2


async def test_a_deleted_project_has_nobody(world: World, members: Members) -> None:
    one = await reporter_of(world, members)
    other = Reporter(one.service, (await one.service.create("Q", None)).id)
    await one.begin()
    await other.begin()
    await one.service.delete(one.project)
    assert (len(at(members, one.project)), len(at(members, other.project))) == (0, 1)


async def test_commands_are_there_again_after_a_restart(world: World, members: Members) -> None:
    clock = Still()
    one = await reporter_of(world, members, clock=clock)
    silent, ended = [Reporter(one.service, one.project, key=key) for key in ("silent", "ended")]
    await silent.begin()
    clock.advance(60.001)
    await one.service.runs.silence.look()
    await one.begin()
    await ended.begin()
    await ended.report({"end": {"exit": 0}})
    await one.service.close()
    later = Members()
    await world.service([Plain()], presence=later, clock=clock)
    assert at(later, one.project) == {":run-2": ("run:2", {"run": 2, "title": "make test"})}


async def test_many_are_taken_up_page_by_page(world: World, members: Members, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.apps.projects.attendance.PAGE", 2)
    one = await reporter_of(world, members)
    for number in range(5):
        await Reporter(one.service, one.project, key=f"k{number}").begin()
    later = Members()
    await world.service([Plain()], presence=later)
    assert set(at(later, one.project)) == {f":run-{number}" for number in range(1, 6)}
    assert PAGE > 2


async def test_one_that_hangs_up_in_the_middle_is_there_all_the_same(world: World, members: Members) -> None:
    """The end is stored, though nobody waits for it any more."""
    committing, go_on = asyncio.Event(), asyncio.Event()

    class Slow(AttendedBus):
        async def publish(self, drafts: Sequence[Draft], *rest: Any) -> Receipt:
            committing.set()
            await go_on.wait()
            return await super().publish(drafts, *rest)

    one = await reporter_of(world, members)
    await one.begin()
    inner = Slow(world.bus, Attendance(Members()))
    one.service.runs.commands._bus = AttendedBus(inner, one.service._attendance)
    reporting = asyncio.create_task(one.report({"end": {"exit": 0}}))
    await committing.wait()
    reporting.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await reporting
    assert at(members, one.project) == {}


async def test_what_is_refused_changes_nobody(world: World, members: Members) -> None:
    one = await reporter_of(world, members)
    await one.begin()
    await one.report({"end": {"exit": 0}})
    with pytest.raises(ConflictError):
        await one.report({"progress": 3})
    assert members.log == [("+", ":run-1"), ("-", ":run-1")]


async def test_where_there_is_no_room_it_comes_with_what_is_told_next(world: World, members: Members) -> None:
    members.room = 0
    one = await reporter_of(world, members, clock=HeldClock())
    await one.begin()
    assert at(members, one.project) == {}
    members.room = 1
    await one.report({"stage": "build"})
    assert set(at(members, one.project)) == {":run-1"}


async def test_no_mistake_here_makes_a_commit_look_like_a_failure(world: World) -> None:
    class Odd(Members):
        def enter(self, *rest: Any, **more: Any) -> bool:
            raise RuntimeError("a mistake")

    one = await reporter_of(world, Odd())
    assert (await one.begin()).is_new


async def test_who_publishes_something_else_is_not_looked_at(bus_of_nobody: AttendedBus, world: World) -> None:
    run = queued_run("x", 1, 0, Wish().author)
    queued = Change("x").tell(RunUpdate.of(run))
    await bus_of_nobody.publish([Draft.of("projects/x", "note", {})])
    await bus_of_nobody.publish(queued.drafts)
    assert (bus_of_nobody.head, bus_of_nobody.abilities) == (world.bus.head, world.bus.abilities)


@pytest.fixture
def bus_of_nobody(world: World) -> AttendedBus:
    return AttendedBus(world.bus, Attendance(Members(room=0)))


@pytest.mark.parametrize(
    ("command", "title"),
    [
        ("make test", "make test"),
        ("for i in 1 2\ndo\n  echo $i\ndone", "for i in 1 2 do echo $i done"),
        ("a\x1b[31mb", "a [31mb"),
        ("x" * 4_000, "x" * (TITLE_MAX - 1) + "…"),
        ("\u2028", ""),
    ],
)
def test_a_title_is_one_line(command: str, title: str) -> None:
    assert title_of(command) == title


def test_the_longest_title_is_within_the_data_of_a_member() -> None:
    assert len(title_of("\U0001f600" * 4_000).encode()) <= 500
