"""Which agents work, in which order, and how installed ones join."""

from importlib.metadata import EntryPoint

import pytest

from service.apps.projects.agents.base import Agent, Workspace
from service.apps.projects.pipeline import GROUP, Pipeline, builtin_agents, installed_agents
from service.core.errors import InvalidError
from tests.support.projects import Plain

HERE = __name__


class Installed(Agent):
    """What an entry point names."""

    name = "installed"
    after = "pages"

    async def run(self, work: Workspace) -> None: ...


class Broken(Agent):
    name = "broken"

    def __init__(self) -> None:
        raise RuntimeError("no licence")

    async def run(self, work: Workspace) -> None: ...


def _agent(name: str, **declared: object) -> Agent:
    agent = Plain(name)
    for attribute, value in declared.items():
        setattr(agent, attribute, value)
    return agent


def test_the_twelve_in_order() -> None:
    assert Pipeline(builtin_agents()).names == (
        "requirements",
        "architecture",
        "data model",
        "API design",
        "storage",
        "business logic",
        "HTTP handlers",
        "pages",
        "styling",
        "tests",
        "documentation",
        "packaging",
    )


def test_installed_agents_work_at_their_place_or_last() -> None:
    builtin = [_agent("a"), _agent("b")]
    installed = [_agent("x", after="a"), _agent("y")]
    assert Pipeline.of(builtin, installed).names == ("a", "x", "b", "y")


def test_an_installed_agent_replaces_one_of_its_name() -> None:
    other = _agent("a")
    pipeline = Pipeline.of([_agent("a"), _agent("b")], [other])
    assert pipeline.names == ("a", "b")
    assert pipeline.get("a") is other


@pytest.mark.parametrize(
    ("agents", "message"),
    [
        ([], "needs agents"),
        ([_agent("a"), _agent("a")], "a name of its own"),
        ([_agent("")], "needs a name"),
        ([_agent("a" * 65)], "needs a name"),
        ([_agent("a{0}")], "needs a name"),
        ([_agent("a", writes="*.txt")], "tuple of paths"),
        ([_agent("a", needs=["x"])], "tuple of paths"),
        ([_agent("a", needs=("x.txt",))], "no earlier agent writes it"),
        ([_agent("a", needs=("b.md",), writes=("b.md",))], "no earlier agent writes it"),
    ],
)
def test_what_breaks_the_contract_is_refused_at_the_start(agents: list[Agent], message: str) -> None:
    with pytest.raises(InvalidError, match=message):
        Pipeline(agents)


def test_an_unknown_place_is_refused() -> None:
    with pytest.raises(InvalidError, match="after 'z': unknown"):
        Pipeline.of([_agent("a")], [_agent("x", after="z")])


def test_entry_points_are_loaded_in_the_order_of_their_names() -> None:
    points = [EntryPoint("b", f"{HERE}:Installed", GROUP), EntryPoint("a", f"{HERE}:Installed", GROUP)]
    agents = installed_agents(points)
    assert [type(agent) for agent in agents] == [Installed, Installed]
    assert "installed" in Pipeline.of(builtin_agents(), agents[:1]).names


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (f"{HERE}:Missing", "can't be loaded"),
        ("no_such_module_here:X", "can't be loaded"),
        (f"{HERE}:Broken", "no licence"),
        ("builtins:dict", "does not derive from Agent"),
    ],
)
def test_an_entry_point_that_is_no_agent_is_named(value: str, message: str) -> None:
    with pytest.raises(InvalidError, match=message) as caught:
        installed_agents([EntryPoint("theirs", value, GROUP)])
    assert "theirs" in caught.value.detail
