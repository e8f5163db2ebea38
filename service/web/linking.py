"""Modules of a page linked into one script: some sixty requests, six at a time, become one.

There is no build step: what is written is what developers edit, each module is served at its own path too, and a page
whose modules can't be linked gets them one by one, as it always did. A linked module is a function that returns what it
exports; they stand one after the other, each behind those that it imports. The first one of all, the page's own, stands
last and is no function, so that it may await.

This is no parser. It knows the statements that our modules have, at the beginning of a line as the formatter puts
them, and refuses what else begins with `import` or `export` there: default exports, bindings that change (`let`),
circles, and names that no file has.
"""

import json
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Final

_SOURCE: Final = r'\s+from\s+"(?P<source>[^"]+)";[^\S\n]*\n?'
_IMPORT: Final = re.compile(r"^import\s+(?:\{(?P<names>[^}]*)\}|\*\s+as\s+(?P<all>\w+))" + _SOURCE, re.MULTILINE)
_BARE: Final = re.compile(r'^import\s+"(?P<source>[^"]+)";[^\S\n]*\n?', re.MULTILINE)
_AGAIN: Final = re.compile(r"^export\s+(?:\{(?P<names>[^}]*)\}|\*)" + _SOURCE, re.MULTILINE)
_LIST: Final = re.compile(r"^export\s+\{(?P<names>[^}]*)\};[^\S\n]*\n?", re.MULTILINE)
_MADE: Final = re.compile(
    r"^export\s+(?P<what>(?:async\s+)?function\b\*?|class|const)\s+(?P<name>[\w$]+)", re.MULTILINE
)
_LEFT: Final = re.compile(r"^(?:import|export)\b(?!\s*\().*", re.MULTILINE)
_AWAITS: Final = re.compile(r"^(?!\s)(?!.*\basync\b).*\bawait\b.*", re.MULTILINE)
"""At the top of a module, which is a function here that can't."""

_CHANGING: Final = re.compile(r"^let\s+([\w$]+)", re.MULTILINE)
_DYNAMIC: Final = re.compile(r"^.*\bimport\(.*", re.MULTILINE)
_SEVERAL: Final = re.compile(r"^export\s+const\s+[\w$]+[^;{(\[]*,$", re.MULTILINE)
_COMMENT: Final = re.compile(r"^[^\S\n]*/\*\*(?:(?!\*/).)*\*/[^\S\n]*\n", re.MULTILINE | re.DOTALL)
"""One that begins a line, as those do that tell what something is."""

_URL: Final = "import.meta.url"
_MODULES: Final = "$modules"


class LinkError(Exception):
    """Why a page's modules can't be linked: which module, and what of it."""


@lru_cache(maxsize=512)
def imports(name: str, text: str) -> tuple[str, ...]:
    """The modules that this one names, in their order. Names are paths with slashes below one folder."""
    found = [*_IMPORT.finditer(text), *_BARE.finditer(text), *_AGAIN.finditer(text)]
    return tuple(_resolved(name, one["source"]) for one in sorted(found, key=re.Match.start))


def graph(entry: str, read: Callable[[str], str]) -> list[str]:
    """All modules that `entry` needs, each behind those that it imports; `entry` is the last.

    `read` gives a module's text. Raises LinkError for a circle.
    """
    done: dict[str, None] = {}
    open_: dict[str, Iterator[str]] = {entry: iter(imports(entry, read(entry)))}
    while open_:  # deep rather than wide, without a call for each step
        name = next(reversed(open_))
        following = next((one for one in open_[name] if one not in done), None)
        if following is None:
            del open_[name]
            done[name] = None
        elif following in open_:
            raise LinkError(f"{name} and {following} import each other")
        else:
            open_[following] = iter(imports(following, read(following)))
    return list(done)


def link(entry: str, modules: Mapping[str, str]) -> str:
    """One script in place of `entry`, to be served at its path. `modules` are all texts by name. Raises LinkError."""

    def read(name: str) -> str:
        if name not in modules:
            raise LinkError(f"there is no module {name}")
        return modules[name]

    names = graph(entry, read)
    parts = [f"const {_MODULES} = {{}};\n"]
    for name in names:
        body, exported, awaits = _body(name, modules[name])
        if awaits and name != entry:
            raise LinkError(f"{name}: {awaits}")
        if _URL in body:
            here = json.dumps(posixpath.relpath(name, posixpath.dirname(entry)))
            body = body.replace(_URL, f"new URL({here}, {_URL}).href")
        if name == entry:
            parts.append(f"// {name}\n{body}")
        else:
            inside = f"{body}return {{ {', '.join(exported)} }};\n"
            parts.append(f"{_MODULES}[{json.dumps(name)}] = (() => {{\n{inside}}})();\n")
    return "".join(parts)


@lru_cache(maxsize=512)
def _body(name: str, text: str) -> tuple[str, tuple[str, ...], str]:
    """A module without its imports and exports, the properties of what it exports, and what it awaits at its top, if
    it does. Once for all pages: most have most of the modules.
    """
    exported: list[str] = []
    bindings: list[str] = []

    def source(found: re.Match[str]) -> str:
        return f"{_MODULES}[{json.dumps(_resolved(name, found['source']))}]"

    def imported(found: re.Match[str]) -> str:
        names = found["all"] or f"{{ {', '.join(_pairs(found['names']))} }}"
        bindings.append(f"const {names} = {source(found)};\n")
        return ""

    def again(found: re.Match[str]) -> str:
        if found["names"] is None:
            exported.append(f"...{source(found)}")
        for inner, outer in _parts(found["names"] or ""):
            exported.append(f"{outer}: {source(found)}.{inner}")
        return ""

    def listed(found: re.Match[str]) -> str:
        exported.extend(f"{outer}: {inner}" for inner, outer in _parts(found["names"]))
        return ""

    def made(found: re.Match[str]) -> str:
        exported.append(found["name"])
        return f"{found['what']} {found['name']}"

    text = _COMMENT.sub("", text)
    for pattern in (_DYNAMIC, _SEVERAL):
        if (odd := pattern.search(text)) is not None:
            raise LinkError(f"{name}: {odd[0]}")
    for pattern, change in ((_IMPORT, imported), (_AGAIN, again), (_LIST, listed), (_MADE, made)):
        text = pattern.sub(change, text)
    text = _BARE.sub("", text)
    if (left := _LEFT.search(text)) is not None:
        raise LinkError(f"{name}: {left[0]}")
    changing = set(_CHANGING.findall(text)).intersection(one.rpartition(": ")[2] for one in exported)
    if changing:
        raise LinkError(f"{name}: let {', '.join(sorted(changing))}")
    awaits = _AWAITS.search(text)
    return "".join(bindings) + text, tuple(exported), awaits[0] if awaits else ""


def _resolved(name: str, source: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), source))


def _parts(names: str) -> Iterator[tuple[str, str]]:
    """Each of `a, b as c`: its name before and after."""
    for one in filter(None, (part.strip() for part in names.split(","))):
        inner, _, outer = one.partition(" as ")
        yield inner.strip(), (outer or inner).strip()


def _pairs(names: str) -> Iterator[str]:
    """The same as a pattern that takes an object apart."""
    return (inner if inner == outer else f"{inner}: {outer}" for inner, outer in _parts(names))
