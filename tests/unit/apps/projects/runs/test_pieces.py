"""The log of a generation: what its agents log and put out, as it is stored, numbered and answered."""

from typing import ClassVar

import pytest

from service.apps.projects import changes
from service.apps.projects.agents.base import Agent, Workspace
from service.apps.projects.runs import pieces
from service.apps.projects.service import ProjectService
from tests.support.projects import BRIEF, Failing, Plain, World
from tests.support.reporter import log_of


class Talking(Agent):
    """Logs and puts out, in turns, some of it in the middle of a line."""

    name: ClassVar[str] = "talking"
    streams = True

    async def run(self, work: Workspace) -> None:
        for text in ("1\n2", "3\n", "4"):
            await work.output(text)
        await work.log("two\nlines", level="warning")
        await work.output("5")


async def generated(world: World, *agents: Agent) -> tuple[ProjectService, str]:
    service = await world.service(agents)
    id = (await service.create("P", BRIEF)).id
    await world.completion((await service.generate(id)).id)
    return service, id


async def test_it_is_kept_and_each_line_is_told_with_its_run_and_stage(world: World) -> None:
    service, id = await generated(world, Talking(), Plain("b"))
    log = (await log_of(service, id, 1)).decode()
    assert log == (
        "talking: 1\ntalking: 23\ntalking: 4\ntalking: two\nlines\ntalking: 5\nb: b at work\nGenerated 1 files\n"
    )
    assert await log_of(service, id, 1, "b") == b"b: b at work\n"
    detail = await service.runs.reading.detail(id, 1)
    assert (detail.lines, detail.changed, detail.stage) == (7, 1, "b")
    assert [stage.first_line for stage in detail.stages] == [1, 6]
    assert [(one["run"], one["stage"], one["agent"]) for one in world.of("log", id)] == [
        (1, 1, "talking"),
        (1, 2, "b"),
        (1, None, None),
    ]
    update = world.of("run_update", id)[-1]
    assert (update["status"], update["changed"]) == ("completed", 1)


async def test_a_full_log_counts_what_is_missing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ADD_LINE", "ADD_OUTPUT"):
        small = [sql.replace(str(8 << 20), "12") for sql in getattr(pieces, name)]
        monkeypatch.setattr(changes, name, small)
    service, id = await generated(world, Plain("a"), Plain("b"))
    run = await service.runs.reading.detail(id, 1)
    assert (run.bytes, run.cut) == (9, len("b at work") + len("Generated 2 files"))
    assert await log_of(service, id, 1) == b"a: a at work\n[... 26 bytes are not here ...]\n"


async def test_why_it_failed_stands_in_the_agents_own_row(world: World) -> None:
    service, id = await generated(world, Plain("a"), Failing(OSError(2, "No such file", "/srv/app/secret/x.py")))
    detail = await service.runs.reading.detail(id, 1)
    assert (
        detail.message
        == "The failing agent failed unexpectedly (FileNotFoundError): the log of this run has the details"
    )
    assert detail.stages[1].message.endswith(detail.message)
    log = (await log_of(service, id, 1)).decode()
    assert "failing: Details: FileNotFoundError: [Errno 2] No such file: '…/x.py'\n" in log
    assert "/srv" not in "".join(str(told) for told in world.told)


async def test_an_agent_that_lacks_something_says_so_too(world: World) -> None:
    class Needy(Plain):
        needs = ("a.txt",)

    class Idle(Plain):
        writes = ("a.txt",)

        async def run(self, work: Workspace) -> None:
            pass

    service, id = await generated(world, Idle("idle"), Needy("needy"))
    stages = (await service.runs.reading.detail(id, 1)).stages
    assert stages[1].status == "failed"
    assert stages[1].message.endswith("the agent 'needy' needs 'a.txt', which was not written")
