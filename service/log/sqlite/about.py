"""Subjects: which events the latest of each is made of, kept right as events come and as retention takes some.

A subject's value is an event that replaces it and those appended since. `gone` of each event with a subject says until
when it is one of these:

    NULL        it still is
    an offset   of the event that replaced or deleted the value; a deletion has its own
    0           the value lacks its beginning, which retention took: nobody is shown it until it is replaced, and from
                then on it is the offset of what has replaced it, below 0

So the state at a position is what has a subject and is not gone up to there, in the order of the log: a page of it is
read as any page is, through indexes of what counts. What is superseded is written again once, with its number.

Of a subject that retention took all of, `cut_subjects` remembers for a day that there was more: what is appended then
has no beginning. All of it changes with the events, in their transaction. Where the state is kept, how long texts are
is followed too (`joining.py`).
"""

from collections.abc import Iterable, Mapping
from typing import Final, Protocol

import msgspec

from service.core.errors import ClosedSubjectError, GuardError, LongTextError, TwinwireError
from service.core.event import FINAL, Draft
from service.log.sqlite.database import WriterConnection, as_json, transaction
from service.log.sqlite.texts import NOTHING, Text, grown
from service.log.sqlite.topics import Topic, TopicRegistry
from service.log.sqlite.values import begin_of

REMEMBERED: Final = 86_400
"""Seconds for which it is remembered of a subject that its value was cut."""

FORGOTTEN: Final = 100
"""Rows of one step, a few milliseconds: they lie apart."""

_FIND: Final = """
SELECT j.value ->> 0, j.value ->> 2, e.offset, e.mark, e.gone,
(SELECT final FROM cut_subjects c WHERE c.topic = j.value ->> 1 AND c.subject = j.value ->> 2)
FROM json_each(?) j LEFT JOIN events e ON e.offset = (
    SELECT offset FROM events INDEXED BY events_subject
    WHERE topic = j.value ->> 1 AND subject = j.value ->> 2 ORDER BY offset DESC LIMIT 1
)
"""
_BEGIN: Final = begin_of("j.value ->> 0", "j.value ->> 1")
_SUPERSEDE: Final = f"""
UPDATE events SET gone = iif(gone IS NULL, j.value ->> 2, -(j.value ->> 2)) FROM json_each(?) j
WHERE events.topic = j.value ->> 0 AND events.subject = j.value ->> 1 AND (events.gone IS NULL OR events.gone = 0)
AND events.offset >= {_BEGIN}
"""  # noqa: S608 - of two literals
_IS_WHOLE: Final = """
DELETE FROM cut_subjects WHERE (topic, subject) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?))
"""
_LACKS: Final = f"""
UPDATE events SET gone = 0 FROM json_each(?) j
WHERE events.topic = j.value ->> 0 AND events.subject = j.value ->> 1 AND events.gone IS NULL
AND events.offset >= {_BEGIN}
"""  # noqa: S608 - of two literals
_WAS_CUT: Final = """
INSERT OR REPLACE INTO cut_subjects (topic, subject, final, time)
SELECT value ->> 0, value ->> 1, value ->> 2, ?1 FROM json_each(?2)
"""

FORGET_CUT: Final = """
DELETE FROM cut_subjects WHERE (topic, subject) IN
(SELECT topic, subject FROM cut_subjects INDEXED BY cut_subjects_time WHERE time < ? LIMIT ?) RETURNING 1
"""
FORGET_KEYS: Final = """
DELETE FROM removed_keys WHERE (topic, key) IN
(SELECT topic, key FROM removed_keys INDEXED BY removed_keys_time WHERE time < ? LIMIT ?) RETURNING 1
"""
"""What is remembered for a while, for `forget`; keys are of events that were compacted (`compact.py`)."""


class Inserted(Protocol):
    """An event on its way into the table."""

    offset: int
    gone: int | None


class _Value(msgspec.Struct, eq=False):
    """A subject's, as it stands after what the commit has done so far."""

    topic: int
    has_stored: bool = False
    """Events that were there before."""
    is_final: bool = False
    is_cut: bool = False
    was_cut: bool = False
    """`cut_subjects` has it."""
    rows: list[Inserted] = []
    """What counts of this commit's own."""
    superseded: int = 0
    """The offset of the first event here that has replaced or deleted it; 0 if none has."""
    last: int = 0
    """The offset of the last event; 0 if there is none."""
    has_value: bool = False
    text: Text | None = NOTHING
    is_measured: bool = False
    """Whether `text` says how long it is, which matters where texts are joined."""


class Subjects:
    """Of one commit; on the writer's thread."""

    def __init__(self, registry: TopicRegistry) -> None:
        self._registry = registry
        self._values: dict[tuple[str, str], _Value] = {}

    def check(self, connection: WriterConnection, drafts: Iterable[tuple[int, Draft]]) -> TwinwireError | None:
        """What is answered if one of these, by its number, is appended to what is closed by then, or too long; or joins
        what is not the same any more.

        What is stored of their subjects is known afterwards.
        """
        about = [(number, draft) for number, draft in drafts if draft.subject is not None]
        self._find(connection, {(draft.topic, draft.subject) for _, draft in about if draft.subject is not None})
        closed: dict[tuple[str, str], bool] = {}
        texts: dict[tuple[str, str], Text | None] = {}
        for number, draft in about:
            subject = draft.topic, draft.subject or ""
            value = self._values.get(subject)
            if draft.append and closed.get(subject, value is not None and value.is_final):
                detail = f"{subject[1]!r} on {subject[0]} is final: an event that replaces it opens it again"
                return ClosedSubjectError(detail, field="append", number=number)
            closed[subject] = draft.final
            if draft.joined and not self._is_as_it_was(value, draft):
                return GuardError("the subject is not what it was when its text was read")
            if self._registry.texts.keeps(draft.topic):
                if subject not in texts:
                    texts[subject] = self._measured(connection, subject, value) if draft.append else NOTHING
                text = texts[subject] = grown(texts[subject], draft)
                if draft.append and text is not None and text.size + 2 > self._registry.texts.most:
                    detail = f"{subject[1]!r} on {subject[0]} would have over {self._registry.texts.most} bytes"
                    return LongTextError(detail, field="data", number=number)
        return None

    def _is_as_it_was(self, value: _Value | None, join: Draft) -> bool:
        """Whether it has the value that was read: nothing came since, and retention takes nothing of it."""
        topic = self._registry.get(join.topic)
        if value is None or topic is None or value.is_cut or value.last != join.last:
            return False
        return join.first > topic.floor

    def _measured(self, connection: WriterConnection, subject: tuple[str, str], value: _Value | None) -> Text | None:
        if value is None:
            return NOTHING
        if not value.is_measured:
            value.is_measured = True
            if value.is_cut:
                value.text = None
            elif value.has_value:
                value.text = self._registry.texts.find(connection, value.topic, subject, value.last)
        return value.text

    def _find(self, connection: WriterConnection, subjects: set[tuple[str, str]]) -> None:
        sought: list[tuple[str, int, str]] = []
        for name, subject in subjects - self._values.keys():
            if (topic := self._registry.get(name)) is not None:
                sought.append((name, topic.id, subject))
        if not sought:
            return
        for name, subject, offset, mark, gone, cut in connection.execute(_FIND, (as_json(sought),)).fetchall():
            topic = self._registry.get(name)
            if topic is None or (offset is None and cut is None):
                continue
            self._values[name, subject] = _Value(
                topic.id,
                has_stored=offset is not None,
                is_final=bool(cut if offset is None else (mark or 0) & FINAL),
                is_cut=offset is None or gone == 0,
                was_cut=cut is not None,
                last=offset or 0,
                has_value=offset is not None and gone is None,
            )

    def take(self, topic: Topic, draft: Draft, row: Inserted) -> None:
        """The next event about a subject, which was checked; sets what is `gone` of it, and of those before it."""
        subject = topic.name, draft.subject or ""
        value = self._values.get(subject)
        if value is None:
            value = self._values[subject] = _Value(topic.id)
        if draft.append:
            row.gone = 0 if value.is_cut else None
            value.rows.append(row)
        else:
            for before in value.rows:
                before.gone = row.offset if before.gone is None else -row.offset
            value.superseded = value.superseded or row.offset
            value.is_cut = False
            value.rows = [] if draft.is_deletion else [row]
            row.gone = row.offset if draft.is_deletion else None
        value.is_final = draft.final
        value.last = row.offset
        if self._registry.texts.keeps(draft.topic):
            value.text, value.is_measured = None if value.is_cut else grown(value.text, draft), True

    def texts(self) -> Iterable[tuple[tuple[str, str], int, Text | None]]:
        """How long those are that were changed, and the last event of each."""
        return [(subject, value.last, value.text) for subject, value in self._values.items() if value.is_measured]

    def supersede(self, connection: WriterConnection) -> None:
        """Tell the stored events of what was replaced or deleted; before the commit's own are inserted."""
        found = [(key[1], value) for key, value in self._values.items() if value.superseded]
        stored = [(value.topic, subject, value.superseded) for subject, value in found if value.has_stored]
        if stored:
            connection.execute(_SUPERSEDE, (as_json(stored),))
        cut = [(value.topic, subject) for subject, value in found if value.was_cut]
        if cut:
            connection.execute(_IS_WHOLE, (as_json(cut),))


def lose(connection: WriterConnection, marks: Mapping[tuple[int, str], int | None], at: int) -> None:
    """Of these subjects, by their topics' ids, events that counted were removed at a moment, in Unix ms, the last of
    them with this mark; in the same transaction.
    """
    if marks:
        found = as_json([(topic, subject, int(bool((mark or 0) & FINAL))) for (topic, subject), mark in marks.items()])
        connection.execute(_LACKS, (found,))
        connection.execute(_WAS_CUT, (at, found))


def forget(connection: WriterConnection, statement: str, before: int) -> bool:
    """One step of forgetting what is remembered since before a moment, in Unix ms; whether there may be more."""
    with transaction(connection):
        gone = connection.execute(statement, (before, FORGOTTEN)).fetchall()
    return len(gone) == FORGOTTEN
