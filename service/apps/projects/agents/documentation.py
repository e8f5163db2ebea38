"""The eleventh agent: what a newcomer reads."""

import json
from collections.abc import Iterator, Sequence

from service.apps.projects.agents.api_design import SCHEMAS
from service.apps.projects.agents.base import Agent, Workspace
from service.apps.projects.agents.naming import label, listed, required, samples
from service.apps.projects.agents.render import markdown, render, table
from service.apps.projects.brief import Entity

PURPOSES = {
    "app": "the application; docs/architecture.md says which module does what",
    "app/migrations": "schema changes, applied in order",
    "app/static": "style, icon, the API's description",
    "docs": "requirements, architecture, API",
    "tests": "tests of every entity and every rule",
}


class Documentation(Agent):
    name = "documentation"
    needs = ("docs/requirements.md", "docs/architecture.md", "app/server.py", "tests/support.py")
    writes = ("docs/api.md", "README.md")

    async def run(self, work: Workspace) -> None:
        entities = work.brief.entities
        title = markdown(work.title)
        resources = "\n\n".join(_resource(entity) for entity in entities)
        await work.write("docs/api.md", render("docs/api.md", {"title": title, "resources": resources}))
        await work.log(f"The API's page describes {listed(work.brief)}")
        paths = work.paths()
        lines = sum(work.read(path).count("\n") for path in paths)
        values = {
            "title": title,
            "entities": markdown(listed(work.brief)),
            "name": entities[0].name,
            "sample": json.dumps(samples(entities[0])[0]),
            "files": table(("folder", "what it holds"), _folders(paths)),
        }
        await work.write("README.md", render("README.md", values))
        await work.log(f"The README leads through {len(paths)} files with {lines:,} lines")


def _folders(paths: Sequence[str]) -> Iterator[tuple[str, str]]:
    for folder in sorted({path.rpartition("/")[0] for path in paths if "/" in path}):
        yield f"`{folder}/`", PURPOSES.get(folder, "")


def _resource(entity: Entity) -> str:
    key = required(entity)
    rows = []
    for field in entity.fields:
        kind = SCHEMAS[field.kind]["type"]
        types = [kind] if isinstance(kind, str) else kind[:1] if field is key else kind
        format = SCHEMAS[field.kind].get("format")
        shown = " or ".join(types) + (f" ({format})" if format else "")
        if field.to:
            shown = f"id of one of `/api/{field.to}`, or null"
        rows.append((f"`{field.name}`", shown, "required" if field is key else ""))
    values = samples(entity)[0]
    record = {"id": 1, **{field.name: values.get(field.name, 1) for field in entity.fields}}
    example = json.dumps(record, indent=2).replace("\n", "\n    ")
    heading = f"## {markdown(label(entity.name))}: `/api/{entity.name}`"
    return f"{heading}\n\n{table(('field', 'type', ''), rows)}\n\nA record:\n\n    {example}"
