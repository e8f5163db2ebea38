"""What a brief that can't be read may have meant.

The pages give the same hints while somebody types: static/app/projects/brief/hints.js. Both are held to one table of
cases, tests/support/briefs.json.
"""

import difflib
import re
import unicodedata
from collections.abc import Collection, Iterable
from typing import Final

from service.apps.projects.limits import WORD_MAX

PROSE_WORDS: Final = 4
"""Words in a row, without a separator, from which a text may be a description: a field has two, one with a relation
three."""

PROSE_SHARE: Final = 4
"""A row of words is no description if one of so many, or more, is a type: a comma is missing there."""

SYNONYMS: Final = {
    "boolean": "bool",
    "day": "date",
    "decimal": "float",
    "double": "float",
    "number": "float",
    "str": "text",
    "string": "text",
    "time": "date",
}
"""Types as other languages name them."""

_SPELLED: Final = str.maketrans(
    {
        "ä": "ae",
        "ö": "oe",
        "ü": "ue",
        "ß": "ss",
        "æ": "ae",
        "œ": "oe",
        "ø": "o",
        "đ": "d",
        "ð": "d",
        "ł": "l",
        "þ": "th",
    }
)
_FOREIGN: Final = re.compile(r"[^a-z0-9_]+")
_START: Final = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)


def near(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` may be a slip of."""
    return next(iter(difflib.get_close_matches(word.lower()[:WORD_MAX], list(known), n=1)), None)


def ascii_name(word: str) -> str | None:
    """`word` as a name of a-z, digits and _, None if nothing of it can be one."""
    spelled = unicodedata.normalize("NFC", word[:WORD_MAX]).lower().translate(_SPELLED)
    plain = "".join(one for one in unicodedata.normalize("NFKD", spelled) if unicodedata.category(one)[0] != "M")
    found = _START.search(_FOREIGN.sub("_", plain).strip("_"))
    return found[0][:WORD_MAX].rstrip("_") if found else None


def is_prose(runs: Iterable[Collection[str]], types: Collection[str]) -> bool:
    """Whether words that can't be read as a brief are a description; `runs` are its words between separators."""
    for run in runs:
        words = [word.lower() for word in run if any(one.isalpha() for one in word)]
        if len(words) >= PROSE_WORDS and PROSE_SHARE * sum(word in types for word in words) < len(words):
            return True
    return False
