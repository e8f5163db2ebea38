"""The names that a query may have: a misspelt restriction would be none, and an answer tell more than was asked for."""

import re
from collections.abc import Iterable
from typing import Final

from service.core.errors import InvalidError

_UNREAD: Final = re.compile(r"_|r|evs_preamble|(?:utm_|x-).*", re.DOTALL)
"""What caches, EventSource polyfills and links in mails add to a URL."""

_SHOWN: Final = 64
"""Characters of a name that are told back."""

_BRACKETS: Final = re.compile(r"\[[^\[\]]*\]\Z")
"""What some libraries write behind the name of a list."""


class Parameters:
    """Those of one route."""

    __slots__ = ("_names", "_text")

    def __init__(self, *names: str) -> None:
        self._names = frozenset(names)
        self._text = ", ".join(names) or "none"

    def check(self, found: Iterable[str]) -> None:
        """Raises InvalidError, naming the first that is not one of them."""
        for name in found:
            if name not in self._names and _UNREAD.fullmatch(name) is None:
                raise InvalidError(self._explain(name), field=name[:_SHOWN])

    def _explain(self, name: str) -> str:
        shown, plain = name[:_SHOWN], _BRACKETS.sub("", name).lower()
        meant = next((one for one in self._names if plain in (one.lower(), f"{one}s".lower())), None)
        if meant is None:
            return f"{shown!r} is no parameter here; these are: {self._text}"
        return f"{shown!r} is no parameter here; {meant!r} is, and may stand in a URL several times if it takes a list"
