"""The core is values: the standard library's pure part and msgspec's, no I/O, no clock, nothing to await."""

import ast
from pathlib import Path

import pytest

import service.core

FILES = sorted(Path(service.core.__file__).parent.glob("*.py"))
PURE = {"bisect", "collections", "dataclasses", "datetime", "enum", "functools", "json", "msgspec", "re", "typing"}
"""What the core may import, msgspec for values that the collector does not see; a clock, a random source, the network
and files are not in it."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_imports(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            continue
        for name in names:
            assert name.split(".")[0] in PURE or name.startswith("service.core"), f"{path.name} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_nothing_is_awaited_and_no_file_is_opened(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith), path.name
        assert not (isinstance(node, ast.Name) and node.id in {"open", "print", "input"}), path.name
