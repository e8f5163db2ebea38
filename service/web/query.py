"""Values of a query, for Quart's resources, the applications' among them."""

from typing import Final

from quart import request

from service.core.errors import InvalidError

_DIGITS: Final = 18
"""Of a number: what has more is larger than any that SQLite holds."""


def number(name: str, default: int, least: int, digits: int = _DIGITS) -> int:
    """Raises InvalidError for what is no whole number, less, or longer than so many `digits`."""
    text = request.args.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= digits and int(text) >= least):
        raise InvalidError(f"{name} is a number from {least}", field=name)
    return int(text)


def flag(name: str) -> bool:
    """False without. Raises InvalidError for what is neither 0 nor 1."""
    text = request.args.get(name, "0")
    if text not in ("0", "1"):
        raise InvalidError(f"{name} is 0 or 1", field=name)
    return text == "1"
