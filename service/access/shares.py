"""What one may have of the places: streams by subject and by address, waiting polls by caller and in all.

Looked for and taken in one step, all of them or none. Where a number is 0 nothing is counted.
"""

from collections import Counter
from typing import Final, NamedTuple

from service.access.caller import Caller
from service.access.hops import network_of
from service.core.errors import OverloadedError, RateLimitedError

COME_BACK: Final = 5.0
"""Seconds after which a place may be free: a stream is as long as somebody looks at it."""


class Most(NamedTuple):
    """At a time; 0 for no bound. A token may say another number of streams for its subject."""

    subject_streams: int = 0
    address_streams: int = 0
    caller_polls: int = 0
    polls: int = 0


class Shares:
    """Who holds how many."""

    def __init__(self, most: Most) -> None:
        self.most: Final = most
        self.of_subject: Counter[str] = Counter()
        self.of_address: Counter[str] = Counter()
        self.of_poller: Counter[str] = Counter()
        self.polls = 0

    def take(self, caller: Caller, *, waits: bool) -> None:
        """One place; `waits`: of a poll. Raises RateLimitedError, or OverloadedError if all wait that may."""
        most, address = self.most, ""
        if waits:
            if most.polls and self.polls >= most.polls:
                raise OverloadedError(f"{most.polls} polls are waiting", retry_after=COME_BACK)
            _check(self.of_poller, caller.who, most.caller_polls, "waiting polls at a time")
        if most.address_streams:
            address = network_of(caller.address)
            _check(self.of_address, address, most.address_streams, "streams and waiting polls of one address")
        self._check_subject(caller)
        self._count(caller, address, waits, 1)

    def give(self, caller: Caller, *, waits: bool) -> None:
        """Back, of the caller who has it now."""
        address = network_of(caller.address) if self.most.address_streams else ""
        self._count(caller, address, waits, -1)

    def become(self, before: Caller, after: Caller) -> None:
        """The holder of a place is somebody else now. Raises RateLimitedError if that one has too many."""
        if before.subject == after.subject:
            return
        self._check_subject(after)
        _add(self.of_subject, after.subject, 1)
        _add(self.of_subject, before.subject, -1)

    def _check_subject(self, caller: Caller) -> None:
        if caller.subject is None:
            return
        if caller.streams is not None:
            if self.of_subject[caller.subject] >= caller.streams:
                raise RateLimitedError(f"{caller.subject!r} may have {caller.streams} streams", retry_after=COME_BACK)
            return
        _check(self.of_subject, caller.subject, self.most.subject_streams, "streams and waiting polls of one subject")

    def _count(self, caller: Caller, address: str, waits: bool, by: int) -> None:
        _add(self.of_subject, caller.subject, by)
        if self.most.address_streams:
            _add(self.of_address, address, by)
        if waits:
            self.polls += by
            if self.most.caller_polls:
                _add(self.of_poller, caller.who, by)


def _check(counts: Counter[str], who: str, most: int, words: str) -> None:
    if most and counts[who] >= most:
        raise RateLimitedError(f"at most {most} {words}", retry_after=COME_BACK)


def _add(counts: Counter[str], who: str | None, by: int) -> None:
    if who is not None:
        counts[who] += by
        if not counts[who]:
            del counts[who]
