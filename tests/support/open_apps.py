"""The command, with an example whose one agent writes tests/support/naughty.py as the application, for tests of what is
opened.

usage: python -m tests.support.open_apps serve ...
"""

from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from service import named
from service.__main__ import run_command
from service.apps.projects.agents.base import Agent, Workspace
from service.apps.projects.app import ProjectsApp


class Naughty(Agent):
    """Writes the application, which is told which run it is of by how often the agent has worked."""

    name: ClassVar[str] = "naughty"
    writes: ClassVar[tuple[str, ...]] = ("app/*",)
    runs = 0

    async def run(self, work: Workspace) -> None:
        Naughty.runs += 1
        text = (Path(__file__).parent / "naughty.py").read_text()
        await work.write("app/__init__.py", "")
        await work.write("app/__main__.py", f"VERSION = {Naughty.runs}\n{text}")


class OpenApps(ProjectsApp):
    """With that agent alone."""

    def __init__(self) -> None:
        super().__init__(agents=[Naughty()])


if __name__ == "__main__":
    named.APPS = MappingProxyType({OpenApps.name: OpenApps})  # type: ignore[misc]
    run_command()
