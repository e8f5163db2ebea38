"""Words that the wire contract fixes: closed sets, of which the type checker knows every member.

Names of transports are no such set: another front door brings its own.
"""

from typing import Final, Literal

GapReason = Literal["trimmed", "compacted", "epoch", "ahead", "malformed"]
"""Why something after a cursor can't be delivered (docs/protocol.md, section 3)."""

GoodbyeReason = Literal["restart", "auth", "stalled", "limit", "idle"]
"""Why the service ends a stream (docs/protocol.md, section 2)."""

AuthDetail = Literal["expired", "revoked", "invalid", "forbidden"]
"""Why a client may not go on: what `goodbye` says beside `auth`."""

TokenFault = Literal[
    "algorithm", "audience", "claims", "early", "expired", "key", "malformed", "revoked", "signature", "ticket", "ttl"
]
"""Why a token is not valid, as logs and metrics name it; whoever brought it is not told."""

PublishRefusal = Literal[
    "closed", "down", "full", "guard", "other", "queue", "reserve", "storage", "topics", "unsupported"
]
"""Why the log took a publish not, as metrics name it."""

AuthState = Literal["expiring", "renewed", "reduced"]
"""What an `auth` frame tells of a stream's credential."""

StateForm = Literal["events", "text"]
"""How a state is told: its events as they are, or what grew as one text."""

ControlType = Literal[
    "auth",
    "connection",
    "gap",
    "state_end",
    "caught_up",
    "heartbeat",
    "goodbye",
    "problem",
    "reply",
    "pong",
    "presence",
]
"""What a frame without a topic can be (docs/protocol.md, section 2)."""

LeaveReason = Literal["left", "closed", "lost", "expired", "revoked", "node"]
"""Why a member is no longer at its place (docs/protocol.md, section 11). `node` is of several nodes, of which there are
none yet."""

EventSourceType = Literal["error", "open"]
"""What EventSource uses itself: an SSE event of such a name would be taken for its own (HTML, "Server-sent events")."""

TRANSPORTS: Final = ("websocket", "sse", "poll")
"""Wires that lists and metrics name also while nobody is there; others come up as soon as they have subscribers."""
