"""What an answer of the service means for the rows of a request.

| answer | verdict |
|---|---|
| none, 408, 425, 429, 5xx, what something on the way says | later: as it is, for as long as it takes |
| 401; 403 that names no event; a URL that is not the service's | later, and told: an operator mends it, the rows wait |
| 403 that names an event and its topic: that is not for this token | its topic waits, the others go on |
| 403 that names its type or its subject: an application keeps that to itself | that row is set aside |
| 400, 409, 413, 422 that names an event, or of one event | that row is set aside |
| the same of several, none of them named; 413 of anybody | fewer: half as many, until it is one |
"""

from dataclasses import dataclass
from typing import Final, Literal

from twinwire.errors import TwinwireError

_OWN: Final = frozenset({400, 409, 413, 422})
"""Refusals of what is sent, and not of who sends it, or where."""

What = Literal["later", "hold", "aside", "fewer"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`number`: which row of the request it is about, from 0."""

    what: What
    number: int = 0


def judged(error: TwinwireError, count: int) -> Verdict:
    """Of a request of `count` events."""
    is_named = error.line is not None and 0 < error.line <= count
    number = error.line - 1 if is_named and error.line is not None else 0
    if error.status == 413 and not is_named:  # also of something on the way, which may take a smaller one
        return Verdict("fewer" if count > 1 else "aside")
    if error.is_passing:
        return Verdict("later")
    if error.status == 403 and is_named:
        return Verdict("hold" if error.field in (None, "topic") else "aside", number)
    if error.status not in _OWN:
        return Verdict("later")
    if is_named or count == 1:
        return Verdict("aside", number)
    return Verdict("fewer")
