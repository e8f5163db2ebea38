"""What each caller spends: events, bytes, new topics, messages. All or nothing, for a whole request at a time.

What does not fit at the moment is 429, with the time until it would. What could never fit, a batch beyond the burst, is
413: a retry would not help, and fewer events in it do. Neither takes anything, nor does what fails later (`Spent`).
A request is weighed in steps, since a batch may be long, and what it weighs is taken in one.
"""

import asyncio
from collections.abc import Callable, Sequence, Set
from types import TracebackType
from typing import Final, Literal, NamedTuple, Self

from service.access.buckets import Buckets
from service.access.caller import Caller
from service.core.errors import RateLimitedError, TooLargeError, TwinwireError
from service.core.event import Draft
from service.core.rates import Rate, Rates
from service.core.time import Clock

IsKnown = Callable[[str], bool]
"""Whether there is such a topic already."""


SLICE: Final = 500
"""Events that are weighed in one step: a microsecond or two each."""


class Weight(NamedTuple):
    """Of the events of a request: how many, the bytes of their data, and their topics that were not there yet."""

    events: int
    size: int
    fresh: Set[str]

    @classmethod
    def of(cls, drafts: Sequence[Draft], is_known: IsKnown) -> Self:
        fresh = {draft.topic for draft in drafts if not is_known(draft.topic)}
        return cls(len(drafts), sum([_size(draft.data) for draft in drafts]), fresh)


async def weigh(drafts: Sequence[Draft], is_known: IsKnown) -> Weight:
    """A few without waiting. Others may come in between: `publish` looks at what they are about to make."""
    size, fresh = 0, set[str]()
    for first in range(0, len(drafts), SLICE):
        if first:
            await asyncio.sleep(0)
        part = Weight.of(drafts[first : first + SLICE], is_known)
        size += part.size
        fresh |= part.fresh
    return Weight(len(drafts), size, fresh)


class _Cost(NamedTuple):
    """`noun` is what it is counted in, in each `span`; `field` is what of a request it is about."""

    buckets: Buckets
    amount: int
    noun: str
    field: str | None = None
    span: Literal["second", "minute"] = "second"

    def check(self) -> None:
        """Raises TooLargeError for more than there ever is."""
        burst = self.buckets.rate.burst
        if self.amount > burst:
            raise TooLargeError(f"at most {burst:g} {self.noun} at once here, not {self.amount}", field=self.field)

    def refused(self, seconds: float) -> RateLimitedError:
        """What is told to whoever has to wait for so long."""
        rate = self.buckets.rate
        often = rate.a_second * (60 if self.span == "minute" else 1)
        detail = f"at most {often:g} {self.noun} a {self.span}, and {rate.burst:g} at once"
        return RateLimitedError(detail, field=self.field, retry_after=seconds)


class Spent:
    """What was taken for one request: a context manager, which gives it back if the request is refused after all.

    Not if its caller hangs up: his events may be on their way to the disk.
    """

    __slots__ = ("_costs", "_made", "_making", "_who")

    def __init__(self, who: str, costs: Sequence[_Cost], making: set[str], made: Set[str] = frozenset()) -> None:
        """`made` are topics that this request is about to make, `making` those of all requests under way."""
        self._who = who
        self._costs = costs
        self._making = making
        self._made = made

    def __enter__(self) -> Self:
        self._making |= self._made
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._making -= self._made
        if isinstance(error, TwinwireError):
            for cost in self._costs:
                cost.buckets.give(self._who, cost.amount)


class _Purses:
    """The buckets of one kind of callers."""

    def __init__(self, rates: Rates) -> None:
        self.publishes = _buckets(rates.publishes)
        self.bytes = _buckets(rates.bytes)
        self.topics = _buckets(rates.topics)
        self.messages = _buckets(rates.messages)


class Spending:
    """`bearers` and `anonymous` have rates of their own; None of a kind costs it nothing."""

    def __init__(self, clock: Clock, bearers: Rates, anonymous: Rates) -> None:
        self._now = clock.monotonic
        self._bearers: Final = None if bearers.is_off else _Purses(bearers)
        self._making: set[str] = set()
        """Topics that publishes under way are about to make: who says one twice in a row has made one."""
        self._anonymous: Final = None if anonymous.is_off else _Purses(anonymous)

    def counts(self, caller: Caller) -> bool:
        """Whether anything costs him something."""
        return self._purses(caller) is not None

    def publish(self, caller: Caller, weight: Weight) -> Spent | None:
        """For events that are about to be published; None if they cost nothing.

        Raises RateLimitedError, or TooLargeError for more than may ever be published at once.
        """
        purses = self._purses(caller)
        if purses is None:
            return None
        fresh = set() if purses.topics is None else weight.fresh - self._making
        costs = self._take(caller, _costs(purses, weight.events, weight.size, len(fresh)))
        return Spent(caller.who, costs, self._making, fresh) if costs else None

    def work(self, caller: Caller, events: int, topics: int) -> Spent | None:
        """For what an application publishes at a caller's wish: so many events, on so many topics that are new."""
        purses = self._purses(caller)
        if purses is None:
            return None
        costs = self._take(caller, _costs(purses, events, 0, topics))
        return Spent(caller.who, costs, self._making) if costs else None

    def message(self, caller: Caller) -> None:
        """For what he says on a WebSocket. Raises RateLimitedError."""
        purses = self._purses(caller)
        if purses is not None and purses.messages is not None:
            self._take(caller, [_Cost(purses.messages, 1, "messages")])

    def _purses(self, caller: Caller) -> _Purses | None:
        return self._anonymous if caller.is_anonymous else self._bearers

    def _take(self, caller: Caller, costs: Sequence[_Cost]) -> Sequence[_Cost]:
        """All of them, or none."""
        who, now = caller.who, self._now()
        for cost in costs:
            cost.check()
        for cost in costs:
            wait = cost.buckets.wait(who, cost.amount, now)
            if wait > 0:
                raise cost.refused(wait)
        for cost in costs:
            cost.buckets.take(who, cost.amount, now)
        return costs


def _costs(purses: _Purses, events: int, size: int, topics: int) -> list[_Cost]:
    costs: list[_Cost] = []
    if purses.publishes is not None:
        costs.append(_Cost(purses.publishes, events, "events"))
    if purses.bytes is not None and size:
        costs.append(_Cost(purses.bytes, size, "bytes of data", "data"))
    if purses.topics is not None and topics:
        costs.append(_Cost(purses.topics, topics, "new topics", "topic", "minute"))
    return costs


def _buckets(rate: Rate | None) -> Buckets | None:
    return None if rate is None else Buckets(rate)


def _size(data: str) -> int:
    return len(data) if data.isascii() else len(data.encode())
