"""The static files, read once at the start: nothing of a request ever reaches the file system.

So a name of any length or shape is a look-up that fails, and pages are served also when no descriptor is left.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

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


@dataclass(frozen=True, slots=True)
class File:
    """`etag` is a strong one of the bytes (RFC 9110, 8.8.3), quotes included."""

    body: bytes
    media_type: str
    etag: str

    @classmethod
    def read(cls, path: Path) -> "File":
        """Raises OSError."""
        body = path.read_bytes()
        digest = hashlib.sha256(body).hexdigest()[:32]
        return cls(body, _TYPES.get(path.suffix.lower(), _OTHER), f'"{digest}"')

    def is_known(self, if_none_match: str | None) -> bool:
        """Whether the client has these very bytes (RFC 9110, 13.1.2): weak comparison."""
        if if_none_match is None:
            return False
        known = [one.strip().removeprefix("W/") for one in if_none_match.split(",")]
        return self.etag in known or "*" in known


def read_folder(folder: Path) -> dict[str, File]:
    """Every file below, by its path with slashes."""
    return {path.relative_to(folder).as_posix(): File.read(path) for path in _files(folder)}


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith("."))
