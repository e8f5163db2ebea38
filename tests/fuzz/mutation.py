"""Neighbours of an input: the same with a piece of it gone, doubled, exchanged, or something awkward in between.

Hypothesis takes milliseconds to draw an input from a grammar, and a neighbour is made in microseconds: so each that is
drawn brings some with it. They are made of its seed alone, so the same input brings the same ones again.
"""

from random import Random
from typing import Any, Final

from tests.fuzz.grammar import AWKWARD

NEIGHBOURS: Final = 20
"""Of each input that is drawn."""
_BYTES: Final = (*(one.encode("utf-8", "surrogatepass") for one in AWKWARD), b"\xff", b"\xc0\x80", b"\n\n", b"\x81")


def neighbour(value: Any, chance: Random) -> Any:
    """Of the same shape, and with one thing different. What is no text, bytes or container stays."""
    if isinstance(value, str):
        return _spliced(value, AWKWARD, chance)
    if isinstance(value, bytes):
        return _spliced(value, _BYTES, chance)
    if isinstance(value, tuple):
        where = chance.randrange(len(value))
        return (*value[:where], neighbour(value[where], chance), *value[where + 1 :])
    if isinstance(value, list) and value:
        where = chance.randrange(len(value))
        changed = [neighbour(value[where], chance), value[chance.randrange(len(value))]][: chance.randint(0, 2)]
        return [*value[:where], *changed, *value[where + 1 :]]
    if isinstance(value, dict) and value:
        name = chance.choice(sorted(value))
        return {**value, name: neighbour(value[name], chance)}
    return value


def _spliced(text: Any, odd: tuple[Any, ...], chance: Random) -> Any:
    """`text` of characters or bytes with one piece replaced: by nothing, itself twice, another piece, or an odd one."""
    start, end = sorted((chance.randint(0, len(text)), chance.randint(0, len(text))))
    if chance.random() < 0.7:
        end = min(end, start + chance.randint(0, 4))  # small changes get further than large ones
    other = chance.randint(0, len(text))
    piece = chance.choice((text[:0], text[start:end] * 2, text[other : other + 8], chance.choice(odd)))
    return text[:start] + piece + text[end:]
