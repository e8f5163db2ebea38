"""The eighth agent: the pages that people use."""

from service.apps.projects.agents.base import Agent, Workspace
from service.apps.projects.agents.naming import label
from service.apps.projects.agents.render import render


class Pages(Agent):
    name = "pages"
    needs = ("app/web.py", "app/logic.py", "app/storage.py")
    writes = ("app/markup.py", "app/forms.py", "app/lists.py", "app/pages.py")

    async def run(self, work: Workspace) -> None:
        await work.write("app/markup.py", render("app/markup.py"))
        await work.write("app/forms.py", render("app/forms.py"))
        await work.write("app/lists.py", render("app/lists.py"))
        for entity in work.brief.entities:
            inputs = ", ".join(label(field.name) for field in entity.fields)
            await work.log(f"/{entity.name}: list, new, edit and delete; inputs: {inputs}")
        await work.write("app/pages.py", render("app/pages.py"))
