"""The seventh agent: the HTTP server and the JSON API."""

from service.apps.projects.agents.base import Agent, Workspace
from service.apps.projects.agents.naming import counted
from service.apps.projects.agents.render import render


class Handlers(Agent):
    name = "HTTP handlers"
    needs = ("app/web.py", "app/logic.py", "app/storage.py", "app/static/openapi.json")
    writes = ("app/api.py", "app/server.py")

    async def run(self, work: Workspace) -> None:
        await work.write("app/api.py", render("app/api.py"))
        await work.log(f"The API answers for {counted(len(work.brief.entities), 'entity')}")
        await work.write("app/server.py", render("app/server.py"))
        await work.log("Changes that come from another site are refused (Sec-Fetch-Site, Origin)")
