"""Cursors: `epoch-offset`, the last event that was handled (docs/protocol.md, section 1). Pure."""

import re
from typing import Final, TypeGuard

_CURSOR: Final = re.compile(r"([a-z0-9]{1,32})-(0|[1-9][0-9]{0,18})\Z", re.ASCII)


def is_cursor(text: object) -> TypeGuard[str]:
    """Whether `text` is a cursor; the keywords `earliest` and `latest` are not."""
    return isinstance(text, str) and _CURSOR.match(text) is not None


def compare(a: str, b: str) -> int | None:
    """Less than 0, 0 or more than 0, as `a` lies before, at or after `b`; None if they are not of one epoch.

    >>> compare("k7f3q2-9", "k7f3q2-10") < 0
    True
    """
    if a == b:
        return 0
    epoch, _, offset = a.partition("-")
    other_epoch, _, other = b.partition("-")
    return int(offset) - int(other) if epoch == other_epoch else None


def is_after(a: str, b: str) -> bool:
    """Whether `a` lies after `b` in the same epoch."""
    order = compare(a, b)
    return order is not None and order > 0


def is_covered(a: str, b: str) -> bool:
    """Whether `a` lies at or before `b` in the same epoch."""
    order = compare(a, b)
    return order is not None and order <= 0
