"""Events that are not kept and wait for one reader, while he is not live or takes nothing: of each *what* the newest.

Nothing else is ever queued for him. What all readers hold together is counted in bytes, once for each of them, also
where they share a frame. Pure, as `ephemeral.py`.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

from service.core.ephemeral import Drop, Ephemeral, What

SLOTS_MAX: Final = 64
"""Frames that wait for one reader, each with a key of its own; for one more the oldest goes."""

ROOM_BYTES: Final = 16 << 20
"""Of all frames that wait, for all readers."""

LOOK: Final = 5_000
"""Frames that one `purge` looks at, some milliseconds."""

_FRAME: Final = 200
"""Bytes of a frame's place beside it."""


class Room:
    """What all `Slots` hold together; `dropped` is told what is left out, by reason."""

    def __init__(self, dropped: Counter[Drop], most: int = ROOM_BYTES) -> None:
        self.most: Final = most
        self.dropped: Final = dropped
        self.held = 0
        """Bytes; only `Slots` writes it."""
        self.tables: dict[Slots, None] = {}
        """Those that are not empty."""

    def purge(self, now: float) -> bool:
        """Let go of what nobody wants any more; False if only some were looked at, so that this is to be called soon
        again, and goes on with the others."""
        left = LOOK
        for slots in tuple(self.tables):
            if left <= 0:
                return False
            left -= 1 + len(slots)
            del self.tables[slots]
            self.tables[slots] = None  # behind the others, or `purge` takes it out
            slots.purge(now)
        return True


class Slots:
    """What waits for one reader: of each *what* the newest frame, the oldest first."""

    __slots__ = ("_kept", "_room")

    def __init__(self, room: Room) -> None:
        self._room = room
        self._kept: dict[What, tuple[float, bytes]] | None = None  # made with the first
        """Until when it is wanted, and the frame."""

    def __len__(self) -> int:
        return len(self._kept or ())

    def put(self, event: Ephemeral, frame: bytes) -> None:
        """Keep it in the place of an older one. Where there is no room, the oldest here goes, or else this one."""
        kept = self._kept = self._kept or {}
        if event.what in kept:
            self._drop(event.what, "replaced")
        elif len(kept) >= SLOTS_MAX:
            self._drop(next(iter(kept)), "full")
        size = _FRAME + len(frame)
        while kept and self._room.held + size > self._room.most:
            self._drop(next(iter(kept)), "full")
        if self._room.held + size > self._room.most:
            self._room.dropped["full"] += 1
            self._room.tables.pop(self, None)
        else:
            kept[event.what] = event.until, frame
            self._room.held += size
            self._room.tables[self] = None

    def take(self, now: float) -> list[bytes]:
        """The frames that are wanted yet; none is here any more."""
        if not self._kept:
            return []
        self.purge(now)
        frames = [frame for _, frame in self._kept.values()]
        self._forget()
        return frames

    def purge(self, now: float) -> None:
        for what in [what for what, (until, _) in (self._kept or {}).items() if now >= until]:
            self._drop(what, "expired")
        if not self._kept:
            self._room.tables.pop(self, None)

    def keep(self, is_meant: Callable[[str], bool]) -> None:
        """Of those topics alone: the others are not its reader's any more."""
        for what in [what for what in self._kept or () if not is_meant(what[0])]:
            self._take(what)
        if not self._kept:
            self._room.tables.pop(self, None)

    def close(self) -> None:
        self._forget()

    def _forget(self) -> None:
        for what in tuple(self._kept or ()):
            self._take(what)
        self._room.tables.pop(self, None)

    def _take(self, what: What) -> None:
        assert self._kept is not None
        self._room.held -= _FRAME + len(self._kept.pop(what)[1])

    def _drop(self, what: What, why: Drop) -> None:
        self._take(what)
        self._room.dropped[why] += 1
