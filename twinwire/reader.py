"""The cursor of one subscription, and the judgement of every frame against it: never lost, never twice. Pure.

Events may come from two connections at once, while the subscription moves from one transport to a better one: each is
complete from a position at or before the cursor, so whatever one has delivered, the other's copy is a duplicate.
"""

from enum import Enum, auto

from twinwire.cursor import compare, is_after, is_covered, is_cursor
from twinwire.event import Gap
from twinwire.frames import Frame


class Verdict(Enum):
    """What is done with an event."""

    DELIVER = auto()
    DUPLICATE = auto()
    LOST = auto()
    """An event of its topic between the cursor and it never came: read again from the cursor."""
    FOREIGN = auto()
    """Of another epoch, and no gap said so: read again."""
    UNREPAIRED = auto()
    """It was read again, and came in the same way: delivered."""


class Reader:
    """`cursor` is the last event that was taken, or a later position without events; None before the first
    connection."""

    def __init__(self, cursor: str | None = None) -> None:
        self.cursor = cursor if is_cursor(cursor) else None
        self._floor: str | None = None
        """A `prev` up to here proves nothing: the service said that it may be missing."""
        self._suspect: str | None = None
        """The event that proved a loss, and is read again."""
        self._told: str | None = None
        """The floor of the gap that was told last."""

    def begin(self, after: str | None, frame: Frame) -> None:
        """A connection that asked for `after` has begun with this frame.

        With a cursor the stream goes on from it, or a gap follows, which moves it: a connection that ends in between
        must not have moved it already, or nobody would ever hear of the gap. `earliest` has no gap: the floor says what
        retention took away.
        """
        if is_cursor(after):
            return
        if after == "earliest":
            self._floor = frame.floor if is_cursor(frame.floor) else None
        if is_cursor(frame.id):
            self.cursor = frame.id

    def event(self, id: str, prev: str | None) -> Verdict:
        """`LOST` and `FOREIGN` are told once of an event; when it comes again the cursor has moved behind it."""
        order = 1 if self.cursor is None else compare(id, self.cursor)
        if order is not None and order <= 0:
            return Verdict.DUPLICATE
        fault = Verdict.FOREIGN if order is None else Verdict.LOST if self._proves_loss(prev) else None
        is_again = self._suspect == id
        if fault and not is_again:
            self._suspect = id
            return fault
        self.cursor = id
        if is_again:
            self._suspect = None
        return Verdict.UNREPAIRED if fault else Verdict.DELIVER

    def _proves_loss(self, prev: str | None) -> bool:
        if not is_cursor(prev) or self.cursor is None or not is_after(prev, self.cursor):
            return False
        return self._floor is None or not is_covered(prev, self._floor)

    def position(self, id: str | None) -> bool:
        """Everything up to `id` was seen (`heartbeat`, `caught_up`); whether the cursor moved."""
        if not is_cursor(id) or (self.cursor is not None and not is_after(id, self.cursor)):
            return False
        self.cursor = id
        return True

    def gap(self, gap: Gap) -> bool:
        """Goes on where the gap says, in whatever epoch; whether it is news. A cursor below the floor of one topic and
        above that of another is told the same gap each time it comes back (docs/protocol.md, section 3). And one that
        is told on a slow connection, of what another one has brought already, is none."""
        is_of_floor = gap.reason in ("trimmed", "compacted")
        is_past = is_of_floor and is_cursor(gap.id) and self.cursor is not None and is_after(self.cursor, gap.id)
        if is_cursor(gap.id) and not is_past:
            self.cursor = gap.id
        self._floor = gap.floor
        self._suspect = None
        is_news = not is_past and (not is_of_floor or gap.floor is None or gap.floor != self._told)
        self._told = gap.floor if is_of_floor else None
        return is_news
