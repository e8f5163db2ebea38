"""The key is starred out of all that comes from the endpoint, in whatever pieces it comes."""

from typing import Final
from urllib.parse import quote

STARS: Final = "****"
"""In place of the key. No key has a star in it, so that nothing of one is made by this."""

TELLING: Final = 8
"""Characters of its beginning that tell too much of it."""


class Hiding:
    """What is hidden: a key as it is, and as JSON and URLs may write it. An empty key hides nothing."""

    def __init__(self, key: str) -> None:
        written = {key, key.replace("/", "\\/"), quote(key, safe=""), quote(key)} - {""}
        self.forms: Final = sorted(written, key=len, reverse=True)

    def clean(self, text: str) -> str:
        """`text` without the key."""
        for form in self.forms:
            text = text.replace(form, STARS)
        return text


class Pieces:
    """A text that comes in pieces. What may be the beginning of the key is held back until it is known."""

    def __init__(self, hiding: Hiding) -> None:
        self._hiding = hiding
        self._held = ""

    def feed(self, piece: str) -> str:
        """What can be shown now."""
        text = self._hiding.clean(self._held + piece)
        start = min((self._begins(text, form) for form in self._hiding.forms), default=len(text))
        self._held = text[start:]
        return text[:start]

    def rest(self) -> str:
        """What was held back, at the end of the text."""
        held, self._held = self._held, ""
        return STARS if len(held) >= TELLING else held

    @staticmethod
    def _begins(text: str, form: str) -> int:
        """Where the end of `text` may be the beginning of `form`; its length if it is not."""
        start = text.find(form[0], max(0, len(text) - len(form) + 1))
        while start >= 0 and not form.startswith(text[start:]):
            start = text.find(form[0], start + 1)
        return len(text) if start < 0 else start
