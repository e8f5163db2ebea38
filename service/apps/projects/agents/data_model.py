"""The third agent: the entities of the brief as data that all other modules read."""

from collections.abc import Iterator

from service.apps.projects.agents.base import Agent, Workspace
from service.apps.projects.agents.naming import counted, label, required, singular
from service.apps.projects.agents.render import block, python, render
from service.apps.projects.brief import Entity, Field


class DataModel(Agent):
    name = "data model"
    needs = ("docs/requirements.md",)
    writes = ("app/model.py",)

    async def run(self, work: Workspace) -> None:
        for entity in work.brief.entities:
            fields = ", ".join(f"{field.name} ({_kind(field)})" for field in entity.fields)
            await work.log(f"{entity.name} has {counted(len(entity.fields), 'field')}: {fields}")
        entities = "\n".join(block(_entity(entity), 1) for entity in work.brief.entities)
        await work.write("app/model.py", render("app/model.py", {"entities": entities}))


def _entity(entity: Entity) -> Iterator[str]:
    """The lines of one `Entity(...)`."""
    yield "Entity("
    yield f"    name={python(entity.name)},"
    yield f"    label={python(label(entity.name))},"
    yield f"    singular={python(singular(entity.name))},"
    fields = [_field(field, field is required(entity)) for field in entity.fields]
    if len(fields) == 1:
        yield f"    fields=({fields[0]},),"
    else:
        yield "    fields=("
        yield from (f"        {field}," for field in fields)
        yield "    ),"
    yield "),"


def _kind(field: Field) -> str:
    return f"-> {field.to}" if field.to else field.kind


def _field(field: Field, is_required: bool) -> str:
    mark = ", required=True" if is_required else f", to={python(field.to)}" if field.to else ""
    return f"Field({python(field.name)}, {field.kind.name}, {python(label(field.name))}{mark})"
