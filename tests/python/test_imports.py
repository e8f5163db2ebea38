"""`twinwire` stands alone: it never imports the service, and needs nothing but what its distribution names."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import twinwire

ROOT = Path(twinwire.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
ALLOWED = {"httpx2", "msgspec", "websockets", "twinwire"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_imports_the_standard_library_and_three_others(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names = [node.module or ""]
        for name in names:
            top = name.partition(".")[0]
            assert top in ALLOWED or top in sys.stdlib_module_names, name


def test_importing_it_imports_no_service() -> None:
    program = (
        "import sys, twinwire; servers = ('service', 'quart', 'hypercorn', 'sse_starlette');"
        "print([name for name in sys.modules if name.partition('.')[0] in servers])"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT.parent, capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_everything_that_is_promised_is_there() -> None:
    for name in twinwire.__all__:
        assert getattr(twinwire, name) is not None
    assert (ROOT / "py.typed").exists()
