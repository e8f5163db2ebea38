"""Words that the wire contract fixes: closed sets, of which the type checker knows every member.

Names of transports are not among them: another front door brings its own.
"""

from typing import Literal

GapReason = Literal["trimmed", "epoch", "ahead", "malformed"]
"""Why something after a cursor can't be delivered (docs/protocol.md, section 3)."""

GoodbyeReason = Literal["restart", "auth", "stalled", "limit", "idle"]
"""Why the service ends a stream (docs/protocol.md, section 2)."""

ControlType = Literal["connection", "gap", "caught_up", "heartbeat", "goodbye", "problem", "reply", "pong"]
"""What a frame without a topic can be (docs/protocol.md, section 2)."""

ComingType = Literal["auth", "presence", "state_end"]
"""Control frames of a later version: reserved before there are clients, who could have events of these types."""

EventSourceType = Literal["error", "open"]
"""What EventSource uses itself: an SSE event of such a name would be taken for its own (HTML, "Server-sent events")."""
