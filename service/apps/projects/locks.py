"""A lock for each of something, as long as somebody holds it or waits for it."""

import asyncio
from weakref import WeakValueDictionary


class Locks:
    """By key."""

    def __init__(self) -> None:
        self._all: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, key: str) -> asyncio.Lock:
        return self._all.setdefault(key, asyncio.Lock())
