"""Where the value of a subject begins, as SQL: with the last event about it that is no append.

What was there before was replaced by that event, or deleted, and may be much: a hundred thousand readings of one lamp
until they are compacted. The index of a subject has them all, so whoever looks for its value looks from there on.
"""

from service.core.event import APPEND


def begin_of(topic: str, subject: str, *, at: str | None = None) -> str:
    """An expression for its offset, 0 if all are appends; the arguments are expressions too, and `at` is an offset, up
    to which is looked.
    """
    until = "" if at is None else f" AND begun.offset <= {at}"
    return f"""coalesce((
    SELECT begun.offset FROM events begun INDEXED BY events_subject
    WHERE begun.topic = {topic} AND begun.subject = {subject} AND coalesce(begun.mark, 0) & {APPEND} = 0{until}
    ORDER BY begun.offset DESC LIMIT 1
), 0)"""  # noqa: S608 - of the engine's own statements
