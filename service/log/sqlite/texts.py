"""Texts that grow where the state is kept: how long each is, and which are to become one event (`joining.py`).

known  of each text that somebody appends to, how many events it has and how many bytes: looked up once, and
       followed from commit to commit
ripe   once JOIN_EVENTS were appended, and as many bytes as it had when it was begun or joined last: so however
       long a text gets, what is written for it is about twice what was appended. With JOIN_MOST it is ripe in any
       case, so that looking one up has a bound
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from service.core.event import Draft
from service.log.sqlite.database import Connection
from service.log.sqlite.values import begin_of

JOIN_EVENTS: Final = 500
"""That were appended since the value was begun, or joined."""

JOIN_MOST: Final = 4_000
"""Of which the commit that joins them is told one by one, some microseconds each; and a state that was begun before it
is told to its end (`state.SINCE_MAX`).
"""

FIND_MOST: Final = 20_000
"""Events of a value that is looked up, some milliseconds; one of more, of before its state was kept, is not joined."""

KNOWN_MAX: Final = 20_000
"""Values of which it is known how long they are; one beyond is looked up again."""

RIPE_MAX: Final = 10_000
"""That wait to be joined; of more, each is met again when something is appended to it."""

_FIND: Final = f"""
WITH value AS MATERIALIZED (
    SELECT length(CAST(data AS BLOB)) - 2 AS size, substr(data, 1, 1) = '"' AS is_text FROM events
    INDEXED BY events_subject WHERE topic = ?1 AND subject = ?2 AND offset >= {begin_of("?1", "?2")} AND gone IS NULL
    ORDER BY offset LIMIT ?3
)
SELECT count(*) - 1, coalesce(sum(size), 0), coalesce(min(is_text), 1), (SELECT size FROM value LIMIT 1) FROM value
"""  # noqa: S608 - of two literals

Subject = tuple[str, str]
"""A topic's name, and a subject of it."""


class Text(NamedTuple):
    """A value that is made of strings. Bytes are those of the JSON text, between its quotes, as UTF-8."""

    events: int
    """That were appended; -1 while there is no value."""
    base: int
    """Bytes that it had before."""
    size: int

    @property
    def is_ripe(self) -> bool:
        return self.events >= JOIN_MOST or (self.events >= JOIN_EVENTS and self.size >= 2 * self.base)


NOTHING: Final = Text(-1, 0, 0)


def grown(text: Text | None, draft: Draft) -> Text | None:
    """What a draft makes of a value; None: that is no text."""
    if draft.is_deletion:
        return NOTHING
    if not draft.data.startswith('"') or (draft.append and text is None):
        return None
    size = len(draft.data if draft.data.isascii() else draft.data.encode()) - 2
    if not draft.append or text is None or text.events < 0:
        return Text(0, size, size)
    return Text(text.events + 1, text.base, text.size + size)


class Texts:
    """Of the topics of which `keeps` is true; a text has at most `most` bytes, with its quotes.

    `find` is called on the writer's thread, and all else on the loop, between two of its jobs.
    """

    def __init__(self, keeps: Callable[[str], bool] = lambda topic: False, most: int = 1 << 20) -> None:
        self.keeps = keeps
        self.most = most
        self._known: OrderedDict[Subject, tuple[int, Text | None]] = OrderedDict()
        """With the offset of the last event of each: retention and others may have changed it since."""
        self.ripe: dict[Subject, None] = {}
        """In the order in which they became it."""

    def find(self, connection: Connection, topic: int, subject: Subject, last: int) -> Text | None:
        """Of a value that is there, of which `last` is the last event."""
        offset, text = self._known.get(subject, (0, None))
        if offset == last:
            return text
        events, size, is_text, base = connection.execute(_FIND, (topic, subject[1], FIND_MOST)).fetchone()
        return Text(events, base or 0, size) if is_text and events + 1 < FIND_MOST else None

    def learn(self, found: Iterable[tuple[Subject, int, Text | None]]) -> None:
        """What these are after a commit, and the last event of each."""
        for subject, last, text in found:
            self._known[subject] = last, text
            self._known.move_to_end(subject)
            if text is not None and text.is_ripe and text.size + 2 <= self.most and len(self.ripe) < RIPE_MAX:
                self.ripe[subject] = None
        while len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)
