"""Projects: names, lists, snapshots that agree with their cursor, and what deleting takes along."""

import asyncio
import gc
from typing import Any

import pytest

from service.apps.projects.limits import NAME_MAX
from service.apps.projects.store import View
from service.core.errors import InvalidError, NotFoundError, OverloadedError
from service.core.topics import TopicFilter
from service.log.base import Search
from tests.support.projects import BRIEF, DEADLINE, Gate, LimitedBus, Plain, World


async def test_creating_a_project_is_announced_with_it(world: World) -> None:
    service = await world.service([Plain()])
    project = await service.create("  My project ", f" {BRIEF}\n")
    assert (project.name, project.brief, project.status, project.run) == ("My project", BRIEF, "idle", None)
    assert world.of("project_created") == [{"id": project.id, "name": "My project"}]
    assert world.of("status_update", project.id) == [
        {"status": "idle", "progress": 0, "run": None, "message": "Project created"}
    ]
    assert service.exists(project.id)
    assert not service.exists("nobody")


async def test_projects_have_a_bound_however_many_come_at_once(world: World) -> None:
    service = await world.service([Plain()], max_projects=3)
    made = await asyncio.gather(*(service.create("P", BRIEF) for _ in range(5)), return_exceptions=True)
    refused = [one for one in made if isinstance(one, OverloadedError)]
    assert [(one.status, bool(one.retry_after)) for one in refused] == [(503, True)] * 2
    assert len(world.of("project_created")) == 3
    await service.delete(next(one.id for one in made if not isinstance(one, BaseException)))
    await service.create("P", BRIEF)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\x00", "\ud800", "a\u2028b", "x" * (NAME_MAX + 1)])
async def test_names_that_are_refused(world: World, name: str) -> None:
    service = await world.service([Plain()])
    with pytest.raises(InvalidError) as caught:
        await service.create(name, BRIEF)
    assert caught.value.field == "name"
    assert world.told == []


@pytest.mark.parametrize("name", ["x" * NAME_MAX, "日本 👩‍💻", "<script>", '"; DROP TABLE projects; --'])
async def test_names_that_are_kept_as_they_are(world: World, name: str) -> None:
    service = await world.service([Plain()])
    assert (await service.snapshot((await service.create(name, BRIEF)).id)).name == name


async def test_a_snapshot_and_the_events_after_its_cursor_make_the_whole(world: World) -> None:
    """Taken at any instant of a run: files and progress of the snapshot, and then those of the later events."""
    service = await world.service([Plain(name) for name in "abcdef"])
    id = (await service.create("P", BRIEF)).id
    run = await service.generate(id)
    looks = [await service.snapshot(id)]
    while looks[-1].run is None or looks[-1].run.unfinished:
        looks.append(await service.snapshot(id))
    await world.completion(run.id)
    assert len({look.progress for look in looks}) > 2
    for look in looks:
        position = int(look.cursor.rpartition("-")[2])
        own = [one for one in world.told if one.topic == f"projects/{id}"]
        before = [one for one in own if one.offset <= position]
        created = [one for one in before if one.type == "file_update" and one.data["action"] == "created"]
        progress = [one.data["progress"] for one in before if one.type == "status_update"]
        completed = [one for one in before if one.type == "agent_update" and one.data["status"] == "completed"]
        assert look.files == len(created)
        assert look.progress == progress[-1]
        assert sum(stage.status == "completed" for stage in look.stages) == len(completed)


async def test_a_snapshot_is_answered_when_the_head_has_reached_it(world: World) -> None:
    class LateHead(LimitedBus):
        """Its head moves when the test says so."""

        def __init__(self) -> None:
            super().__init__(world.bus, 10**6)
            self.asked: asyncio.Queue[int] = asyncio.Queue()
            self.moved = asyncio.Event()

        async def reach(self, offset: int) -> None:
            self.asked.put_nowait(offset)
            await self.moved.wait()

    bus = LateHead()
    service = await world.service([Plain()], bus=bus)
    id = (await service.create("P", BRIEF)).id
    look = asyncio.create_task(service.snapshot(id))
    assert await asyncio.wait_for(bus.asked.get(), DEADLINE) == world.bus.head
    assert not look.done()
    bus.moved.set()
    assert (await look).cursor == world.bus.cursor(world.bus.head)


async def test_a_look_that_was_cancelled_does_not_spoil_the_next(world: World) -> None:
    service = await world.service([Plain()])
    id = (await service.create("P", BRIEF)).id
    for _ in range(20):
        look = asyncio.create_task(service.snapshot(id))
        await asyncio.sleep(0)
        look.cancel()
        await asyncio.gather(look, return_exceptions=True)
        assert (await service.snapshot(id)).id == id


async def test_the_stages_of_a_project_that_never_ran(world: World) -> None:
    service = await world.service([Plain("a"), Plain("b")])
    snapshot = await service.snapshot((await service.create("P", BRIEF)).id)
    assert [(stage.number, stage.agent, stage.status) for stage in snapshot.stages] == [
        (1, "a", "pending"),
        (2, "b", "pending"),
    ]


async def test_lists_are_newest_first_and_paged(world: World) -> None:
    service = await world.service([Plain()])
    ids = [(await service.create(f"P{number}", BRIEF)).id for number in range(5)]
    first = await service.listing(2)
    assert ([one.id for one in first.projects], first.more) == ([ids[4], ids[3]], True)
    rest = await service.listing(3, before=ids[3])
    assert ([one.id for one in rest.projects], rest.more) == ([ids[2], ids[1], ids[0]], False)
    assert first.cursor == world.bus.cursor(world.bus.head)


async def test_a_list_of_long_briefs_is_shorter(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.apps.projects.service.LISTED_CHARACTERS", 2 * len(BRIEF) + 10)
    service = await world.service([Plain()])
    ids = [(await service.create(f"P{number}", BRIEF)).id for number in range(5)]
    first = await service.listing(4)
    assert ([one.id for one in first.projects], first.more) == ([ids[4], ids[3]], True)
    monkeypatch.setattr("service.apps.projects.service.LISTED_CHARACTERS", 1)
    one = await service.listing(4, before=ids[3])
    assert ([one.id for one in one.projects], one.more) == ([ids[2]], True)


async def test_a_list_of_few_among_many_is_a_few_looks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """All others wait for a view meanwhile: who asks for one at a time, and may read few, has read two rows in each."""
    monkeypatch.setattr("service.apps.projects.service.LOOKED_AT", 8)
    service = await world.service([Plain()])
    ids = [(await service.create(f"P{number}", BRIEF)).id for number in range(20)]
    asked, rows = 0, View.rows

    async def count(view: View, sql: str, **values: Any) -> Any:
        nonlocal asked
        asked += 1
        return await rows(view, sql, **values)

    monkeypatch.setattr(View, "rows", count)
    for shown, limit, expected, more in (
        (ids[:2], 1, [ids[1]], True),
        (ids[:2], 2, [ids[1], ids[0]], False),
        ([ids[18], ids[3]], 5, [ids[18], ids[3]], False),
        ([], 1, [], False),
    ):
        asked = 0
        found = await service.listing(limit, None, shown.__contains__)
        assert ([project.id for project in found.projects], found.more) == (expected, more)
        assert asked <= 5
    shown = [*ids[:2], ids[3]]
    assert [one.id for one in (await service.listing(1, ids[3], shown.__contains__)).projects] == [ids[1]]


async def test_behind_what_is_not_shown_comes_what_comes_behind_nothing(world: World) -> None:
    service = await world.service([Plain()])
    ids = [(await service.create(f"P{number}", BRIEF)).id for number in range(3)]
    for before in (ids[1], "nothing"):
        found = await service.listing(5, before, [ids[0], ids[2]].__contains__)
        assert (found.projects, found.more) == ((), False)


async def test_an_operation_whose_caller_has_left_fails_quietly(world: World) -> None:
    service, heard = await world.service([Gate()]), list[dict[str, object]]()
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: heard.append(context))
    project = await service.create("P", BRIEF)
    await service.generate(project.id)
    asking = asyncio.create_task(service.generate(project.id))  # it has a run
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    while service._operations:
        await asyncio.sleep(0)
    del asking
    gc.collect()
    assert heard == []


async def test_deleting_takes_the_run_the_files_and_the_events_along(world: World) -> None:
    gate = Gate()
    service = await world.service([gate])
    id, other = [(await service.create(name, BRIEF)).id for name in ("P", "Q")]
    run = await service.generate(id)
    await gate.reached.wait()
    (work,) = (task for task in asyncio.all_tasks() if task.get_name() == f"run {run.id}")
    await service.delete(id)
    assert gate.left
    assert work.done()
    assert world.of("project_deleted") == [{"id": id, "name": "P"}]
    for call in (service.snapshot, service.files, service.archive, service.delete):
        with pytest.raises(NotFoundError):
            await call(id)
    kept = await world.bus.reading.search(Search(TopicFilter(("projects/*",))))
    assert {event.topic for event in kept.events} == {f"projects/{other}"}
    assert not service.exists(id)


async def test_files_and_archive(world: World) -> None:
    service = await world.service([Plain("a")])
    id = (await service.create("P", BRIEF)).id
    with pytest.raises(NotFoundError):
        await service.archive(id)
    await world.completion((await service.generate(id)).id)
    assert [(file.path, file.size) for file in await service.files(id)] == [("a.txt", 5)]
    assert await service.file(id, "a.txt") == "by a\n"
    for path in ("b.txt", "../a.txt", "A.TXT"):
        with pytest.raises(NotFoundError):
            await service.file(id, path)
    name, content = await service.archive(id)
    assert name == "P"
    assert content.startswith(b"PK")
