"""Texts that grow where the state is kept: how long each is, and one event in place of the many that it came in.

    known   of each text that somebody appends to, how many events it has and how many bytes: looked up once, and
            followed from commit to commit
    ripe    once JOIN_EVENTS were appended, and as many bytes as it had when it was begun or joined last: so however
            long a text gets, what is written for it is about twice what was appended. With JOIN_MOST it is ripe in any
            case, so that looking one up has a bound
    joined  by an event of the service's own, which replaces the value by the same text. It depends on nothing having
            been appended since the text was read, else what is new is read too. What it has replaced goes by compaction

So it is an event like any other, at one place of the order: a follower who replaces what he has is right, and so is who
begins with the state.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, NamedTuple, Protocol

from service.core.errors import GuardError
from service.core.event import FINAL, Draft
from service.log.sqlite.database import Connection

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

READ_ROWS: Final = 1_000
"""Events of a text that are read in one step, some milliseconds."""

TRIES: Final = 5
"""To join a text to which somebody appends; the next append makes it ripe again."""

_BEGIN: Final = """
coalesce((
    SELECT offset FROM events INDEXED BY events_subject WHERE topic = ?1 AND subject = ?2
    AND coalesce(mark, 0) & 1 = 0 ORDER BY offset DESC LIMIT 1
), 0)
"""
"""What was there before the last event that is no append was replaced by it, and may be much."""

_FIND: Final = """
WITH value AS MATERIALIZED (
    SELECT length(CAST(data AS BLOB)) - 2 AS size, substr(data, 1, 1) = '"' AS is_text FROM events
    INDEXED BY events_subject WHERE topic = ?1 AND subject = ?2 AND offset >= :begin: AND gone IS NULL
    ORDER BY offset LIMIT ?3
)
SELECT count(*) - 1, coalesce(sum(size), 0), coalesce(min(is_text), 1), (SELECT size FROM value LIMIT 1) FROM value
""".replace(":begin:", _BEGIN)
_READ: Final = """
SELECT offset, type, data, mark FROM events INDEXED BY events_subject
WHERE topic = ?1 AND subject = ?2 AND offset > ?3 AND gone IS NULL ORDER BY offset LIMIT ?4
"""
_READ_FIRST: Final = _READ.replace("offset > ?3", f"offset > ?3 AND offset >= {_BEGIN}")

_IS_CURRENT: Final = "SELECT 1 FROM events WHERE offset = ? AND gone IS NULL"

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


class _Topic(Protocol):
    @property
    def id(self) -> int: ...


class _Topics(Protocol):
    texts: Texts

    def get(self, name: str) -> _Topic | None: ...


class _Readers(Protocol):
    async def run(self, work: Callable[[Connection], Any]) -> Any: ...


class _Writer(Protocol):
    async def append(self, drafts: list[Draft]) -> Any: ...


class Joiner:
    """`run` it now and then."""

    def __init__(self, writer: _Writer, readers: _Readers, topics: _Topics) -> None:
        self._writer = writer
        self._readers = readers
        self._topics = topics

    async def run(self) -> int:
        """Join the texts that are ripe; how many were."""
        ripe = self._topics.texts.ripe
        joined = 0
        for name, subject in list(ripe):
            ripe.pop((name, subject), None)
            joined += await self._join(name, subject)
        return joined

    async def _join(self, name: str, subject: str) -> bool:
        topic = self._topics.get(name)
        if topic is None:
            return False
        rows: list[Any] = []
        for _ in range(TRIES):
            found = rows
            while len(found) == READ_ROWS or found is rows:
                after, first = (rows[-1][0], rows[0][0]) if rows else (0, 0)
                step = partial(_read, parameters=(topic.id, subject, after, READ_ROWS), first=first)
                if (found := await self._readers.run(step)) is None:  # another value, which is not ripe
                    return False
                rows += found
            if len(rows) < 2 or not all(data.startswith('"') for _, _, data, _ in rows):
                return False
            last, type, _, mark = rows[-1]
            text = "".join([data[1:-1] for _, _, data, _ in rows])
            is_final, first = bool((mark or 0) & FINAL), rows[0][0]
            draft = Draft(name, type, f'"{text}"', None, subject, False, is_final, len(rows), first, last)
            try:
                await self._writer.append([draft])
            except GuardError:  # something was appended meanwhile, or it was replaced
                continue
            return True
        return False


def _read(connection: Connection, parameters: tuple[Any, ...], first: int) -> list[Any] | None:
    """The next events of the value that begins with `first`, if that is known; None if it is no more."""
    rows: list[Any] = connection.execute(_READ if first else _READ_FIRST, parameters).fetchall()
    if first and connection.execute(_IS_CURRENT, (first,)).fetchone() is None:
        return None
    return rows
