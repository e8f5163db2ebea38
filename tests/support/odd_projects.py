"""The command, with an example application whose agents are odd for projects of some names: for "Unlucky..." the one
that documents fails the first time, for "Stuck..." the one that writes the rules never ends.

usage: python -m tests.support.odd_projects serve ...
"""

import asyncio
from types import MappingProxyType

from service import named
from service.__main__ import run_command
from service.apps.projects.agents.base import Workspace
from service.apps.projects.agents.documentation import Documentation
from service.apps.projects.agents.logic import Logic
from service.apps.projects.app import ProjectsApp
from service.apps.projects.pipeline import builtin_agents


class Unlucky(Documentation):
    """Logs two lines, and then can't go on."""

    def __init__(self) -> None:
        super().__init__()
        self._met: set[str] = set()

    async def run(self, work: Workspace) -> None:
        if work.title.startswith("Unlucky") and work.title not in self._met:
            self._met.add(work.title)
            await work.log("The first lines of the README")
            await work.log("Little room is left", "warning")
            raise OSError(28, "No space left on device", "/srv/app/work/README.md")
        await super().run(work)


class Stuck(Logic):
    """Is the sixth of twelve."""

    async def run(self, work: Workspace) -> None:
        if work.title.startswith("Stuck"):
            await work.log("Rules for all of it")
            await asyncio.get_running_loop().create_future()
        await super().run(work)


class OddProjects(ProjectsApp):
    """The example with these agents."""

    def __init__(self) -> None:
        odd = {Unlucky.name: Unlucky(), Stuck.name: Stuck()}
        super().__init__(agents=[odd.get(one.name, one) for one in builtin_agents()])


if __name__ == "__main__":
    named.APPS = MappingProxyType({OddProjects.name: OddProjects})  # type: ignore[misc]
    run_command()
