"""Whatever can grow has its bound, told on one page beside the test that fills it: docs/reliability.md.

The containers are found in the code, so that the next one can't be forgotten there.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

UNIT: Final = Path(__file__).parent
ROOT: Final = UNIT.parents[1]
SERVICE: Final = ROOT / "service"
CLIENT: Final = ROOT / "twinwire"
KINDS: Final = frozenset({"Counter", "bytearray", "defaultdict", "deque", "dict", "list", "set"})
CONSTANTS: Final = frozenset({"openapi.py", "settings.py", "log/base.py"})
"""Modules whose values are made once, or are a statement's parameters."""

PAGE: Final = (ROOT / "docs" / "reliability.md").read_text("utf-8").partition("## What can grow")[2]
MADE: Final = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)


def is_container(node: ast.AST | None) -> bool:
    """Whether this is what a container is made by, or a type that holds one."""
    if isinstance(node, MADE):
        return True
    names = [name.id for name in ast.walk(node) if isinstance(name, ast.Name)] if node is not None else []
    return bool(KINDS.intersection(names[:1] if isinstance(node, ast.Call) else names))


def attributes(cls: ast.ClassDef) -> Iterator[str]:
    for statement in cls.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            if "default_factory=" in ast.unparse(statement) and is_container(statement.annotation):
                yield statement.target.id
        elif isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            yield from initialised(statement)


def initialised(init: ast.FunctionDef) -> Iterator[str]:
    for node in ast.walk(init):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Attribute):
            if is_container(node.annotation) or is_container(node.value):
                yield node.target.attr
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute) and is_container(node.value):
            yield node.targets[0].attr


def containers() -> list[tuple[str, str]]:
    found = []
    for path in (*sorted(SERVICE.rglob("*.py")), *sorted(CLIENT.rglob("*.py"))):
        name = str(path.relative_to(SERVICE if path.is_relative_to(SERVICE) else ROOT))
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef) and name not in CONSTANTS:
                found += [(name, attribute) for attribute in attributes(node)]
    return found


def test_they_are_found() -> None:
    assert {("bus/tail.py", "_entries"), ("log/sqlite/writer.py", "_large"), ("wire/bodies.py", "_coming")} <= set(
        containers()
    )


@pytest.mark.parametrize(("module", "attribute"), containers())
def test_each_is_on_the_page(module: str, attribute: str) -> None:
    assert f"`{module}`" in PAGE
    named = [row for row in PAGE.splitlines() if f"`{module}`" in row and f"`{attribute}`" in row]
    assert named, f"{attribute} of {module} is not in docs/reliability.md: what bounds it, and which test fills it?"


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`([\w/]+\.py::\w+)`", PAGE))))
def test_the_test_that_fills_it_is_there(named: str) -> None:
    file, _, name = named.partition("::")
    places = [path for path in (UNIT / file, UNIT.parent / file) if path.exists()]
    assert places, f"there is no {file}"
    assert re.search(rf"def {name}\(", places[0].read_text("utf-8")), f"{file} has no {name}"
