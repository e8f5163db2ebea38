"""Below which path the service stands, and what is asked for there: of one that is mounted in another application.

ASGI has the whole path in `path`, and in `root_path` how much of it leads to the application ("HTTP connection scope").
Starlette, FastAPI and Hypercorn's dispatcher do so. Others cut the path: Litestar hands on what is left, with a slash
at its end and without a `root_path`; only `raw_path`, what came over the wire, has all of it. A proxy may have cut it
before anybody saw it, and then `root_path` is what the operator has said. All of them are told apart here:

    raw_path is not path            what it has before path is the root
    path begins with the root       what follows is the path; also where it begins with the last parts of it, since
                                    FastAPI puts its own `root_path` before that of what is mounted in it
    else                            it was cut already

Inside, the service knows nothing of it but for what it tells to browsers: a cookie's path, and where something is.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote, unquote

from service.stream.asgi import Scope

ROOT: Final = "twinwire.root"
"""Where a scope has the root that was taken off its path."""


class Place(NamedTuple):
    """`root` is as browsers see it, without a slash at its end: "" at the top. `path` "" is the root without one."""

    root: str
    path: str


def root_of(scope: Mapping[str, Any]) -> str:
    """What stands before each path of the service, to browsers: as in a URL, since a path may have been anybody's."""
    return quote(str(scope.get(ROOT, "")))


def place_of(scope: Scope) -> Place:
    """Of an HTTP or a WebSocket scope."""
    path: str = scope["path"]
    root = str(scope.get("root_path", "")).rstrip("/")
    whole = _as_sent(scope)
    if whole is not None and whole != path:
        for rest in (path, path.removesuffix("/")):
            before = whole[: len(whole) - len(rest)]
            if whole.endswith(rest) and (before.startswith("/") or not before):
                return Place(before or root, rest)
    for end in _ends(root):
        if path == end or path.startswith(f"{end}/"):
            return Place(root, path[len(end) :])
    return Place(root, path)


def rooted(scope: Scope, place: Place) -> Scope:
    """A scope of its own, as if the service stood at the top."""
    found: Scope = {**scope, "path": place.path, "root_path": "", ROOT: place.root}
    found.setdefault("extensions", {})
    raw: bytes | None = scope.get("raw_path")
    if raw is not None:
        rest = raw.partition(b"?")[0].removeprefix(quote(place.root).encode())
        found["raw_path"] = rest if _text(rest) == place.path else quote(place.path).encode()
    return found


def _ends(root: str) -> Iterator[str]:
    """`/a/b`, then `/b`."""
    while root:
        yield root
        root = root[root.find("/", 1) :] if "/" in root[1:] else ""


def _as_sent(scope: Scope) -> str | None:
    raw: bytes | None = scope.get("raw_path")  # a server need not tell it
    return None if raw is None else _text(raw.partition(b"?")[0])


def _text(raw: bytes) -> str:
    """As servers make `path` of it."""
    return unquote(raw.decode("latin-1"))
