"""The agents of a run, in order: the built-in ones and those that teams have installed."""

from collections.abc import Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from service.apps.projects.agents.api_design import ApiDesign
from service.apps.projects.agents.architecture import Architecture
from service.apps.projects.agents.base import Agent, check_agent, may_write
from service.apps.projects.agents.data_model import DataModel
from service.apps.projects.agents.documentation import Documentation
from service.apps.projects.agents.handlers import Handlers
from service.apps.projects.agents.logic import Logic
from service.apps.projects.agents.packaging import Packaging
from service.apps.projects.agents.pages import Pages
from service.apps.projects.agents.requirements import Requirements
from service.apps.projects.agents.storage import Storage
from service.apps.projects.agents.styling import Styling
from service.apps.projects.agents.tests import Tests
from service.apps.projects.models import Stage
from service.apps.projects.picture import subject_of_agent, subject_of_output
from service.core.errors import InvalidError

GROUP: Final = "twinwire.agents"
"""The entry point group in which a distribution names its agent classes."""


def builtin_agents() -> list[Agent]:
    """The twelve that come with the service, in order."""
    return [
        Requirements(),
        Architecture(),
        DataModel(),
        ApiDesign(),
        Storage(),
        Logic(),
        Handlers(),
        Pages(),
        Styling(),
        Tests(),
        Documentation(),
        Packaging(),
    ]


def installed_agents(points: Iterable[EntryPoint] | None = None) -> list[Agent]:
    """One of each class named in the group, sorted by entry point name. Raises InvalidError if one can't load."""
    found = entry_points(group=GROUP) if points is None else points
    return [_load(point) for point in sorted(found, key=lambda point: point.name)]


def _load(point: EntryPoint) -> Agent:
    try:
        agent = point.load()()
    except Exception as error:
        raise InvalidError(f"the agent {point.name!r} ({point.value}) can't be loaded: {error!r}") from error
    if not isinstance(agent, Agent):
        raise InvalidError(f"the agent {point.name!r} ({point.value}) does not derive from Agent")
    return agent


class Pipeline:
    """Agents in the order in which they work. Construction checks every declaration."""

    def __init__(self, agents: Sequence[Agent]) -> None:
        self._agents = {check_agent(agent).name: agent for agent in agents}
        if len(self._agents) != len(agents) or not agents:
            raise InvalidError("a pipeline needs agents, each with a name of its own")
        self._check_needs()

    @classmethod
    def of(cls, builtin: Sequence[Agent], installed: Iterable[Agent] = ()) -> "Pipeline":
        """`installed` replace a built-in agent of the same name, or join at the place that they ask for.

        Raises InvalidError if a place or a needed file does not exist.
        """
        agents = list(builtin)
        for agent in installed:
            names = [one.name for one in agents]
            if check_agent(agent).name in names:
                agents[names.index(agent.name)] = agent
            elif agent.after is None:
                agents.append(agent)
            elif agent.after in names:
                agents.insert(names.index(agent.after) + 1, agent)
            else:
                raise InvalidError(f"the agent {agent.name!r} wants to work after {agent.after!r}: unknown")
        return cls(agents)

    @property
    def agents(self) -> tuple[Agent, ...]:
        return tuple(self._agents.values())

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._agents)

    def get(self, name: str) -> Agent | None:
        return self._agents.get(name)

    def subjects_of(self, stages: Iterable[Stage]) -> list[str]:
        """What events of these stages of a run may have been about, beside files."""
        begun = [stage for stage in stages if stage.status != "pending"]
        streaming = [stage for stage in begun if (agent := self.get(stage.agent)) is None or agent.streams]
        agents = [subject_of_agent(stage.agent) for stage in begun]
        return [*agents, *[subject_of_output(stage.number) for stage in streaming]]

    def _check_needs(self) -> None:
        before: list[Agent] = []
        for agent in self._agents.values():
            for path in agent.needs:
                if not any(may_write(one, path) for one in before):
                    raise InvalidError(f"the agent {agent.name!r} needs {path!r}: no earlier agent writes it")
            before.append(agent)


def installed_pipeline(builtin: Sequence[Agent] | None = None) -> Pipeline:
    """The built-in agents, or those in their place, and what distributions here bring along. Raises InvalidError."""
    return Pipeline.of(builtin_agents() if builtin is None else builtin, installed_agents())
