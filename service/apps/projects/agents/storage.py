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
    Kind.RELATION: "INTEGER",
}
_MIGRATION = "app/migrations/0001_create_tables.sql"


class Storage(Agent):
    name = "storage"
    needs = ("app/model.py", "app/web.py")
    writes = ("app/selection.py", "app/sql.py", "app/storage.py", _MIGRATION)

    async def run(self, work: Workspace) -> None:
        entities = work.brief.entities
        tables = "\n\n".join("\n".join(_table(entity)) for entity in entities)
        await work.write(_MIGRATION, render(_MIGRATION, {"tables": tables}))
        for entity in entities:
            await work.log(f"Table {entity.name} with {counted(len(entity.fields) + 1, 'column')}")
            for field in entity.fields:
                if field.to:
                    await work.log(f"{entity.name}.{field.name} leads to {field.to}: what is led to can't be deleted")
        for module in ("selection", "sql", "storage"):
            await work.write(f"app/{module}.py", render(f"app/{module}.py"))
        await work.log("Lists are searched in all texts (LIKE, escaped) and sorted by any field, in the database")
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
    for field in entity.fields:
        if field.to:  # a name with a dot is no table's
            yield f'CREATE INDEX "{entity.name}.{field.name}" ON "{entity.name}" ("{field.name}");'


def _column(field: Field, is_required: bool) -> str:
    column = f'"{field.name}" {COLUMN_TYPES[field.kind]}'
    if field.to:
        return f'{column} REFERENCES "{field.to}" (id)'
    if field.kind is Kind.BOOL:
        return f'{column} NOT NULL DEFAULT 0 CHECK ("{field.name}" IN (0, 1))'
    return f"{column} NOT NULL" if is_required else column
