"""What can be shown of a text."""

import unicodedata
from typing import Final

_UNSHOWN: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories that one line can't hold: control characters, surrogates, line separators."""


def is_one_line(text: str) -> bool:
    return not any(unicodedata.category(character) in _UNSHOWN for character in text)


def cut(text: str, most: int) -> str:
    """At most so many characters, marked where it was cut."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
