"""All that is served of files: at their own paths, and for pages at paths of this version, linked and for ever.

A page's own file is asked for each time, and names its styles and scripts below `v/VERSION/`, where the version is that
of all files together: those a browser keeps without asking again (RFC 8246), and a page of one version never gets a
script of another. There the styles of a page are one file, and so are its modules (`linking.py`), which are linked when
somebody asks for them.

A page of an earlier version, from before a restart, gets what there is now, to be asked for again.

What a page's script asks for first, the page names too, so that it is asked for with the script and not after it:
`<link rel="preload" as="fetch" crossorigin href="api/projects/{id}" />`. Those that take something of the page's own
query, as this one, are sent as `Link` fields (RFC 8288), since a page is the same file whatever its query is.
"""

import asyncio
import hashlib
import posixpath
import re
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from typing import Final
from urllib.parse import quote

import structlog

from service.web import linking
from service.web.files import File, read_folder
from service.web.linking import LinkError, link

logger = structlog.get_logger(__name__)

FOLDER: Final = "v"
_ICON: Final = "app/icon.svg"
"""What browsers look for at the root, where a page names none; all of today take it in this form."""

_MISSING: Final = "missing.html"
_DEEP: Final = 8
"""Folders down to which somebody who follows a wrong link is told so on a page."""

_MADE_BY: Final = b"".join(hashlib.sha256(Path(one).read_bytes()).digest() for one in (__file__, linking.__file__))
"""What makes of files what a browser keeps is a part of their version."""

_VERSION: Final = 16
"""Hexadecimal digits."""

_STYLES: Final = re.compile(r'(?:[ \t]*<link rel="stylesheet" href="(?!https?:|/)[^"]+" />\n)+')
_HREF: Final = re.compile(r'href="(?!https?:|#)(?:\./)?')
_ELSEWHERE: Final = re.compile(rb"@import|url\(")
"""What a style says that depends on its own place."""
_STYLE: Final = re.compile(r'href="([^"]+)"')
_ASKED: Final = re.compile(r'[ \t]*<link rel="preload" as="fetch" crossorigin href="([^"{}]*)\{(\w+)\}([^"{}]*)" />\n')
_OF_A_URL: Final = "/?&=%:;@!$'()*+,~#"
"""Of a page's own text what stays as it is in a field: of the rest nothing may end it (RFC 3986, 2; RFC 8288, 3)."""

_PARAMETER: Final = 100
"""Characters of a page's query that go into what it asks for, at most."""

_SCRIPT: Final = re.compile(r'<script type="module" src="((?!https?:|/)[^"]+)"></script>')


class Site:
    """`files` are everything below the static folder, `pages` what stands beside it, by name; `""` is `/`."""

    def __init__(self, files: Mapping[str, File], pages: Mapping[str, File]) -> None:
        self._table = {**files, **pages}
        self._scripts = {name: one.body.decode() for name, one in files.items() if name.endswith(".js")}
        everything = hashlib.sha256(_MADE_BY)
        for name, one in sorted(self._table.items()):
            everything.update(f"{name}\0{len(one.body)}\0".encode() + one.body)
        self.version: Final = everything.hexdigest()[:_VERSION]
        self._entries: set[str] = set()
        """Scripts that pages name."""
        self._versions: dict[str, File] = {}
        """What is not the file of its name, at the paths of this version."""
        self._asked: dict[str, list[tuple[str, str, str]]] = {}
        """By a page's name: what stands before a parameter of its query, the parameter, what stands behind it."""
        self._missing: dict[int, File] = {}
        """By how deep a path is."""
        for name, one in self._table.items():
            if one.media_type.startswith("text/html"):
                page = one.body.decode("utf-8", "surrogateescape")  # an application's own, perhaps: it is not asked
                self._asked[name] = [
                    (_in_field(before), parameter, _in_field(behind))
                    for before, parameter, behind in _ASKED.findall(page)
                ]
                page = _ASKED.sub("", page)
                self._table[name] = File(self._versioned(page).encode("utf-8", "surrogateescape"), ".html")

    @classmethod
    def read(cls, folder: Path, pages: Mapping[str, Path], home: str) -> "Site":
        """`home` is the page of the folder that `/` shows if `pages` has none. Raises OSError."""
        files = read_folder(folder)
        files[""] = files[home]
        files["login"] = files["login.html"]
        files["favicon.ico"] = files[_ICON]
        return cls(files, {name: File.read(path) for name, path in pages.items()})

    def missing(self, path: str) -> File | None:
        """The page for a URL's path, as it was sent, at which there is none; None if it is no place for a person."""
        depth = path.count("/") - 1
        page = self._table.get(_MISSING)
        if page is None or not 0 <= depth <= _DEEP:
            return None
        if depth not in self._missing:
            up = "../" * depth or "./"
            self._missing[depth] = File(_HREF.sub(f'href="{up}', page.body.decode()).encode(), ".html")
        return self._missing[depth]

    def find(self, name: str) -> File | None:
        """By its path with slashes."""
        return self._table.get(name)

    def links(self, name: str, query: Mapping[str, str]) -> str:
        """The `Link` field of a page that was asked for with this query; "" for none."""
        return ", ".join(
            f"<{before}{quote(query[parameter], safe='')}{behind}>; rel=preload; as=fetch; crossorigin"
            for before, parameter, behind in self._asked.get(name, ())
            if 0 < len(query.get(parameter, "")) <= _PARAMETER
        )

    async def find_versioned(self, name: str) -> File | None:
        """The same for a page of this version."""
        if name in self._entries and name not in self._versions:
            self._versions[name] = await asyncio.to_thread(self._link, name)
        return self._versions.get(name) or self._table.get(name)

    def _link(self, name: str) -> File:
        """A script with its modules, or as it is, which works too and takes longer. Off the loop."""
        try:
            return File(link(name, self._scripts).encode(), ".js", now=True)
        except LinkError as error:
            logger.warning("page_not_linked", script=name, reason=str(error))
            return self._table[name]

    def _versioned(self, page: str) -> str:
        page = _STYLES.sub(self._one_style, page)
        return _SCRIPT.sub(self._one_script, page)

    def _one_style(self, found: re.Match[str]) -> str:
        """Its styles, in their order, as one in their folder. Its name is that of their names: a page of another
        version finds it, too.
        """
        names = [posixpath.normpath(one) for one in _STYLE.findall(found[0])]
        parts = [self._table[name].body for name in names if name in self._table]
        text, folders = b"".join(parts), {posixpath.dirname(name) for name in names}
        if len(parts) < len(names) or len(folders) > 1 or _ELSEWHERE.search(text):
            return found[0]
        named = hashlib.sha256("\0".join(names).encode()).hexdigest()[:8]
        name = posixpath.join(*folders, f"{named}.css")
        self._versions[name] = File(text, ".css")
        return f'    <link rel="stylesheet" href="{self._path(name)}" />\n'

    def _one_script(self, found: re.Match[str]) -> str:
        name = posixpath.normpath(found[1])
        if name not in self._scripts:
            return found[0]
        self._entries.add(name)
        return f'<script type="module" src="{self._path(name)}"></script>'

    def _path(self, name: str) -> str:
        return f"{FOLDER}/{self.version}/{name}"


def _in_field(text: str) -> str:
    """What stands in an attribute of HTML, as a part of an address in a field's value."""
    return quote(unescape(text), safe=_OF_A_URL, errors="surrogateescape")
