"""What a reader of the bus is handed: frames to write, or the news that something can't be delivered."""

from dataclasses import dataclass
from typing import Generic, NamedTuple

from service.bus.encoding import P
from service.core.words import GapReason


@dataclass(frozen=True, slots=True)
class Batch(Generic[P]):
    """Frames ready to write: `count` events, after which the reader stands at `offset`. `payload` None: no frame.

    Up to `floor` some may be missing: the filter's, as of the page that they were made of.
    """

    payload: P | None
    count: int
    offset: int
    floor: int


class Gap(NamedTuple):
    """What could not be delivered. `requested` is what the client asked for; offsets are positions in this log."""

    requested: str
    reason: GapReason
    offset: int
    floor: int | None
    has_state: bool = False
    """Whether the state follows, and all that comes after `offset`."""


class StateEnd(NamedTuple):
    """All of the state at an offset was told."""

    offset: int


class Place(NamedTuple):
    """Where the next part of a state begins (`states.py`)."""

    at: int
    """The position of the state: the offset that all its parts include."""
    after: int = 0
    """The offset of the last event that was looked at."""
    moment: int = 0
    """Up to when it is known that nothing of the state was removed (`Removals`)."""
    inside: int = 0
    """Up to this offset a text was told, the one that ends at `text`; 0 if none was begun."""
    text: int = 0

    @property
    def is_end(self) -> bool:
        return self.after >= self.at
