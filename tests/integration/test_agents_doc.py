"""docs/agents.md: its example is complete, and what it says about the built-in agents is so."""

import re
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest

from service.apps.projects.pipeline import GROUP, Pipeline, builtin_agents, installed_agents
from tests.support.projects import BRIEF, World

DOC = (Path(__file__).parents[2] / "docs" / "agents.md").read_text("utf-8")


def _block(language: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```$", DOC, re.MULTILINE | re.DOTALL)
    assert len(found) == 1
    return str(found[0])


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> list[EntryPoint]:
    """The example as if it were installed: its module can be imported, and these are its entry points."""
    points = tomllib.loads(_block("toml"))["project"]["entry-points"][GROUP]
    name = str(points["licence"]).partition(":")[0]
    module = ModuleType(name)
    exec(compile(_block("python"), f"{name}.py", "exec"), module.__dict__)
    monkeypatch.setitem(sys.modules, name, module)
    return [EntryPoint(key, value, GROUP) for key, value in points.items()]


async def test_the_example_takes_part_in_a_run(example: list[EntryPoint], tmp_path: Path) -> None:
    agents = Pipeline.of(builtin_agents(), installed_agents(example))
    assert agents.names[-3:] == ("documentation", "licence", "packaging")
    async with World.open(tmp_path / "test.db") as world:
        all_agents = [agent for name in agents.names if (agent := agents.get(name))]
        service = await world.service(all_agents)
        id = (await service.create("Acme's", BRIEF)).id
        run = await service.generate(id)
        assert (await world.completion(run.id)).data["status"] == "completed"
        assert 'This is "Acme\'s". It stores tasks, people.' in await service.file(id, "LICENSE")
        warning = {"agent": "licence", "level": "warning", "message": "Ask the lawyers before you publish this"}
        assert [one for one in world.of("log", id) if one.items() >= warning.items()]
        assert ("licence", "completed") in world.stages(id)


def test_the_table_names_the_agents_in_order() -> None:
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \|", DOC, re.MULTILINE)
    assert [(int(number), name) for number, name in rows] == list(enumerate(Pipeline(builtin_agents()).names, 1))
