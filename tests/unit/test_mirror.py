"""`unit/` mirrors `service/`, and `unit/twinwire/` mirrors `twinwire/`: a module has its test, or stands here with the
reason why not; no test leans on another.

After websockets' maxi_cov.py: an exception that is not needed any more fails too.
"""

import ast
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

import pytest

UNIT: Final = Path(__file__).parent
TESTS: Final = UNIT.parent
SERVICE: Final = TESTS.parent / "service"
CLIENT: Final = TESTS.parent / "twinwire"

ELSEWHERE: Final = {
    "__main__.py": "one call of the command, which has its tests",
    "room.py": "seen from test_settings.py, of every room",
    "version.py": "one constant",
    "core/words.py": "closed sets of words, held by test_docs.py",
    "bus/encoding.py": "a contract: its implementations are tested",
    "bus/values.py": "values without behaviour",
    "log/sqlite/jobs.py": "values: what is done with them is seen from log/sqlite/test_writer.py",
    "log/sqlite/look.py": "values: what is looked for is seen from log/sqlite/test_reader.py",
    "log/health.py": "values",
    "log/sqlite/about.py": "log/test_contract.py, as of every engine",
    "wire/answers.py": "given through wire/test_poll.py",
    "log/sqlite/sound.py": "asked through log/sqlite/test_writer.py and test_upkeep.py",
    "stream/asgi.py": "types",
    "stream/hypercorn/inside.py": "asked through hypercorn/test_pipes.py, and on a real server",
    "stream/hypercorn/http1.py": "needs a server: tests/integration/test_guards.py",
    "stream/hypercorn/http2.py": "needs a server: tests/integration/test_http2.py, test_guards_http2.py",
    "stream/hypercorn/server.py": "needs a server: tests/integration/test_guards.py",
    "stream/hypercorn/unguarded.py": "needs a server: tests/integration/test_guards.py",
    "stream/hypercorn/upstream.py": "tests/integration/test_guards.py, beside what it is for",
    "stream/hypercorn/websocket.py": "needs a server: tests/integration/test_guards.py",
    "stream/eyes.py": "a contract, and who does nothing: stream/test_watching.py",
    "stream/registry.py": "contracts: their implementations are tested",
    "web/access.py": "tests/integration/test_access.py, on a whole service",
    "web/caller.py": "tests/integration/test_access.py, on a whole service",
    "stream/beside.py": "seen from stream/test_hearing.py and test_watching.py",
    "web/presence.py": "tests/e2e/test_contract_11_presence.py, on a whole service",
    "web/described.py": "web/test_openapi.py holds it against the routes",
    "wire/messages.py": "read through wire/test_websocket.py",
    "wire/described.py": "web/test_openapi.py holds it against the routes",
    "wire/presence/described.py": "web/test_openapi.py holds it against the routes",
    "wire/ephemeral/described.py": "web/test_openapi.py holds it against the routes",
    "apps/base.py": "a contract: tests/integration/test_applications_doc.py rides on it",
    "apps/visits/rows.py": "written and read through apps/visits/test_visits.py",
    "apps/projects/answers.py": "apps/projects/test_routes.py",
    "apps/projects/described.py": "web/test_openapi.py holds it against the routes",
    "apps/projects/limits.py": "constants",
    "apps/projects/locks.py": "what it is for is seen from apps/projects/test_orchestrator.py",
    "apps/projects/texts.py": "what is shown is seen from apps/projects/test_service.py and test_stage.py",
    "apps/projects/preview/described.py": "web/test_openapi.py holds it against the routes",
    "apps/projects/settings.py": "test_settings.py",
    "apps/projects/changes.py": "what commits together is seen from apps/projects/test_orchestrator.py",
    "apps/projects/runner.py": "driven through apps/projects/test_orchestrator.py",
    "apps/projects/ids.py": "names by chance",
    "apps/projects/runs/applying.py": "what a report does is seen from apps/projects/runs/test_commands.py",
    "apps/projects/runs/described.py": "web/test_openapi.py holds it against the routes",
    "apps/projects/runs/files.py": "read through apps/projects/runs/test_retry.py",
    "apps/projects/runs/held.py": "read through apps/projects/runs/test_commands.py",
    "apps/projects/runs/limits.py": "constants",
    "apps/projects/runs/made.py": "seen from apps/projects/runs/test_commands.py",
    "apps/projects/runs/models.py": "values",
    "apps/projects/runs/rows.py": "read through apps/projects/test_service.py",
    "apps/projects/runs/service.py": "composes: apps/projects/runs/test_commands.py",
    "apps/projects/llm/described.py": "web/test_openapi.py holds it against the routes",
    "apps/projects/llm/exchange.py": "values, asked through apps/projects/llm/test_budget.py",
    "apps/projects/llm/faults.py": "what people read of them: apps/projects/llm/test_misbehaviour.py",
    "apps/projects/llm/hearing.py": "told and taken through apps/projects/llm/test_client.py and test_talk.py",
    "apps/projects/llm/listening.py": "apps/projects/llm/test_client.py, on a stand-in for an endpoint",
    "apps/projects/llm/model.py": "opened through apps/projects/llm/test_client.py",
    "apps/projects/llm/refusals.py": "each of them is read in apps/projects/llm/test_misbehaviour.py",
    "apps/projects/store.py": "read through apps/projects/test_service.py",
    "apps/projects/slots.py": "what it is for is seen from apps/projects/questions/test_asking.py",
    "apps/projects/questions/changes.py": "what commits together is seen from apps/projects/questions/test_service.py",
    "apps/projects/questions/described.py": "web/test_openapi.py holds it against the routes",
    "apps/projects/questions/limits.py": "constants",
    "apps/projects/questions/store.py": "read through apps/projects/questions/test_service.py",
    "apps/projects/sandbox/*.py": "tests/integration/test_sandbox.py, on real processes",
    "apps/projects/agents/*.py": "what they write is run by tests/integration/test_generated_app.py",
    "twinwire/__main__.py": "one call of the command, which has its tests",
    "twinwire/aio.py": "all of it on a real server: tests/python",
    "twinwire/blocking.py": "tests/python/test_blocking.py",
    "twinwire/blocking_room.py": "on a real server: tests/python/test_presence.py",
    "twinwire/beside.py": "told through twinwire/test_connection.py",
    "twinwire/lazily.py": "seen from tests/python/test_imports.py",
    "twinwire/listing.py": "asked through tests/python/test_presence.py",
    "twinwire/logs.py": "a name and a word",
    "twinwire/version.py": "seen from twinwire/command/test_main.py",
    "twinwire/passing.py": "on a real server, over each transport: tests/python/test_ephemeral.py",
    "twinwire/reading.py": "asked through tests/python/test_publish.py",
    "twinwire/subscription.py": "tests/python/test_subscribe.py",
    "twinwire/contrib/django/apps.py": "asked through contrib/django/test_checks.py",
    "twinwire/contrib/django/migrations/*.py": "run by contrib/django/test_tables.py, as every migration is",
    "twinwire/contrib/django/urls.py": "contrib/django/test_views.py",
    "twinwire/command/run.py": "started by twinwire/running/test_program.py",
    "twinwire/running/closing.py": "what is told at an end is seen from twinwire/running/test_program.py",
    "twinwire/running/launching.py": "twinwire/running/test_program.py, and test_session.py in a terminal",
    "twinwire/running/screen.py": "in a terminal: twinwire/running/test_session.py",
    "twinwire/running/started.py": "values",
    "twinwire/wires/*.py": "each transport on a real server: tests/python/test_subscribe.py",
}
"""Patterns of modules without a test of their name, and where they are tested instead."""

MODULES: Final = sorted(
    path.relative_to(root).as_posix()
    for folder, root in ((SERVICE, SERVICE), (CLIENT, CLIENT.parent))
    for path in folder.rglob("*.py")
    if path.name != "__init__.py" and "templates" not in path.parts and "_data" not in path.parts
)


def its_test(module: str) -> Path:
    path = Path(module)
    return UNIT / path.parent / f"test_{path.name}"


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_its_test_or_a_reason(module: str) -> None:
    assert its_test(module).exists() or any(fnmatch(module, pattern) for pattern in ELSEWHERE), module


@pytest.mark.parametrize("pattern", ELSEWHERE)
def test_an_exception_is_still_one(pattern: str) -> None:
    found = [module for module in MODULES if fnmatch(module, pattern)]
    assert found, "there is no such module any more"
    assert not all(its_test(module).exists() for module in found), "it has its test: take the exception out"


@pytest.mark.parametrize("path", sorted(TESTS.rglob("*.py")), ids=lambda path: path.relative_to(TESTS).as_posix())
def test_no_test_imports_another(path: Path) -> None:
    """What tests share is in tests/support, or beside them in a module that is no test."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tests."):
            assert not node.module.rpartition(".")[2].startswith("test_"), node.module
