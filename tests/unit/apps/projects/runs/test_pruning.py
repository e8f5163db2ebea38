"""What goes of runs: beyond those that a project keeps, beyond the bytes of all, and with their project."""

from typing import Any

import pytest

from service.apps.projects.runs import pruning
from service.apps.projects.runs.service import Bounds
from service.apps.projects.service import ProjectService
from service.core.errors import GoneError, NotFoundError
from tests.support.projects import BRIEF, Plain, World
from tests.support.reporter import Reporter, log_of


async def run(service: ProjectService, project: str, key: str, output: str, *, ends: bool = True) -> Reporter:
    one = Reporter(service, project, key)
    await one.begin("s")
    await one.report({"stage": "s"}, {"output": output})
    if ends:
        await one.report({"end": {"exit": 0}})
    return one


async def rows(service: ProjectService, sql: str) -> list[tuple[Any, ...]]:
    async with service._store.view() as view:
        return list(await view.rows(sql))


async def numbers(service: ProjectService, project: str) -> list[int]:
    return [run.number for run in (await service.runs.reading.page(project, 100, None)).runs]


@pytest.fixture
async def service(world: World) -> ProjectService:
    return await world.service([Plain()], bounds=Bounds(kept=2, logs=1_000))


async def test_a_project_keeps_its_latest_finished_runs_and_none_that_goes_on(
    service: ProjectService, world: World
) -> None:
    id = (await service.create("P", None)).id
    await run(service, id, "open", "x", ends=False)
    for number in range(4):
        await run(service, id, str(number), f"{number}\n")
    await service.runs.pruning.prune()
    assert await numbers(service, id) == [5, 4, 1]
    assert await rows(service, "SELECT count(*) FROM run_log") == [(3,)]
    assert await rows(service, "SELECT count(*) FROM stages") == [(3,)]
    assert await rows(service, "SELECT count(*) FROM run_leftovers") == [(0,)]
    state = [told.topic for told in world.told if told.type == "removed"]
    assert state == [f"projects/{id}"] * 2
    again = await run(service, id, "new", "y")
    assert again.number == 6


async def test_a_generation_that_is_the_projects_status_is_not_pushed_out_by_commands(
    service: ProjectService, world: World
) -> None:
    id = (await service.create("P", BRIEF)).id
    for _ in range(2):
        await world.completion((await service.generate(id)).id)
    for number in range(3):
        await run(service, id, str(number), "x")
    await service.runs.pruning.prune()
    assert await numbers(service, id) == [5, 4, 2]
    assert (await service.snapshot(id)).status == "completed"


async def test_the_run_that_finished_first_loses_its_log_and_stays_in_the_list(
    service: ProjectService, world: World
) -> None:
    first, second = [(await service.create(name, None)).id for name in "PQ"]
    one = await run(service, first, "1", "a" * 600)
    two = await run(service, second, "2", "b" * 400)
    await service.runs.pruning.prune()
    assert (await one.log(), await two.log()) == (b"a" * 600, b"b" * 400)
    three = await run(service, first, "3", "c")
    await service.runs.pruning.prune()
    assert (await two.log(), await three.log()) == (b"b" * 400, b"c")
    shown = await service.runs.reading.detail(first, 1)
    assert (shown.status, shown.bytes, shown.lines, shown.cut) == ("completed", 0, 0, 600)
    assert await one.log() == b"[... the log of this run is not kept any more ...]\n"
    assert world.of("run_update", first)[-1]["cut"] == 600
    with pytest.raises(GoneError):
        await one.report({"output": "late"})


async def test_what_is_left_is_removed_in_small_steps(
    service: ProjectService, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "STEP_ROWS", 2)
    id = (await service.create("P", BRIEF)).id
    one = Reporter(service, id)
    await one.begin()
    for _ in range(7):
        await one.report({"output": "x"})
    await world.completion((await service.generate(id)).id)
    assert await rows(service, "SELECT count(*) FROM contents") == [(1,)]
    await service.delete(id)
    await service.runs.pruning.prune()
    for table in ("runs", "stages", "run_log", "run_files", "contents", "files", "run_leftovers"):
        assert await rows(service, f"SELECT count(*) FROM {table}") == [(0,)], table
    assert await rows(service, "SELECT bytes FROM run_total") == [(0,)]
    with pytest.raises(NotFoundError):
        await log_of(service, id, 1)


async def test_after_a_restart_it_goes_on(service: ProjectService, world: World) -> None:
    id = (await service.create("P", None)).id
    for number in range(4):
        await run(service, id, str(number), f"{number}\n")
    later = await world.service([Plain()], bounds=Bounds(kept=1))
    await world.until(lambda told: told.type == "removed")
    await later.runs.pruning.prune()
    await later.close()
    assert (await numbers(service, id))[0] == 4
