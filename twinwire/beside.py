"""What a connection brings beside the events of the log, and behind no cursor: events that are not kept, and who is
where. It is told at once, and never put among the others."""

from dataclasses import dataclass
from typing import Final

from twinwire.errors import Fault
from twinwire.frames import Frame
from twinwire.link import Link
from twinwire.passing import Heard, tell
from twinwire.watching import Watching

PING: Final = 15.0
"""Seconds: after twice as many without a message a member counts as lost (docs/protocol.md, section 11)."""


@dataclass(frozen=True, slots=True)
class Beside:
    """Who is told; nobody asks the service for what nobody is told of. `is_alone`: of the events themselves nobody
    wants to know, so that those that a connection has missed are not asked for."""

    ephemeral: Heard | None = None
    watching: Watching | None = None
    is_alone: bool = False

    @property
    def hears(self) -> bool:
        return self.ephemeral is not None

    @property
    def watches(self) -> bool:
        return self.watching is not None

    @property
    def ping_every(self) -> float | None:
        """Seconds between messages, which a member of a place owes the service; None if there is no need of any."""
        return None if self.watching is None else PING

    def heard(self, link: Link, frame: Frame, raw: str, *, is_working: bool) -> None:
        """Of the link that works, or of one that is tried beside it, which has lists of its own."""
        if frame.topic is not None:
            if self.ephemeral is not None and is_working:
                tell(self.ephemeral, frame, raw)
        elif self.watching is not None:
            try:
                self.watching.frame(link, raw)
            except ValueError as error:
                link.drop(Fault("protocol", f"a message does not say who is there: {error}"))

    def adopt(self, link: Link) -> None:
        """It works from now on."""
        if self.watching is not None:
            self.watching.adopt(link)
