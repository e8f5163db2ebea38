"""What the service says beside events, as fields of control frames (docs/protocol.md, section 2).

Pure: an epoch and values in, fields out. An encoding makes a frame of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from service.bus.encoding import EphemeralEncoding, P_co, PresenceEncoding
from service.bus.values import Gap
from service.core.cursor import Cursor
from service.core.time import rfc3339
from service.core.topics import TopicFilter
from service.core.words import AuthState, ControlType
from service.stream.ending import Ending

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Control:
    """`epoch` is the log's; `heartbeat` is how often one is sent at least, in seconds."""

    epoch: str
    heartbeat: float

    def cursor(self, offset: int) -> str:
        return str(Cursor(self.epoch, offset))

    def cursor_or_none(self, offset: int | None) -> str | None:
        return None if offset is None else self.cursor(offset)

    def connection(
        self,
        id: str,
        transport: str,
        topics: TopicFilter,
        offset: int | None,
        *,
        head: int,
        floor: int,
        resumed: bool,
        retry: int,
        subject: str | None = None,
        expires: int | None = None,
        ephemeral: bool = False,
        presence: bool = False,
    ) -> Fields:
        """The first frame of every stream: who it is, what it is about, and where it stands, None before a state.
        `retry` is in ms; `floor` 0 for a filter of which nothing is missing; `expires` in Unix ms, None for never.
        """
        asked = {name: True for name, is_asked in (("ephemeral", ephemeral), ("presence", presence)) if is_asked}
        return {
            "id": self.cursor_or_none(offset),
            "connection": id,
            "transport": transport,
            "topics": list(topics.patterns),
            "head": self.cursor(head),
            "floor": self.cursor(floor) if floor else None,
            "resumed": resumed,
            "heartbeat": self.heartbeat,
            "retry": retry,
            "subject": subject,
            "expires": None if expires is None else rfc3339(expires),
            **asked,
        }

    def auth(self, state: AuthState, subject: str | None, expires: int | None, unix_ms: int, **more: Any) -> Fields:
        """What becomes of a stream's credential: `in` is how many seconds it has left."""
        left = None if expires is None else max(0, round((expires - unix_ms) / 1000))
        ends = None if expires is None else rfc3339(expires)
        return {"state": state, "subject": subject, "expires": ends, "in": left, **more}

    def gap(self, gap: Gap) -> Fields:
        return {
            "requested": gap.requested,
            "reason": gap.reason,
            "id": None if gap.has_state else self.cursor(gap.offset),
            "floor": self.cursor_or_none(gap.floor),
        }

    def caught_up(self, offset: int, replayed: int) -> Fields:
        return {"id": self.cursor(offset), "replayed": replayed}

    def state_end(self, offset: int) -> Fields:
        return {"id": self.cursor(offset)}

    def beat(self, offset: int | None, unix_ms: int) -> Fields:
        """A heartbeat's; None while a state is told."""
        return {"id": self.cursor_or_none(offset), "time": rfc3339(unix_ms)}

    def goodbye(self, ending: Ending, retry: int) -> Fields:
        """`retry` is when to come back, in ms: not at all with the same credential, if that is what ended it."""
        detail = {} if ending.detail is None else {"detail": ending.detail}
        return {"reason": ending.reason, **detail, "code": ending.code, "retry": None if ending.is_final else retry}


class StreamEncoding(EphemeralEncoding[P_co], PresenceEncoding[P_co], Protocol[P_co]):
    """An encoding that frames control frames too.

    `may_be_held_back`: a proxy on the way may keep the last message until the next one comes, so that a small one
    has to follow each burst.
    """

    @property
    def may_be_held_back(self) -> bool: ...
    def control(self, type: ControlType, fields: Mapping[str, Any]) -> P_co: ...
    def opening(self, connection: Mapping[str, Any]) -> P_co:
        """The first write of a stream: `connection`, and what has to stand before it on this wire."""
