"""The house: layers point down only, and each third-party library has its one place (docs/architecture.md)."""

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

import service

ROOT = Path(service.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
CLIENT = sorted((ROOT.parent / "twinwire").rglob("*.py"))

BELOW = {
    "service.core": (),
    "service.access": ("service.core",),
    "service.log": ("service.core",),
    "service.bus": ("service.core", "service.log.base"),
    "service.stream": (
        "service.core",
        "service.access",
        "service.bus",
        "service.log.base",
    ),
    "service.wire": (
        "service.core",
        "service.access",
        "service.bus",
        "service.log.base",
        "service.openapi",
        "service.stream",
    ),
    "service.preview": (
        "service.core",
        "service.access.caller",
        "service.access.hosts",
        "service.stream.asgi",
    ),
    "service.apps": (
        "service.core",
        "service.bus",
        "service.log.base",
        "service.openapi",
        "service.resources",
        "service.web.json",
        "service.web.caller",
        "service.web.query",
        "service.stream.asgi",
        "service.access.caller",
        "service.preview",
    ),
    "service.openapi": (),
    "service.resources": (),
    "service.version": (),
    "service.clock": ("service.core",),
    "service.room": (),
    "service.limits": ("service.core", "service.room"),
    "service.settings": ("service.core", "service.limits", "service.room"),
    "service.operations": (
        "service.core",
        "service.log.base",
        "service.access",
        "service.bus",
        "service.stream",
        "service.version",
    ),
    "service.command.client": ("service.core",),
    "service.admission": ("service.core", "service.access", "service.settings"),
    "service.named": ("service.core", "service.apps", "service.settings"),
    "service.assembly": (
        "service.core",
        "service.access",
        "service.admission",
        "service.named",
        "service.log",
        "service.bus",
        "service.stream",
        "service.wire",
        "service.apps",
        "service.resources",
        "service.clock",
        "service.settings",
        "service.operations",
    ),
    "service.web": (
        "service.core",
        "service.access",
        "service.bus",
        "service.log.base",
        "service.openapi",
        "service.stream",
        "service.wire",
        "service.apps.base",
        "service.resources",
        "service.version",
        "service.settings",
        "service.operations",
        "service.assembly",
    ),
}
"""What each layer may import beside itself. The rest of the package composes, and may import everything."""

COMPOSITION = (
    "service.assembly",
    "service.admission",
    "service.named",
    "service.web.app",
    "service.server",
    "service.command",
)
COMPOSED_ONLY = ("service.log.sqlite", "service.settings", "service.operations")

HOMES = {
    "quart": ("service.web", "service.apps"),
    "hypercorn": ("service.stream.hypercorn", "service.server.config", "service.server.serve"),
    "aiosqlite": ("service.log.sqlite",),
    "sqlite3": ("service.log.sqlite.drivers",),
    "apsw": ("service.log.sqlite.apsw_driver",),
    "time": (
        "service.clock",
        "service.command.client",
        "service.log.sqlite.apsw_driver",
        "service.apps.projects.sandbox.inside",
    ),
    "twinwire": ("service.command", "service.__main__"),
    "httpx2": ("service.apps.projects.llm",),
    "uvloop": ("service.server.loop",),
    "h11": ("service.stream.hypercorn", "service.preview.exchange"),
    "websockets": ("service.preview.sockets",),
    "sse_starlette": ("service.wire.blocks",),
    "jwt": ("service.access",),
    "cryptography": ("service.access",),
    "prometheus_client": ("service.operations.metrics",),
    "opentelemetry": ("service.operations.traces",),
}


class Import(NamedTuple):
    source: str
    target: str
    names: tuple[str, ...]
    line: int


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[Import]:
    """Every import of a module, wherever it stands. `from service.log import base` counts as `service.log.base`."""
    source = module_of(path)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(source, alias.name, (), node.lineno)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source}:{node.lineno} imports relatively"
            target = node.module or ""
            for alias in node.names:
                is_module = (ROOT.parent / target.replace(".", "/") / f"{alias.name}.py").exists()
                yield Import(source, f"{target}.{alias.name}" if is_module else target, (alias.name,), node.lineno)


def is_within(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


ALL_IMPORTS = [one for path in FILES for one in imports(path)]
OUR_IMPORTS = [one for one in ALL_IMPORTS if is_within(one.target, ("service",))]


def circles(imported: Mapping[str, Iterable[str]]) -> set[frozenset[str]]:
    """The sets of modules of which each reaches each other by what it imports: the strongly connected ones."""

    def reached(start: str) -> set[str]:
        found: set[str] = set()
        ahead = [start]
        while ahead:
            for target in set(imported.get(ahead.pop(), ())) - found:
                found.add(target)
                ahead.append(target)
        return found

    reach = {module: reached(module) for module in imported}
    return {
        frozenset(other for other in reach[module] if module in reach.get(other, ()))
        for module in imported
        if module in reach[module]
    }


@pytest.mark.parametrize("layer", BELOW)
def test_imports_point_down(layer: str) -> None:
    upward = [
        f"{one.source}:{one.line} imports {one.target}"
        for one in OUR_IMPORTS
        if is_within(one.source, (layer,)) and not is_within(one.target, (layer, *BELOW[layer]))
    ]
    assert not upward


def test_circles_are_found() -> None:
    assert circles({"a": ["b"], "b": ["c"], "c": []}) == set()
    assert circles({"a": ["b"], "b": ["c"], "c": ["b"], "d": ["a"]}) == {frozenset("bc")}
    assert circles({"a": ["b"], "b": ["a", "x"], "x": ["x"]}) == {frozenset("ab"), frozenset("x")}


def test_there_is_no_circle() -> None:
    """Not by type imports either, nor by those inside of functions: a third module is missing, usually a value."""
    imported: dict[str, set[str]] = {module_of(path): set() for path in (*FILES, *CLIENT)}
    for one in (*OUR_IMPORTS, *(one for path in CLIENT for one in imports(path))):
        imported[one.source].add(one.target)
    assert [sorted(circle) for circle in circles(imported)] == []


def test_every_module_has_its_place() -> None:
    """A new folder or file at the top must be entered above, or it would be free to import everything."""
    known = (*BELOW, "service.server", "service.command", "service.__main__")
    assert [module for path in FILES if not is_within(module := module_of(path), known)] == ["service"]


def test_only_the_composition_knows_the_embedded_log_and_the_settings() -> None:
    inside = ("service.log", "service.operations")  # the parts of each know each other
    wrong = [
        f"{one.source}:{one.line} imports {one.target}"
        for one in OUR_IMPORTS
        if is_within(one.target, COMPOSED_ONLY)
        and not (one.source == "service" or is_within(one.source, COMPOSITION))
        and not any(is_within(one.source, (room,)) and is_within(one.target, (room,)) for room in inside)
    ]
    assert not wrong


def test_an_application_is_a_guest() -> None:
    """Nothing knows an application but itself and the composition root; what they promise is in `apps.base`."""
    wrong = [
        f"{one.source}:{one.line} imports {one.target}"
        for one in OUR_IMPORTS
        if is_within(one.target, ("service.apps",))
        and not is_within(one.target, ("service.apps.base",))
        and not is_within(one.source, (".".join(one.target.split(".")[:3]), "service.assembly", "service.named"))
    ]
    assert not wrong


@pytest.mark.parametrize("library", HOMES)
def test_each_library_stays_at_home(library: str) -> None:
    users = {one.source for one in ALL_IMPORTS if one.target.split(".")[0] == library}
    assert users, f"{library} is not used any more"
    assert {user for user in users if not is_within(user, HOMES[library])} == set()


def test_the_launcher_takes_the_standard_library_alone() -> None:
    """Its interpreter sees nothing else, and imports none of the modules between it and the top."""
    room = "service.apps.projects.sandbox.inside"
    inside = [one for one in ALL_IMPORTS if is_within(one.source, (room,))]
    assert inside
    assert {
        one.target
        for one in inside
        if not is_within(one.target, (room,)) and one.target.split(".")[0] not in sys.stdlib_module_names
    } == set()


def test_importing_the_package_starts_nothing() -> None:
    """The top module stays cheap: what it needs, it imports when it is called."""
    tree = ast.parse((ROOT / "__init__.py").read_text())
    at_import = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert [getattr(node, "module", None) for node in at_import] == ["service.version"]
