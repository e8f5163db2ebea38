"""The sixth agent: every rule about values."""

from collections import Counter

from service.apps.projects.agents.base import Agent, Workspace
from service.apps.projects.agents.naming import required
from service.apps.projects.agents.render import render


class Logic(Agent):
    name = "business logic"
    needs = ("app/config.py", "app/model.py")
    writes = ("app/logic.py",)

    async def run(self, work: Workspace) -> None:
        entities = work.brief.entities
        kinds = Counter(field.kind for entity in entities for field in entity.fields)
        await work.log("Rules for " + ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())))
        keys = [f"{entity.name}.{key.name}" for entity in entities if (key := required(entity))]
        await work.log(f"Required: {', '.join(keys) or 'nothing'}")
        await work.write("app/logic.py", render("app/logic.py"))
