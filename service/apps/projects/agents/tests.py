"""The tenth agent: the application's own tests."""

from typing import Any

from service.apps.projects.agents.base import Agent, Workspace
from service.apps.projects.agents.naming import counted, label, samples
from service.apps.projects.agents.render import block, python, render
from service.apps.projects.brief import Entity

_GENERAL = (
    "tests/__init__.py",
    "tests/support.py",
    "tests/test_server.py",
    "tests/test_storage.py",
    "tests/test_logic.py",
)


class Tests(Agent):
    name = "tests"
    needs = ("app/logic.py", "app/storage.py", "app/server.py", "app/pages.py", "app/static/style.css")
    writes = (*_GENERAL, "tests/test_entity_*.py")

    async def run(self, work: Workspace) -> None:
        for path in _GENERAL:
            await work.write(path, render(path))
        total = 0
        for entity in work.brief.entities:
            text = _entity_tests(entity)
            await work.write(f"tests/test_entity_{entity.name}.py", text)
            total += 1
        await work.log(f"Tests for {counted(total, 'entity')}, the server, the storage and the rules")


def _entity_tests(entity: Entity) -> str:
    first, second = samples(entity)
    return render(
        "tests/test_entity.py",
        {
            "label": label(entity.name),
            "name": python(entity.name),
            "values": _members(first),
            "changed": _members(second),
        },
    )


def _members(record: dict[str, Any]) -> str:
    return block((f"{python(name)}: {python(value)}," for name, value in record.items()), 2)
