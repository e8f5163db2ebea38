"""Runs whose tests are run, in a real sandbox: from the press of Generate to the sentence that people read."""

import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from service.apps.projects.agents.base import Agent, Workspace
from service.apps.projects.executing import NO_RIGHT
from service.apps.projects.pipeline import Pipeline, builtin_agents
from service.apps.projects.runs.made import Wish
from service.apps.projects.sandbox.sandbox import Sandbox
from service.apps.projects.service import ProjectService
from tests.support.projects import BRIEF, World
from tests.support.sandboxes import confined

MAY_RUN = Wish("ada", may_run=True)


class Saboteur(Agent):
    """Writes a test that does what it is told, before the tests are run."""

    name = "saboteur"
    writes = ("tests/test_sabotage.py",)
    after = "styling"

    def __init__(self) -> None:
        self.does = "pass"

    async def run(self, work: Workspace) -> None:
        text = f"import unittest\nclass Sabotage(unittest.TestCase):\n    def test_it(self):\n        {self.does}\n"
        await work.write("tests/test_sabotage.py", text)


@pytest.fixture(scope="module")
def box() -> Sandbox:
    return confined()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World.open(tmp_path / "test.db") as world:
        yield world


@pytest.fixture
def saboteur() -> Saboteur:
    return Saboteur()


@pytest.fixture
async def service(world: World, box: Sandbox, saboteur: Saboteur) -> ProjectService:
    pipeline = Pipeline.of(builtin_agents(), [saboteur])
    return await world.service([agent for name in pipeline.names if (agent := pipeline.get(name))], sandbox=box)


async def ended(world: World, service: ProjectService, id: str, wish: Wish) -> tuple[Mapping[str, Any], str]:
    """The completion of a run of it, and what the tests' stage says."""
    run = await service.generate(id, wish)
    completion = (await world.completion(run.id)).data
    messages = [one["message"] for one in world.of("agent_update", id) if one["agent"] == "tests"]
    return completion, messages[-1]


async def test_the_tests_are_run_and_a_failing_one_fails_the_run(
    world: World, service: ProjectService, saboteur: Saboteur
) -> None:
    id = (await service.create("P", BRIEF)).id
    completion, message = await ended(world, service, id, MAY_RUN)
    assert completion["status"] == "completed", message
    found = re.search(r" (\d+) tests passed$", message)
    assert found, message
    count = int(found[1])
    assert count > 10
    output = "".join(str(one.data) for one in world.told if one.type == "output")
    assert "test_it (tests.test_sabotage.Sabotage.test_it) ... ok" in output
    assert f"Ran {count} tests" in output

    saboteur.does = "open('/etc/passwd', 'w')"
    completion, message = await ended(world, service, id, MAY_RUN)
    assert (completion["status"], completion["message"]) == ("failed", f"1 of {count} tests failed: test_it")
    assert f"1 of {count} tests failed: test_it" in message
    assert "Read-only file system" in "".join(str(one.data) for one in world.told if one.type == "output")

    saboteur.does = "import os; os._exit(0)"
    completion, message = await ended(world, service, id, MAY_RUN)
    assert (completion["status"], "did not say" in message) == ("failed", True)


async def test_who_may_not_run_has_the_files_and_is_told(world: World, service: ProjectService) -> None:
    id = (await service.create("P", BRIEF)).id
    completion, message = await ended(world, service, id, Wish("bob", may_run=False))
    assert completion["status"] == "completed"
    assert message.endswith(f"not run: {NO_RIGHT}")
    assert not [one for one in world.told if one.type == "output"]


async def test_cancelling_ends_the_tests(world: World, service: ProjectService, saboteur: Saboteur) -> None:
    id = (await service.create("P", BRIEF)).id
    saboteur.does = "import time; print('it hangs'); time.sleep(600)"
    await service.generate(id, MAY_RUN)
    await world.until(lambda told: told.type == "output" and "it hangs" in str(told.data))
    assert (await service.cancel(id)).status == "cancelled"
