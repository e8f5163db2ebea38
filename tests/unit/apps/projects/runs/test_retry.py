"""Files by run, and a run that begins at a stage of an earlier one."""

from typing import ClassVar

import pytest

from service.apps.projects.agents.base import Agent, AgentError, Workspace
from service.apps.projects.runs.made import WISH
from service.apps.projects.runs.models import RunFile
from service.apps.projects.runs.retry import Start
from service.apps.projects.service import ProjectService
from service.core.errors import ConflictError, GoneError, InvalidError, NotFoundError
from service.log.base import Statement
from tests.support.projects import BRIEF, World
from tests.support.reporter import Reporter, log_of


class Writer(Agent):
    """Writes what a test says, and fails if that has None."""

    name: ClassVar[str] = "writer"
    writes = ("*",)

    def __init__(self, name: str, **texts: str | None) -> None:
        self.name = name  # type: ignore[misc]
        self.texts = texts
        self.worked = 0

    async def run(self, work: Workspace) -> None:
        self.worked += 1
        for path, text in self.texts.items():
            if text is None:
                raise AgentError("nothing to write")
            await work.write(path, text)


def actions(files: list[RunFile]) -> dict[str, str]:
    return {file.path: file.action for file in files}


@pytest.fixture
def agents() -> list[Writer]:
    return [Writer("a", one="1", same="s", old="o"), Writer("b", two="2", one="later"), Writer("c", three=None)]


@pytest.fixture
async def service(world: World, agents: list[Writer]) -> ProjectService:
    return await world.service(agents)


async def generated(service: ProjectService, world: World, id: str, start: Start | None = None) -> int:
    run = await service.generate(id, WISH, start)
    await world.completion(run.id)
    return run.number


async def test_each_run_has_its_files_and_what_changed(
    service: ProjectService, world: World, agents: list[Writer]
) -> None:
    id = (await service.create("P", BRIEF)).id
    agents[2].texts = {"three": "3"}
    await generated(service, world, id)
    agents[0].texts = {"one": "1", "same": "s"}
    agents[1].texts = {"two": "zwei"}
    await generated(service, world, id)
    files = service.runs.files
    assert actions(await files.files(id, 1)) == dict.fromkeys(["old", "one", "same", "three", "two"], "created")
    assert actions(await files.files(id, 2)) == {
        **{"old": "removed", "one": "updated", "same": "same", "three": "same", "two": "updated"},
    }
    assert [(await files.file(id, number, "two")) for number in (1, 2)] == ["2", "zwei"]
    assert await files.file(id, 1, "one") == "later"
    with pytest.raises(NotFoundError):
        await files.file(id, 2, "old")
    runs = (await service.runs.reading.page(id, 10, None)).runs
    assert [run.changed for run in runs] == [2, 5]
    async with service._store.view() as view:
        assert await view.rows("SELECT count(*) FROM contents WHERE text = 's'") == [(1,)]


async def test_a_retry_begins_where_it_failed_with_what_was_written_before(
    service: ProjectService, world: World, agents: list[Writer]
) -> None:
    id = (await service.create("P", BRIEF)).id
    await generated(service, world, id)
    agents[2].texts = {"three": "3"}
    number = await generated(service, world, id, Start(1, 3))
    assert [agent.worked for agent in agents] == [1, 1, 2]
    detail = await service.runs.reading.detail(id, number)
    assert detail.status == "completed"
    assert [stage.status for stage in detail.stages] == ["completed"] * 3
    assert [stage.message for stage in detail.stages[:2]] == ["Taken over from run 1"] * 2
    assert sorted(file.path for file in await service.files(id)) == ["old", "one", "same", "three", "two"]
    log = (await log_of(service, id, number)).decode()
    assert log.startswith("Begins with stage 3, c: what is before it is taken over from run 1\n")


async def test_it_takes_the_version_that_there_was_at_that_stage(
    service: ProjectService, world: World, agents: list[Writer]
) -> None:
    id = (await service.create("P", BRIEF)).id
    await generated(service, world, id)
    agents[1].texts, agents[2].texts = {"two": "II"}, {"three": "3"}
    number = await generated(service, world, id, Start(1, 2))
    assert (await service.file(id, "one"), await service.file(id, "two")) == ("1", "II")
    assert actions(await service.runs.files.files(id, number)) == {
        **{"old": "same", "one": "updated", "same": "same", "three": "created", "two": "updated"},
    }
    told = [one.data for one in world.told if one.type == "file_update" and one.data["path"] == "one"]
    assert [(one["action"], one["preview"]) for one in told][-1] == ("updated", "1")


async def test_what_can_not_be_taken_over_is_refused(
    service: ProjectService, world: World, agents: list[Writer]
) -> None:
    id = (await service.create("P", BRIEF)).id
    agents[1].texts = {"two": None}
    await generated(service, world, id)
    with pytest.raises(ConflictError, match="has not completed its stage 'b'"):
        await service.generate(id, WISH, Start(1, 3))
    with pytest.raises(InvalidError) as caught:
        await service.generate(id, WISH, Start(1, 4))
    assert caught.value.field == "stage"
    with pytest.raises(NotFoundError):
        await service.generate(id, WISH, Start(9, 1))
    one = Reporter(service, id)
    await one.begin()
    with pytest.raises(ConflictError, match="is a command"):
        await service.generate(id, WISH, Start(one.number, 1))
    other = await world.service([Writer("x"), *agents[1:]])
    with pytest.raises(ConflictError, match="other ones now"):
        await other.generate(id, WISH, Start(1, 2))
    await world.bus.publish([], [Statement("UPDATE runs SET kept = 0")])
    with pytest.raises(GoneError):
        await service.generate(id, WISH, Start(1, 1))


async def test_files_older_than_their_digests_are_updated_by_what_changes_them(
    service: ProjectService, world: World, agents: list[Writer]
) -> None:
    """After an upgrade (0008_runs.sql): of the same files in two projects, and of one that another text replaces."""
    agents[2].texts["three"] = "3"
    del agents[1].texts["one"]
    ids = [(await service.create(name, BRIEF)).id for name in "PQ"]
    for id in ids:
        await generated(service, world, id)
    old = (
        "CREATE TABLE was AS SELECT f.rowid AS content, f.project, f.path, c.text, c.size FROM"
        " (SELECT row_number() OVER () + 1000 AS rowid, * FROM files) f JOIN contents c ON c.id = f.content",
        "DELETE FROM run_files",  # what they were is not known
        "INSERT INTO contents (id, digest, text, size) SELECT content, 'file ' || content, text, size FROM was",
        "UPDATE files SET content = (SELECT content FROM was WHERE project = files.project AND path = files.path)",
        "DROP TABLE was",
    )
    await world.bus.publish([], [Statement(sql, {}) for sql in old])
    agents[0].texts["old"] = "new"
    for id in ids:
        number = await generated(service, world, id)
        shown = actions(await service.runs.files.files(id, number))
        assert shown == {"one": "same", "same": "same", "two": "same", "three": "same", "old": "updated"}
        assert (await service.runs.reading.detail(id, number)).changed == 1
    async with service.store.view() as view:
        ((size,),) = await view.rows("SELECT coalesce(sum(size), 0) FROM contents")
        assert await view.rows("SELECT bytes - (SELECT sum(length(data)) FROM run_log) FROM run_total") == [(size,)]
        assert await view.rows("SELECT count(*) FROM contents WHERE digest LIKE 'file %'") == [(0,)]
