"""Twinwire: live events with one durable cursor, for Python programs. docs/python.md says how.

    from twinwire import Twinwire

    with Twinwire() as live:
        live.publish("orders/17", "paid", {"total": 12})
        for event in live.subscribe("orders/*", after="earliest"):
            print(event.id, event.topic, event.type, event.data)

`AsyncTwinwire` is the same for programs on asyncio. The service itself is the package `service`, which this one never
imports but for `asgi`, which mounts it in an application (docs/mounting.md).
"""

from typing import TYPE_CHECKING, Final

from twinwire.lazily import lazily

if TYPE_CHECKING:
    from twinwire.aio import AsyncTwinwire
    from twinwire.batch import Batch
    from twinwire.blocking import BlockingBatch, BlockingSubscription, Twinwire
    from twinwire.blocking_room import BlockingRoom, BlockingWatch
    from twinwire.caller import Caller
    from twinwire.chooser import Transport
    from twinwire.errors import ClosedError, ForkedError, InvalidError, RefusedError, TwinwireError
    from twinwire.event import Draft, Ephemeral, Event, Gap, Page, RawJson, Snapshot
    from twinwire.mounting import Live, asgi
    from twinwire.presence import Room, Watch
    from twinwire.roll import Change, Left, Member, Roll, User
    from twinwire.store import CursorStore, FileStore, SqlStore
    from twinwire.subscription import Subscription
    from twinwire.timing import Timing

__all__ = [
    "AsyncTwinwire",
    "Batch",
    "BlockingBatch",
    "BlockingRoom",
    "BlockingSubscription",
    "BlockingWatch",
    "Caller",
    "Change",
    "ClosedError",
    "CursorStore",
    "Draft",
    "Ephemeral",
    "Event",
    "FileStore",
    "ForkedError",
    "Gap",
    "InvalidError",
    "Left",
    "Live",
    "Member",
    "Page",
    "RawJson",
    "RefusedError",
    "Roll",
    "Room",
    "Snapshot",
    "SqlStore",
    "Subscription",
    "Timing",
    "Transport",
    "Twinwire",
    "TwinwireError",
    "User",
    "Watch",
    "asgi",
]

_HOMES: Final = {
    "aio": "AsyncTwinwire",
    "batch": "Batch",
    "blocking": "BlockingBatch BlockingSubscription Twinwire",
    "blocking_room": "BlockingRoom BlockingWatch",
    "caller": "Caller",
    "chooser": "Transport",
    "errors": "ClosedError ForkedError InvalidError RefusedError TwinwireError",
    "event": "Draft Ephemeral Event Gap Page RawJson Snapshot",
    "mounting": "Live asgi",
    "presence": "Room Watch",
    "roll": "Change Left Member Roll User",
    "store": "CursorStore FileStore SqlStore",
    "subscription": "Subscription",
    "timing": "Timing",
}
"""By module: the command, and a server, need nothing of most of it."""


if not TYPE_CHECKING:  # or every name would be one of the package's
    __getattr__ = lazily(__name__, _HOMES)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
