"""What a project's events are about, and that its state is a picture of it, whatever happens to its runs."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from service.apps.projects.agents.base import Agent, AgentError, Workspace
from service.apps.projects.models import AgentUpdate, Completion, FileUpdate, LogLine, StatusUpdate
from service.apps.projects.picture import subject_of, subject_of_file, subject_of_output
from service.apps.projects.service import ProjectService
from service.core.event import APPEND, check_subject
from service.core.limits import ABOUT_MAX
from service.core.topics import TopicFilter
from service.log.base import StateSearch
from tests.support.projects import BRIEF, World


def test_each_kind_of_event_is_about_something_or_just_happens() -> None:
    update = AgentUpdate(agent="data model", stage=3, stages=12, status="started")
    assert subject_of(StatusUpdate(status="idle", progress=0)) == "status"
    assert subject_of(update) == "agents/data model"
    assert subject_of(FileUpdate(path="a/b.py", size=1, action="created")) == "files/a/b.py"
    assert subject_of(LogLine(message="x")) is None
    assert subject_of(Completion(status="failed")) is None
    assert subject_of_output(3) == "output/3"


def test_a_path_that_is_too_long_is_told_from_others() -> None:
    fits = "x" * (ABOUT_MAX - len("files/"))
    assert subject_of_file(fits) == f"files/{fits}"
    long = {subject_of_file("x" * 190 + end) for end in ("a", "b")}
    assert len(long) == 2
    assert all(len(check_subject(one)) == ABOUT_MAX for one in long)


class Writer(Agent):
    """Writes what it is told to, and streams."""

    writes = ("*",)
    streams = True

    def __init__(self, name: str, *paths: str, says: str = "", fails: bool = False) -> None:
        self.name = name  # type: ignore[misc]
        self.paths, self.says, self.fails = list(paths), says, fails

    async def run(self, work: Workspace) -> None:
        for word in self.says.split():
            await work.output(f"{word} ")
        for path in self.paths:
            await work.write(path, path)
        if self.fails:
            raise AgentError("it was told to fail")


async def picture(world: World, project: str) -> dict[str, Any]:
    """The state of the project's topic, folded."""
    page = await world.log.state(StateSearch(TopicFilter((f"projects/{project}",)), world.log.head, limit=10_000))
    found: dict[str, Any] = {}
    for event in page.events:
        data = json.loads(event.data)
        subject = event.subject or ""
        found[subject] = found[subject] + data if (event.mark or 0) & APPEND else data
    return found


async def agrees(world: World, service: ProjectService, project: str) -> dict[str, Any]:
    """The picture, which must say the same as the snapshot, the runs and the files."""
    found, snapshot = await picture(world, project), await service.snapshot(project)
    assert (found["status"]["status"], found["status"]["progress"]) == (snapshot.status, snapshot.progress)
    stages = {f"agents/{one.agent}": one.status for one in snapshot.stages if one.status != "pending"}
    assert {name: value["status"] for name, value in found.items() if name.startswith("agents/")} == stages
    files = {f"files/{one.path}": one.size for one in await service.files(project)}
    assert {name: value["size"] for name, value in found.items() if name.startswith("files/")} == files
    runs = {f"runs/{run.number}": run for run in (await service.runs.reading.page(project, 100, None)).runs}
    told = {name: value for name, value in found.items() if name.startswith("runs/")}
    # A generation tells how much its log has when a stage ends: the last line comes with that.
    assert told == {
        name: {**run.model_dump(exclude={"lines"}), "bytes": told[name]["bytes"]} for name, run in runs.items()
    }
    return found


@asynccontextmanager
async def begun(folder: Path, agents: Sequence[Agent]) -> AsyncIterator[tuple[World, ProjectService, str]]:
    """A project that these agents work on."""
    async with World.open(folder / "t.db") as world:
        service = await world.service(agents)
        yield world, service, (await service.create("x", BRIEF)).id


@pytest.fixture
def writers() -> list[Writer]:
    return [Writer("first", "a.txt", "b.txt", says="Once upon"), Writer("second", "c.txt")]


async def test_the_state_is_a_picture_of_the_project_from_its_creation_to_its_end(
    tmp_path: Path, writers: list[Writer]
) -> None:
    async with begun(tmp_path, writers) as (world, service, project):
        assert set(await agrees(world, service, project)) == {"status"}

        await world.completion((await service.generate(project)).id)
        found = await agrees(world, service, project)
        assert found["output/1"] == "Once upon "
        assert "output/2" not in found

        writers[0].paths.remove("b.txt")
        writers[0].says, writers[1].fails = "Twice", True
        await world.completion((await service.generate(project)).id)
        found = await agrees(world, service, project)
        assert found["agents/second"]["status"] == "failed"
        assert found["output/1"] == "Twice "
        assert "files/b.txt" in found, "a run that failed leaves what an earlier one wrote"

        writers[0].says, writers[1].fails = "", False
        await world.completion((await service.generate(project)).id)
        found = await agrees(world, service, project)
        assert "files/b.txt" not in found
        assert "output/1" not in found, "this run has put out nothing"

        await service.delete(project)
        assert await picture(world, project) == {}


async def test_while_another_run_is_queued_nothing_of_the_one_before_is_there(
    tmp_path: Path, writers: list[Writer]
) -> None:
    async with begun(tmp_path, writers) as (world, service, project):
        await world.completion((await service.generate(project)).id)
        seen = len(world.told)
        run = await service.generate(project)
        kinds = [told.type for told in world.told[seen:]]
        assert kinds[:5] == ["removed"] * 4 + ["status_update"], "two agents, and what they may have put out"
        await world.completion(run.id)


async def test_an_agent_that_does_not_say_so_puts_out_nothing(tmp_path: Path, writers: list[Writer]) -> None:
    writers[0].streams = False  # type: ignore[misc]
    async with begun(tmp_path, writers) as (world, service, project):
        told = await world.completion((await service.generate(project)).id)
        assert "does not declare that it streams" in told.data["message"]


async def test_long_output_comes_in_several_events(tmp_path: Path, writers: list[Writer]) -> None:
    writers[0].says = "x" * 20_000
    async with begun(tmp_path, writers) as (world, service, project):
        await world.completion((await service.generate(project)).id)
        assert (await picture(world, project))["output/1"] == "x" * 20_000 + " "
        assert [told.type for told in world.told].count("output") == 3
