"""Every bound that the wire contract promises, with its unit and its reason.

Bounds that an operator may move live in `service.settings`; these do not move, because clients rely on them.
"""

from typing import Final, get_args

from service.core.rates import Rate
from service.core.words import ControlType, EventSourceType

TYPE_MAX: Final = 64
"""Characters in an event type: it becomes the SSE `event:` field and a metric-friendly name."""

TOPIC_MAX: Final = 200
"""Bytes in a topic or a filter: it travels in a URL, several of them in one request line."""

FILTER_TOPICS_MAX: Final = 100
"""Patterns in one filter: matching is linear in them, and a request line has to hold them all."""

KEY_MAX: Final = 128
"""Bytes in an idempotency key: room for two UUIDs and a prefix."""

ABOUT_MAX: Final = 128
"""Bytes of what on its topic an event is about, its subject: a path, or two UUIDs and a prefix."""

CURSOR_MAX: Final = 64
"""Bytes of cursor text that are looked at; what a `gap` quotes back is cut here."""

DATA_MAX: Final = 64 * 1024
"""Bytes of encoded `data` by default: one event fits a socket buffer."""

ENVELOPE_MAX: Final = 4 * 1024
"""Bytes a WebSocket message may hold beyond its data: op, ref, topic, type, key and subject."""

TOKEN_MAX: Final = 8 * 1024
"""Bytes of a token: it travels in a header, and servers and proxies end a line of it at 8 KiB or not much later."""

SUBJECT_MAX: Final = 128
"""Characters of a user's id: two UUIDs and a prefix, or an address of mail."""

INFO_MAX: Final = 1024
"""Bytes of a token's `info`, encoded: all who watch presence get it, of everybody who is there."""

REQUEST_MAX: Final = 8 * 1024 * 1024
"""Bytes of one publish request; a larger batch is several requests."""

BATCH_MAX: Final = 10_000
"""Events in one publish request: its transaction must not hold up the others for long."""

OFFSET_MAX: Final = 2**63 - 1
"""The largest offset SQLite's rowid can hold; a cursor beyond it is malformed."""

EPHEMERAL_MAX: Final = 4 * 1024
"""Bytes of encoded `data` of an event that is not kept, by default: a state of one thing that moves, not a document."""

EPHEMERAL_BATCH: Final = 100
"""Ephemeral events in one request: the burst holds them."""

EPHEMERAL_RATE: Final = Rate(60.0, 120)
"""Ephemeral events a second of one sender, and at once, by default: a screen's frames."""

EPHEMERAL_TTL: Final = 5.0
"""Seconds for which an ephemeral event is wanted, unless its sender says otherwise."""

EPHEMERAL_TTL_LEAST: Final = 0.1
"""Seconds that he may say: in less it may not have gone out."""

EPHEMERAL_TTL_MAX: Final = 60.0
"""Seconds likewise: what is wanted for longer is worth storing."""

MEMBER_MAX: Final = 64
"""Characters of a member's id: a UUID, and a prefix."""

PRESENCE_DATA: Final = 1024
"""Bytes of a member's encoded `data` by default: all who watch its place get it, of everybody who is there."""

PRESENCE_DATA_MAX: Final = 4 * 1024
"""Bytes likewise that an operator may allow."""

PRESENCE_PLACES: Final = 32
"""Places at which one connection may be."""

PRESENCE_OF_USER: Final = 20
"""Members of one user at one place; of callers without a subject, of one connection there."""

PRESENCE_LEASE: Final = 30.0
"""Seconds of silence after which one who is present over a WebSocket counts as lost, and of a lease over HTTP unless
the caller says otherwise."""

PRESENCE_LEASE_LEAST: Final = 10.0
"""Seconds that a caller may say: in less he could hardly renew it."""

PRESENCE_LEASE_MAX: Final = 120.0
"""Seconds likewise: so long at most is one shown who has vanished."""

PRESENCE_RATE: Final = Rate(5.0, 20)
"""Changes a second of one member, and at once: what watchers get of them is less, one in each batch."""

PRESENCE_OPS: Final = Rate(60.0, 240)
"""Messages about presence a second of one WebSocket, and at once."""

PRESENCE_LEFT: Final = 500
"""Members that one beacon names: a connection at all its places with some members each."""

PRESENCE_KNOWN: Final = 1_000
"""Places of which a poll says the version that it knows: all that 64 KiB of a body may name, where names are short."""

PAGE_DEFAULT: Final = 500
"""Events in one long-poll or history answer, unless the caller says otherwise."""

PAGE_MAX: Final = 1_000
"""Events in one answer at most; a larger `limit` is capped."""

WAIT_MAX: Final = 60.0
"""Seconds a long poll may wait."""

RETRY_MIN_MS: Final = 500
"""Milliseconds; Firefox never reconnects faster, and a smaller `retry:` invites storms."""

RESERVED_TYPES: Final = frozenset(get_args(ControlType) + get_args(EventSourceType))
"""Types that can't be published: those of control frames, and EventSource's own."""
