"""The static files, read once at the start: nothing of a request ever reaches the file system.

So a name of any length or shape is a look-up that fails, and pages are served also when no descriptor is left.
"""

import gzip
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

try:
    import brotli
except ImportError:
    brotli = None

_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".md": "text/plain; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ts": "text/plain; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
_OTHER: Final = "application/octet-stream"
_COMPACT: Final = frozenset({".png", ".woff2"})
"""Compressed as they are."""

_SMALL: Final = 512
"""Bytes up to which a file goes in one packet anyway."""

_LARGE: Final = 256 << 10
"""Bytes beyond which a file is not compressed: that would be a step of the loop of more than some milliseconds."""

_GZIP_LEVEL: Final = 6
"""Of nine: the last takes twice as long for the last hundredth."""

_BROTLI_QUALITY: Final = 5
"""Of eleven: 9 takes twenty times as long for a fiftieth less."""


@dataclass(frozen=True, slots=True)
class Coded:
    """A file as it is sent in one content coding (RFC 9110, 8.4.1); "" for as it is.

    `etag` is a strong one of these bytes (RFC 9110, 8.8.3), quotes included.
    """

    coding: str
    body: bytes
    etag: str


class File:
    """`body` as it is. In another coding it is made when it is first asked for, once for everybody."""

    def __init__(self, body: bytes, suffix: str, *, now: bool = False) -> None:
        """`suffix` is that of its name, with the dot. `now`: it is compressed in every coding here, off the loop
        therefore, however large it is.
        """
        suffix = suffix.lower()
        self.body: Final = body
        self.media_type: Final = _TYPES.get(suffix, _OTHER)
        self._digest = hashlib.sha256(body).hexdigest()[:32]
        self._plain = Coded("", body, f'"{self._digest}"')
        is_worth_it = suffix in _TYPES and suffix not in _COMPACT and len(body) > _SMALL
        self._codings = tuple(_CODINGS) if is_worth_it and (now or len(body) <= _LARGE) else ()
        self._coded: dict[str, Coded] = {}
        if now:
            for coding in self._codings:
                self._in(coding)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises OSError."""
        return cls(path.read_bytes(), path.suffix)

    @property
    def varies(self) -> bool:
        """Whether there is more than one coding of it."""
        return bool(self._codings)

    def best(self, quality: Callable[[str], float]) -> Coded:
        """What to send to a client that gives each content coding this quality, 0 for not at all (RFC 9110, 12.5.3)."""
        coding = next((one for one in self._codings if quality(one) > 0), None)
        if coding is None:
            return self._plain
        return self._in(coding)

    def _in(self, coding: str) -> Coded:
        if coding not in self._coded:
            self._coded[coding] = Coded(coding, _CODINGS[coding](self.body), f'"{self._digest}-{coding}"')
        return self._coded[coding]

    def is_known(self, if_none_match: str | None) -> bool:
        """Whether the client has this very file (RFC 9110, 13.1.2): weak comparison, in whatever coding he has it."""
        if if_none_match is None:
            return False
        known = {one.strip().removeprefix("W/") for one in if_none_match.split(",")}
        return "*" in known or any(f'"{self._digest}{coding}"' in known for coding in _MARKS)


def read_folder(folder: Path) -> dict[str, File]:
    """Every file below, by its path with slashes."""
    return {path.relative_to(folder).as_posix(): File.read(path) for path in _files(folder)}


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith("."))


def _gzipped(body: bytes) -> bytes:
    return gzip.compress(body, _GZIP_LEVEL, mtime=0)


def _brotlied(body: bytes) -> bytes:
    packed: bytes = brotli.compress(body, quality=_BROTLI_QUALITY)
    return packed


_CODINGS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    **({} if brotli is None else {"br": _brotlied}),
    "gzip": _gzipped,
}
"""The better one is first."""
_MARKS: Final = ("", "-br", "-gzip")
