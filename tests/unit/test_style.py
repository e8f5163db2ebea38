"""Sizes that keep a module readable in one go, and a few habits that linters do not know."""

import ast
from pathlib import Path

import pytest

import service

ROOT = Path(service.__file__).parents[1]
FILES = sorted(
    path
    for package in ("service", "twinwire")
    for path in (ROOT / package).rglob("*.py")
    if "templates" not in path.parts
)
MODULE_LINES = 350
FUNCTION_LINES = 60

every_module = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))


@every_module
def test_sizes(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= MODULE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < FUNCTION_LINES, node.name


@every_module
def test_every_module_says_what_it_is_for(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree)


@every_module
def test_nothing_is_left_for_later(path: Path) -> None:
    for word in ("TODO", "FIXME", "XXX", "NotImplementedError"):
        assert word not in path.read_text(), word


@every_module
def test_no_state_at_module_level(path: Path) -> None:
    """Annotated names at the top are constants, in `Final` or in capitals, or a library with two possible names."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
            assert "Final" in ast.unparse(node.annotation) or name.isupper() or name in {"driver", "uvloop"}, name
        assert not isinstance(node, ast.AugAssign | ast.Delete)
