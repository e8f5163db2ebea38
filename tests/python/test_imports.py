"""`twinwire` stands alone: it never imports the service, and needs nothing but what its distribution names."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import twinwire
from twinwire import outbox

ROOT = Path(twinwire.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
ALLOWED = {"httpx2", "msgspec", "websockets", "twinwire"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_imports_the_standard_library_and_three_others(path: Path) -> None:
    """And the one that it is for: the command's, that of each framework in `contrib`, and pytest for tests."""
    place = path.relative_to(ROOT).parts
    framework = Path(place[1]).stem if place[1:] else ""
    own = {"command": {"click"}, "testing": {"pytest"}, "contrib": {framework}}.get(place[0], set())
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names = [node.module or ""]
        for name in names:
            top = name.partition(".")[0]
            if top == "service" and path.name == "mounting.py":  # inside of a function, as is seen below
                continue
            assert top in ALLOWED | own or top in sys.stdlib_module_names, name


def printed(program: str) -> str:
    """By a Python of its own."""
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT.parent, capture_output=True, text=True, check=True)
    return run.stdout


def test_importing_it_imports_no_service() -> None:
    program = (
        "import sys, twinwire; servers = ('service', 'quart', 'hypercorn', 'sse_starlette');"
        "print([name for name in sys.modules if name.partition('.')[0] in servers])"
    )
    assert printed(program) == "[]\n"


LOADED: Final = "print([name for name in ('httpx2', 'websockets') if name in sys.modules])"
"""Of the client, what takes long to load."""


def test_the_commands_of_a_server_load_no_client() -> None:
    """It would be ten megabytes of each server, and a third of a second of each start."""
    program = "import sys; from twinwire.command.main import commands; commands().get_command(None, 'serve');"
    assert printed(program + LOADED) == "[]\n"


def test_a_run_begins_without_a_client() -> None:
    """Its command starts first, and does not wait for what sends."""
    assert printed("import sys, twinwire.command.run, twinwire.running.program;" + LOADED) == "[]\n"


def test_help_loads_no_client() -> None:
    program = "import sys; from twinwire.command.main import OWN, commands;"
    program += "[commands().get_command(None, name) for name in OWN];"
    assert printed(program + LOADED) == "[]\n"


def test_a_name_that_there_is_not_is_found_by_a_type_checker(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("import twinwire\ntwinwire.Nothing\nfrom twinwire.outbox import nothing\n")
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--follow-imports=silent", "program.py"],
        cwd=tmp_path,
        env={"MYPYPATH": str(ROOT.parent), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.count("[attr-defined]") == 2, run.stdout


def test_a_name_that_there_is_not_is_told() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = twinwire.Nothing
    assert {"AsyncTwinwire", "Twinwire"} <= set(dir(twinwire))


def test_importing_it_imports_no_outbox_and_that_no_driver_and_no_client() -> None:
    program = (
        "import sys, twinwire; others = {'psycopg', 'pymysql', 'httpx2', 'websockets', 'twinwire.outbox'};"
        "print(others & sys.modules.keys()); import twinwire.outbox; print(others & sys.modules.keys())"
    )
    assert printed(program) == "set()\n{'twinwire.outbox'}\n"


def test_everything_of_the_outbox_is_there() -> None:
    for name in outbox.__all__:
        assert getattr(outbox, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = outbox.Nothing


def test_everything_that_is_promised_is_there() -> None:
    for name in twinwire.__all__:
        assert getattr(twinwire, name) is not None
    assert (ROOT / "py.typed").exists()
