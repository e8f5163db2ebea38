"""The second agent: how the application is cut into modules, and what can be configured."""

from service.apps.projects.agents.base import Agent, Workspace
from service.apps.projects.agents.naming import counted
from service.apps.projects.agents.render import markdown, python, render


class Architecture(Agent):
    name = "architecture"
    needs = ("docs/requirements.md",)
    writes = ("docs/architecture.md", "app/__init__.py", "app/config.py")

    async def run(self, work: Workspace) -> None:
        await work.log("One process, one SQLite file, standard library only")
        values = {"title": markdown(work.title), "count": counted(len(work.brief.entities), "entity")}
        await work.write("docs/architecture.md", render("docs/architecture.md", values))
        await work.log("Modules point downwards: server, API and pages, logic, storage, model")
        await work.write("app/__init__.py", render("app/__init__.py"))
        await work.write("app/config.py", render("app/config.py", {"title": python(work.title)}))
        await work.log("Title, defaults and bounds are in app/config.py")
