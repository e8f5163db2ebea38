"""The command, with an example application that owns nothing: for tests that put words into its mouth.

usage: python -m tests.support.open_projects serve ...
"""

from types import MappingProxyType

from service import named
from service.__main__ import run_command
from service.apps.projects.app import ProjectsApp


class OpenProjects(ProjectsApp):
    """The example, of whose events anybody may tell."""

    def owns(self, topic: str, type: str) -> bool:
        return False


if __name__ == "__main__":
    named.APPS = MappingProxyType({OpenProjects.name: OpenProjects})  # type: ignore[misc]
    run_command()
