"""What the bus asks of a wire: how an event becomes a frame, and how frames become one write."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from service.core.ephemeral import Ephemeral
from service.core.event import Event, Row

P = TypeVar("P")
P_co = TypeVar("P_co", covariant=True)
P_contra = TypeVar("P_contra", contravariant=True)
"""The payload of one write: bytes for a wire of bytes, a tuple of messages for a wire of messages."""


class Encoding(Protocol[P_co]):
    """Pure and deterministic: the same event is always the same frame, so frames are made once and shared.

    Two encodings with the same `name` are interchangeable. `transport` names the wire, in lists and metrics.
    """

    @property
    def name(self) -> str: ...
    @property
    def transport(self) -> str: ...
    @property
    def is_fed(self) -> bool:
        """Whether its outlets ever take a write. If not, no frames are made for them: they are told to read."""

    def frame(self, event: Event) -> bytes:
        """One event's frame, to be kept and joined later."""

    def page(self, rows: Sequence[Row]) -> P_co:
        """The same as joining the frames of these events, in fewer steps; never called with none."""

    def join(self, frames: Sequence[bytes]) -> P_co:
        """Several frames as one write; never called with none."""


class EphemeralEncoding(Encoding[P_co], Protocol[P_co]):
    """An encoding that frames events that are not kept, too."""

    def ephemeral(self, event: Ephemeral) -> bytes:
        """Its frame, which is joined as those of stored events are."""


class PresenceEncoding(Encoding[P_co], Protocol[P_co]):
    """An encoding that frames what is told of presence, too."""

    def presence(self, text: str) -> bytes:
        """The frame of a control frame's JSON text, which is joined as those of events are."""
