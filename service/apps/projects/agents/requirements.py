"""The first agent: what the application has to do."""

from service.apps.projects.agents.base import Agent, Workspace
from service.apps.projects.agents.naming import counted, field_count, label, listed, required, singular
from service.apps.projects.agents.render import markdown, render, table
from service.apps.projects.brief import Entity, Field, Kind

MEANINGS = {
    Kind.TEXT: "text",
    Kind.INT: "whole number",
    Kind.FLOAT: "number",
    Kind.BOOL: "yes or no",
    Kind.DATE: "date",
    Kind.RELATION: "one of the",
}


class Requirements(Agent):
    name = "requirements"
    writes = ("docs/requirements.md",)

    async def run(self, work: Workspace) -> None:
        brief = work.brief
        size = f"{counted(len(brief.entities), 'entity')} and {counted(field_count(brief), 'field')}"
        await work.log(f"The brief names {listed(brief)}: {size}")
        values = {
            "title": markdown(work.title),
            "brief": "\n    ".join(f"{entity};" for entity in brief.entities).rstrip(";"),
            "stories": "\n".join(_stories(entity) for entity in brief.entities),
            "tables": "\n\n".join(_table(entity) for entity in brief.entities),
        }
        await work.write("docs/requirements.md", render("docs/requirements.md", values))
        for entity in brief.entities:
            key = required(entity)
            rule = f"{key.name} is required" if key else "every field is a yes or no, nothing is required"
            await work.log(f"{entity.name}: list, create, edit, delete; {rule}")


def _stories(entity: Entity) -> str:
    one = singular(entity.name).lower()
    return (
        f"- **{markdown(label(entity.name))}**: see them newest first or sorted by any field, page by page; search"
        f" in their texts; create a {markdown(one)};"
        f" change it; delete it after a question; do the same by program through the API."
    )


def _table(entity: Entity) -> str:
    key = required(entity)
    rows = [(f"`{field.name}`", _meaning(field) + (", *required*" if field is key else "")) for field in entity.fields]
    return f"### {markdown(label(entity.name))}\n\n{table(('field', 'what it holds'), rows)}"


def _meaning(field: Field) -> str:
    return f"{MEANINGS[field.kind]} `{field.to}`" if field.to else MEANINGS[field.kind]
