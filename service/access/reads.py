"""Reads that take long, and how many of them go on at a time: in all, and of one caller.

A *replay* is a stream that was not at the head after its first pages; it is one until it has caught up. A *scan* is a
search that was not over after its first steps. Most of both are over before they are counted.
"""

from collections import Counter
from typing import Final

from service.access.caller import Caller
from service.core.errors import OverloadedError, RateLimitedError

SCANS: Final = 32
"""Scans that go on at a time, unless it is said otherwise. They take turns, so more would only take longer, each of
them."""


class Reads:
    """`replays` and `scans` at a time, `of_caller` of one caller, both kinds together; 0 for no bound."""

    def __init__(self, *, replays: int = 0, scans: int = SCANS, of_caller: int = 0) -> None:
        self.replays = 0
        self.scans = 0
        self._replays_max = replays
        self._scans_max = scans
        self._of_caller_max = of_caller
        self._of_caller: Counter[str] = Counter()

    def begin_replay(self, caller: Caller) -> str:
        """By whom it is counted, for `end_replay`. Raises OverloadedError or RateLimitedError."""
        if self._replays_max and self.replays >= self._replays_max:
            raise OverloadedError(f"{self._replays_max} long replays are under way", retry_after=1.0)
        who = self._take(caller)
        self.replays += 1
        return who

    def end_replay(self, who: str) -> None:
        self.replays -= 1
        self._give(who)

    def begin_scan(self, caller: Caller) -> str:
        """By whom it is counted, for `end_scan`. Raises OverloadedError or RateLimitedError."""
        if self._scans_max and self.scans >= self._scans_max:
            raise OverloadedError(f"{self._scans_max} long searches are under way", retry_after=1.0)
        who = self._take(caller)
        self.scans += 1
        return who

    def end_scan(self, who: str) -> None:
        self.scans -= 1
        self._give(who)

    def _take(self, caller: Caller) -> str:
        """Not looked at where nobody's are counted, which is nearly always."""
        if not self._of_caller_max:
            return ""
        who = caller.who
        if self._of_caller[who] >= self._of_caller_max:
            detail = f"at most {self._of_caller_max} long replays and searches of one caller at a time"
            raise RateLimitedError(detail, retry_after=1.0)
        self._of_caller[who] += 1
        return who

    def _give(self, who: str) -> None:
        if who:
            self._of_caller[who] -= 1
            if not self._of_caller[who]:
                del self._of_caller[who]
