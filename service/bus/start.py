"""Where a stream starts: the text that a client sent, understood (docs/protocol.md, section 3)."""

from dataclasses import dataclass
from enum import Enum

from service.core.cursor import Cursor
from service.core.limits import CURSOR_MAX
from service.core.words import StateForm


class StartKind(Enum):
    NOW = "now"
    LATEST = "latest"
    EARLIEST = "earliest"
    CURSOR = "cursor"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Start:
    """`requested` is what the client sent, cut to a bound, so that a `gap` can quote it. With `state`, whoever can't go
    on from a cursor is told the state first, in this form.
    """

    kind: StartKind
    requested: str = ""
    cursor: Cursor | None = None
    state: StateForm | None = None

    @classmethod
    def now(cls, state: StateForm | None = None) -> "Start":
        return cls(StartKind.NOW, state=state)

    @classmethod
    def parse(cls, text: str | None, state: StateForm | None = None) -> "Start":
        """Never raises: what is no cursor is a gap. An empty text counts as none, as EventSource means it."""
        if not text:
            return cls.now(state)
        if text in (StartKind.EARLIEST.value, StartKind.LATEST.value):
            return cls(StartKind(text), text, state=state)
        cursor = Cursor.parse(text)
        if cursor is None:
            quoted = text.encode("utf-8", "replace")[:CURSOR_MAX].decode("utf-8", "ignore")
            return cls(StartKind.MALFORMED, quoted, state=state)
        return cls(StartKind.CURSOR, text, cursor, state)
