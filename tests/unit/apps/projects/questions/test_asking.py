"""How an agent asks, and what it is told: also after a restart, and when its run ends before."""

import asyncio
from functools import partial
from typing import Any

import pytest

from service.apps.projects.agents.base import AgentError, Workspace
from service.apps.projects.questions.asking import answer_to, question_of
from service.apps.projects.questions.models import Asked, Question
from service.apps.projects.questions.service import Questions
from service.apps.projects.questions.store import QuestionStore
from service.clock import SystemClock
from service.core.errors import ConflictError
from service.log.sqlite.tables import open_tables
from tests.support.documents import blocks
from tests.support.projects import BRIEF, DEADLINE, Plain, Told, World
from tests.support.questions import asked, closed_question


class Asking(Plain):
    """Asks which colour, and writes it."""

    def __init__(self, timeout: float = 3_600.0, default: str | None = None) -> None:
        super().__init__("asking")
        self.timeout = timeout
        self.default = default

    async def run(self, work: Workspace) -> None:
        self.worked += 1
        colour = await work.ask("Which colour?", ["red", "blue"], timeout=self.timeout, default=self.default)
        await work.write("colour.txt", colour)


def test_another_question_in_the_same_place_has_another_key() -> None:
    """An agent that is not sure to ask the same must not be told what was answered to something else."""
    keys = {
        question_of("a", "r/1/1", 1, text, choices, 60, None).key
        for text, choices in (("Deploy?", ["yes"]), ("Delete?", ["yes"]), ("Deploy?", None))
    }
    assert len(keys) == 3
    assert question_of("a", "r/1/1", 1, "Deploy?", ["yes"], 90, "yes").key in keys


def test_what_is_no_question_is_the_agents_mistake() -> None:
    with pytest.raises(AgentError, match="can't be asked: a question has 1-10 choices"):
        question_of("a", "r/1/1", 1, "Deploy?", [], 60, None)


async def test_without_an_answer_it_says_why() -> None:
    async def nobody(one: Asked) -> Question:
        return closed_question(one, None, how="unanswered", by=None)

    async def too_many(one: Asked) -> Question:
        raise ConflictError("20 are open")

    with pytest.raises(AgentError, match="no answer to 'Deploy\\?': nobody answered in time"):
        await answer_to(asked(), nobody)
    with pytest.raises(AgentError, match="can't be asked: 20 are open"):
        await answer_to(asked(), too_many)


async def test_a_run_goes_on_with_the_answer(world: World) -> None:
    service = await world.service([Plain(), Asking()])
    project = (await service.create("P", BRIEF)).id
    run = await service.generate(project)
    question = (await world.until(lambda told: told.type == "question")).data
    assert (question["agent"], question["author"], question["run"]) == ("asking", None, 1)
    await service.questions.answer(project, question["id"], "blue", "ada")
    assert (await world.completion(run.id)).data["status"] == "completed"
    assert await service.file(project, "colour.txt") == "blue"


async def test_after_a_restart_it_is_the_same_question_also_if_it_was_answered_meanwhile(world: World) -> None:
    agents = [Asking(), Asking()]
    agents[1].name = "again"  # type: ignore[misc]
    first = await world.service(agents)
    project = (await first.create("P", BRIEF)).id
    run = await first.generate(project)
    question = (await world.until(lambda told: told.type == "question")).data
    await first.close()
    second = await world.service(agents)
    async with asyncio.timeout(DEADLINE):
        while agents[0].worked < 2:
            await asyncio.sleep(0)
    assert len(world.of("question")) == 1
    await second.questions.answer(project, question["id"], "red", None)
    other = (await world.until(lambda told: told.type == "question" and told.data["agent"] == "again")).data
    await second.close()
    tables = await open_tables(world.path)
    await Questions(world.bus, QuestionStore(tables), SystemClock()).answer(project, other["id"], "blue", None)
    await tables.close()
    await world.service(agents)
    assert (await world.completion(run.id)).data["status"] == "completed"
    assert len(world.of("question")) == 2


@pytest.mark.parametrize("way", ["cancel", "delete"])
async def test_a_run_that_is_cancelled_takes_its_question_back(world: World, way: str) -> None:
    service = await world.service([Asking()])
    project = (await service.create("P", BRIEF)).id
    await service.generate(project)
    question = (await world.until(lambda told: told.type == "question")).data
    await getattr(service, way)(project)
    (answer,) = world.of("answer")
    assert (answer["id"], answer["how"]) == (question["id"], "withdrawn")


async def test_without_an_answer_the_run_fails_and_says_why_and_with_a_default_it_goes_on(world: World) -> None:
    agent = Asking(timeout=1.0)
    service = await world.service([agent])
    project = (await service.create("P", BRIEF)).id
    end = (await world.completion((await service.generate(project)).id)).data
    assert (end["status"], end["message"]) == ("failed", "no answer to 'Which colour?': nobody answered in time")
    agent.default = "red"
    end = (await world.completion((await service.generate(project)).id)).data
    assert end["status"] == "completed"
    assert [one["how"] for one in world.of("answer")] == ["unanswered", "default"]


async def test_who_waits_for_a_person_keeps_nobody_from_working(world: World) -> None:
    """And takes no place that is not his, whether he is answered or cancelled."""
    service = await world.service([Asking()], concurrency=1)
    projects = [(await service.create(name, BRIEF)).id for name in "abc"]
    runs = [await service.generate(project) for project in projects]
    asked_of = {(await world.until(partial(is_asked_in, project))).data["project"] for project in projects}
    assert asked_of == set(projects)
    await service.cancel(projects[0])
    for project, run in zip(projects[1:], runs[1:], strict=True):
        (question,) = (await service.questions.listing(project)).questions
        await service.questions.answer(project, question.id, "red", None)
        assert (await world.completion(run.id)).data["status"] == "completed"
    async with asyncio.timeout(DEADLINE):
        while service._orchestrator._jobs:
            await asyncio.sleep(0)
    assert service._orchestrator._slots._value == 1


def is_asked_in(project: str, told: Told) -> bool:
    return told.type == "question" and told.data["project"] == project


async def test_the_agent_of_the_document_does_as_it_says(world: World) -> None:
    names: dict[str, Any] = {}
    exec(blocks("docs/questions.md")[0], names)
    service = await world.service([names["Palette"]()])
    project = (await service.create("P", BRIEF)).id
    run = await service.generate(project)
    question = (await world.until(lambda told: told.type == "question")).data
    assert (question["question"], question["choices"], question["default"]) == (
        "Which colour?",
        ["teal", "amber"],
        "teal",
    )
    await service.questions.answer(project, question["id"], "amber", None)
    assert (await world.completion(run.id)).data["status"] == "completed"
    assert await service.file(project, "palette.txt") == "amber"
