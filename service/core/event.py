"""Event and Draft: a stored fact, and what a publisher hands in before it is one."""

import json
import re
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, Final, NamedTuple

import msgspec

from service.core.errors import InvalidError
from service.core.limits import ABOUT_MAX, KEY_MAX, RESERVED_TYPES, TYPE_MAX
from service.core.topics import check_topic

new_tuple: Final = tuple.__new__
"""An Event from a tuple of its fields, in a third of the time that its class takes for it."""

TYPE_PATTERN: Final = rf"[A-Za-z0-9_.-]{{1,{TYPE_MAX}}}"
"""An event type as a regular expression, without anchors."""

_TYPE: Final = re.compile(rf"{TYPE_PATTERN}\Z", re.ASCII)

Rule = Callable[[str], None]
"""A further check of an event's data, such as an application's models; raises InvalidError."""

Rules = Callable[[str, str], Rule | None]
"""The rule for a topic and a type; None: any data will do. Raises ForbiddenError if it is not theirs to publish."""


def check_type(text: str, field: str = "type") -> str:
    """Return `text`. Raises InvalidError if it is no event type, or one that control frames use."""
    if _TYPE.match(text) is None:
        raise InvalidError(f"{text[:TYPE_MAX]!r} is not an event type: 1-{TYPE_MAX} of A-Z a-z 0-9 _ . -", field=field)
    if text in RESERVED_TYPES:
        raise InvalidError(f"the type {text!r} is reserved for control frames", field=field)
    return text


def check_key(text: str, field: str = "key") -> str:
    """Return `text`. Raises InvalidError if it is no idempotency key."""
    if not 1 <= len(text.encode("utf-8", "surrogatepass")) <= KEY_MAX or not text.isprintable():
        raise InvalidError(f"a key has 1-{KEY_MAX} bytes, all printable", field=field)
    return text


def check_subject(text: str, field: str = "subject") -> str:
    """Return `text`. Raises InvalidError if it names nothing that an event may be about."""
    if not 1 <= len(text.encode("utf-8", "surrogatepass")) <= ABOUT_MAX or not text.isprintable():
        raise InvalidError(f"a subject has 1-{ABOUT_MAX} bytes, all printable", field=field)
    return text


APPEND: Final = 1
FINAL: Final = 2
STATE: Final = 4
"""In an event's `mark`: its data is appended to its subject's value, and closes it. Never stored: it is told as part of
a state.
"""

JOINED: Final = 8
"""Likewise, as often as there are events that it stands for: it has the text that they made."""


class Draft(msgspec.Struct, frozen=True, gc=False):
    """What a publisher hands in. `data` is JSON text on one line, stored and delivered as it is.

    Construction does not validate: `checked` does, at the edge, once. Python's collector does not see it: there are ten
    thousand in a large publish, and with some of those under way it would look at all of them, again and again.
    """

    topic: str
    type: str
    data: str
    key: str | None = None
    subject: str | None = None
    """What on the topic it is about: its data replaces the value of that, or deletes it where it is null."""
    append: bool = False
    """It is appended to the value instead."""
    final: bool = False
    """It closes the value: nothing more is appended."""
    joined: int = 0
    """The service's own: it has the text that so many events made, from offset `first` to `last`, and replaces it."""
    first: int = 0
    last: int = 0

    @classmethod
    def of(
        cls,
        topic: str,
        type: str,
        value: Any,
        key: str | None = None,
        subject: str | None = None,
        *,
        append: bool = False,
        final: bool = False,
    ) -> "Draft":
        """A draft from a Python value. Raises ValueError for NaN and Infinity, TypeError if it is no JSON."""
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return cls(topic, type, text, key, subject, append, final).checked()

    def checked(self) -> "Draft":
        """Return self. Raises InvalidError naming the field that breaks the contract."""
        check_topic(self.topic)
        check_type(self.type)
        if self.key is not None:
            check_key(self.key)
        check_about(self.subject, append=self.append, final=self.final)
        return self

    @property
    def mark(self) -> int:
        return (APPEND if self.append else 0) | (FINAL if self.final else 0) | JOINED * self.joined

    @property
    def is_deletion(self) -> bool:
        """Whether it leaves its subject without a value."""
        return self.data == "null" and not self.append


def check_about(subject: str | None, *, append: bool, final: bool) -> None:
    """Raises InvalidError for a subject that is none, and for what needs one and has none."""
    if subject is not None:
        check_subject(subject)
    elif append or final:
        raise InvalidError("only what has a subject can be appended or final", field="append" if append else "final")


PlainRow = tuple[int, str, str, int, int, str]
TracedRow = tuple[int, str, str, int, int, str, str | None]
WholeRow = tuple[int, str, str, int, int, str, str | None, str | None, int | None]
Row = PlainRow | TracedRow | WholeRow
"""The columns of an Event, without being one: a replay makes frames of them, and has no use for the names.

The last are left out by a log of which no event has a subject, or not even a trace; all rows of a page are alike. To
read a column that is always null would be a twentieth of a replay.
"""


class Width(IntEnum):
    """Columns of a row."""

    PLAIN = 6
    TRACED = 7
    WHOLE = 9


OFFSET: Final = 0
TOPIC: Final = 1
TYPE: Final = 2
TIME: Final = 3
PREV: Final = 4
DATA: Final = 5
"""Where they are in a row, for whoever needs one of them; who needs more unpacks it."""


def mark_of(row: Row) -> int:
    """What an event does to its subject's value (APPEND, FINAL), and whether it is told as part of a state (STATE)."""
    mark = row[-1] if len(row) == Width.WHOLE else None
    return mark if isinstance(mark, int) else 0


def bytes_of(rows: Sequence[Row]) -> int:
    """Of these rows' data, as UTF-8: what bounds count."""
    return sum([len(data) if (data := row[DATA]).isascii() else len(data.encode()) for row in rows])


def filling(rows: Sequence[Row], size: int, max_bytes: int) -> int:
    """How many of these rows, which have `size` bytes of data, fill a page: up to the one that reaches `max_bytes`."""
    if size <= max_bytes:
        return len(rows)
    size = 0
    for kept, row in enumerate(rows, 1):
        size += bytes_of((row,))
        if size >= max_bytes:
            return kept
    return len(rows)


class Event(NamedTuple):
    """A stored fact, in the order of the columns that it is read from.

    `offset` counts from 1 over the whole log; `time` is Unix milliseconds, never smaller than the event's
    before it; `prev` is the offset of the event before this one on the same topic, 0 for its first;
    `data` is JSON text on one line; `traceparent` is the W3C trace context of its publisher's request, if that had one;
    `subject` is what on the topic it is about, if anything, and `mark` what it does to that (APPEND, FINAL, JOINED).
    """

    offset: int
    topic: str
    type: str
    time: int
    prev: int
    data: str
    traceparent: str | None = None
    subject: str | None = None
    mark: int | None = None


def as_text(first: Row, last: Row, strings: Sequence[str]) -> Event:
    """The last of some events about one subject, with the text of all of them, whose data are these strings in JSON:
    it replaces if the first of them does.

    What stands between the quotes is put together as it came: half a surrogate pair can't be decoded.
    """
    text = "".join([string[1:-1] for string in strings])
    mark = mark_of(last) & ~APPEND | mark_of(first) & APPEND
    return Event(*last)._replace(data=f'"{text}"', mark=mark or None)
