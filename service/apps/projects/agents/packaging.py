"""The twelfth agent: the command, and what is needed to install it."""

from service.apps.projects.agents.base import Agent, Workspace
from service.apps.projects.agents.naming import counted
from service.apps.projects.agents.render import quoted, render
from service.apps.projects.archive import slug


class Packaging(Agent):
    name = "packaging"
    needs = ("app/server.py", "app/pages.py", "README.md", "tests/__init__.py")
    writes = ("app/__main__.py", "pyproject.toml", ".gitignore")

    async def run(self, work: Workspace) -> None:
        await work.write("app/__main__.py", render("app/__main__.py"))
        await work.log("python3 -m app --port 9000 starts it; python3 -m unittest discover tests it")
        name = quoted(slug(work.title, "app"))
        values = {"name": name, "description": quoted(work.title)}
        await work.write("pyproject.toml", render("pyproject.toml", values))
        await work.write(".gitignore", render("gitignore"))
        await work.log(f"Packed {counted(len(work.paths()), 'file')} as {slug(work.title, 'app')}")
