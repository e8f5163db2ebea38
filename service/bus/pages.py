"""Encoded pages kept for others who stand at the same place: a reconnect storm reads the same range many times."""

from collections import OrderedDict
from sys import getsizeof
from typing import Any, Final, NamedTuple

from service.bus.encoding import P
from service.bus.group import Group
from service.bus.values import Batch

SHARED_PAGES: Final = 64
"""Pages kept over all groups: a storm reads them within moments of each other. Each keeps its group alive too."""

SHARED_BYTES: Final = 20 << 20
"""Bytes that they hold, for 64 pages of 256 KiB of data and its envelopes; with larger events it is fewer pages."""


class _Kept(NamedTuple):
    head: int
    batch: Batch[Any]
    size: int


class SharedPages:
    """The pages read last, by group and cursor."""

    def __init__(self) -> None:
        self._pages: OrderedDict[tuple[Group[Any], int], _Kept] = OrderedDict()
        self._bytes = 0

    @property
    def bytes(self) -> int:
        return self._bytes

    def find(self, group: Group[P], after: int, head: int) -> Batch[P] | None:
        """The page that a group's member read from `after`, if it would come out the same now that `head` is."""
        found = self._pages.get((group, after))
        if found is None or (found.batch.offset == found.head and found.head != head):
            return None
        return found.batch

    def keep(self, group: Group[P], after: int, head: int, page: Batch[P]) -> None:
        """Remember a page that was read when `head` was; only if there is somebody to share it with."""
        if group.members < 2:
            return
        if (old := self._pages.pop((group, after), None)) is not None:
            self._bytes -= old.size
        size = held_by(page.payload)
        self._pages[group, after] = _Kept(head, page, size)
        self._bytes += size
        while self._bytes > SHARED_BYTES or len(self._pages) > SHARED_PAGES:
            _, oldest = self._pages.popitem(last=False)
            self._bytes -= oldest.size

    def forget(self) -> None:
        """Retention took something: what was read before may hold it."""
        self._pages.clear()
        self._bytes = 0


def held_by(payload: object) -> int:
    """Bytes of memory: of one write, or of a tuple of messages."""
    return getsizeof(payload) + (sum(map(getsizeof, payload)) if isinstance(payload, tuple) else 0)
