"""Peers that send much and leave before it is worked off: nobody keeps it for them.

A connection that waits for a turn, or for room with its application, reads nothing, so the loop does not tell it that
its peer has reset it. Left alone it would hold what it has read until its turn comes, a quarter of a megabyte, and a
peer that comes, sends and resets is back faster than that: 900 such connections after five seconds.

Rule 1: those that are at work for a peer are looked at every LOOK seconds. One that was reset is cut; one whose peer
has closed its side, which lies behind what is not read, has no more time than if it had been read.
Rule 2: one whose peer has closed its side has its time (`server.py`), while there are no more than LEFT_MAX of them:
the first goes for one more.
"""

import asyncio
from typing import Final, Protocol

LOOK: Final = 0.1
"""Seconds between two looks."""

LEFT_MAX: Final = 64
"""Connections that work off what a peer has sent that closed its side."""


class Working(Protocol):
    """A connection that works off what a peer has sent."""

    def look(self) -> None:
        """At what nobody tells while nothing is read: the peer has reset the connection, or closed its side."""

    def cut(self) -> None:
        """Work off no more. Neither waits or raises."""


class Leaving:
    """Of one server."""

    __slots__ = ("_at_work", "_left", "_looks")

    def __init__(self) -> None:
        self._at_work: dict[Working, None] = {}
        self._left: dict[Working, None] = {}
        """Those of them whose peer has closed its side, the first to do so first."""
        self._looks = False
        """`_look` is called in a while."""

    def begin(self, one: Working) -> None:
        """It is at work, until `end`."""
        self._at_work[one] = None
        if not self._looks:
            self._look_later()

    def end(self, one: Working) -> None:
        self._at_work.pop(one, None)
        self._left.pop(one, None)

    def left(self, one: Working) -> None:
        """Its peer has closed its side. Of no matter where it is not at work."""
        if one in self._at_work:
            self._left[one] = None
            if len(self._left) > LEFT_MAX:
                first = next(iter(self._left))
                self.end(first)
                first.cut()

    def _look_later(self) -> None:
        self._looks = True
        asyncio.get_running_loop().call_later(LOOK, self._look)

    def _look(self) -> None:
        self._looks = False
        for one in tuple(self._at_work):
            one.look()
        if self._at_work:
            self._look_later()
