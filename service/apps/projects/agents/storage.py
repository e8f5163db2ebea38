"""The fifth agent: the tables, and the module that reads and writes them."""

from collections.abc import Iterator

from service.apps.projects.agents.base import Agent, Workspace
from service.apps.projects.agents.naming import counted, required
from service.apps.projects.agents.render import render
from service.apps.projects.brief import Entity, Field, Kind

COLUMN_TYPES = {
    Kind.TEXT: "TEXT",
    Kind.INT: "INTEGER",
    Kind.FLOAT: "REAL",
    Kind.BOOL: "INTEGER",
    Kind.DATE: "TEXT",
}
_MIGRATION = "app/migrations/0001_create_tables.sql"


class Storage(Agent):
    name = "storage"
    needs = ("app/model.py",)
    writes = ("app/storage.py", _MIGRATION)

    async def run(self, work: Workspace) -> None:
        entities = work.brief.entities
        tables = "\n\n".join("\n".join(_table(entity)) for entity in entities)
        await work.write(_MIGRATION, render(_MIGRATION, {"tables": tables}))
        for entity in entities:
            await work.log(f"Table {entity.name} with {counted(len(entity.fields) + 1, 'column')}")
        await work.write("app/storage.py", render("app/storage.py"))
        await work.log("Schema changes are numbered migrations, applied at the start in one transaction")


def _table(entity: Entity) -> Iterator[str]:
    """The lines of one CREATE TABLE. Names are quoted: a brief may use the words of SQL."""
    key = required(entity)
    columns = [_column(field, field is key) for field in entity.fields]
    yield f'CREATE TABLE "{entity.name}" ('
    yield "    id INTEGER PRIMARY KEY AUTOINCREMENT,"
    yield from (f"    {column}," for column in columns[:-1])
    yield f"    {columns[-1]}"
    yield ");"


def _column(field: Field, is_required: bool) -> str:
    column = f'"{field.name}" {COLUMN_TYPES[field.kind]}'
    if field.kind is Kind.BOOL:
        return f'{column} NOT NULL DEFAULT 0 CHECK ("{field.name}" IN (0, 1))'
    return f"{column} NOT NULL" if is_required else column
