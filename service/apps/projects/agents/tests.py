"""The tenth agent: the application's own tests, and what they say."""

import re
from typing import Any, Final

from service.apps.projects.agents.base import Agent, AgentError, Executed, Workspace
from service.apps.projects.agents.naming import counted, label, samples
from service.apps.projects.agents.render import block, python, render
from service.apps.projects.brief import Entity
from service.apps.projects.limits import EXECUTE_SECONDS

_GENERAL = (
    "tests/__init__.py",
    "tests/support.py",
    "tests/test_server.py",
    "tests/test_storage.py",
    "tests/test_logic.py",
)
COMMAND: Final = ("python", "-m", "unittest", "discover", "-v")
"""As the generated README says, with a line for each test."""

_RAN: Final = re.compile(r"^Ran (\d+) tests? in", re.MULTILINE)
_FAILED: Final = re.compile(r"^(?:FAIL|ERROR): (\S+ \([^)\n]*\))", re.MULTILINE)
"""Of each test once, though a test with parts has a heading for each that failed."""
_NAMED_MAX: Final = 3
"""Failing tests whose names are told; the output has all of them."""

_ENDED: Final = {
    "time": f"took longer than {EXECUTE_SECONDS:.0f} s",
    "memory": "took more memory than there is for them",
    "output": "put out more than is taken",
    "folder": "wrote more than there is room for",
}


class Tests(Agent):
    name = "tests"
    needs = ("app/logic.py", "app/storage.py", "app/server.py", "app/pages.py", "app/static/style.css")
    writes = (*_GENERAL, "tests/test_entity_*.py")
    streams = True

    async def run(self, work: Workspace) -> None:
        for path in _GENERAL:
            await work.write(path, render(path))
        total = 0
        for entity in work.brief.entities:
            text = _entity_tests(entity)
            await work.write(f"tests/test_entity_{entity.name}.py", text)
            total += 1
        await work.log(f"Tests for {counted(total, 'entity')}, the server, the storage and the rules")
        executed = await work.execute(COMMAND)
        said = result_of(executed)
        if executed.ran:
            await work.log(said)
        else:
            await work.log(f"They were not run: {executed.reason}")
        work.remark(said)


def result_of(executed: Executed) -> str:
    """What came of the tests, in few words. Raises AgentError, with the same, if it is not that all passed."""
    if not executed.ran:
        return f"not run: {executed.reason}"
    if executed.reason is not None:
        raise AgentError(f"the tests {_ENDED.get(executed.reason, executed.reason)}, and were ended")
    ran, failed = _RAN.search(executed.tail), list(dict.fromkeys(_FAILED.findall(executed.tail)))
    number = int(ran[1]) if ran else 0
    if failed:
        names = ", ".join(name.split()[0] for name in failed[:_NAMED_MAX])
        more = " and others" if len(failed) > _NAMED_MAX else ""
        raise AgentError(f"{len(failed)} of {counted(number, 'test')} failed: {names}{more}")
    if executed.exit or not number:
        raise AgentError(f"the tests ended with exit status {executed.exit} and did not say what they found")
    return f"{counted(number, 'test')} passed"


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
    """A dictionary; an entity of relations alone has none."""
    lines = block((f"{python(name)}: {python(value)}," for name, value in record.items()), 2)
    return f"{{\n{lines}\n    }}" if record else "{}"
