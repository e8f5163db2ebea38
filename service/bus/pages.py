"""Encoded pages kept for others who stand at the same place: a reconnect storm reads the same range many times."""

from collections import OrderedDict
from typing import Any, Final

from service.bus.encoding import P
from service.bus.group import Group
from service.bus.values import Batch

SHARED_PAGES: Final = 64
"""Pages kept over all groups, 16 MiB at the most: a storm reads them within moments of each other."""


class SharedPages:
    """The pages read last, by group and cursor."""

    def __init__(self) -> None:
        self._pages: OrderedDict[tuple[Group[Any], int], tuple[int, Batch[Any]]] = OrderedDict()

    def find(self, group: Group[P], after: int, head: int) -> Batch[P] | None:
        """The page that a group's member read from `after`, if it would come out the same now that `head` is."""
        found = self._pages.get((group, after))
        if found is None or (found[1].offset == found[0] and found[0] != head):
            return None
        return found[1]

    def keep(self, group: Group[P], after: int, head: int, page: Batch[P]) -> None:
        """Remember a page that was read when `head` was; only if there is somebody to share it with."""
        if group.members < 2:
            return
        self._pages[group, after] = (head, page)
        if len(self._pages) > SHARED_PAGES:
            self._pages.popitem(last=False)

    def forget(self) -> None:
        """Retention took something: what was read before may hold it."""
        self._pages.clear()
