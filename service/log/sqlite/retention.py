"""Which events may go: the first policy whose pattern matches a topic decides for it."""

from collections.abc import Sequence
from typing import Final, Literal, Protocol

from service.core.time import Clock
from service.core.topics import TopicFilter
from service.log.base import Pace
from service.log.sqlite.compact import Compactor
from service.log.sqlite.ranges import RangeCutter, Wanted
from service.log.sqlite.reader import Reader
from service.log.sqlite.thin import Plain, Thinner
from service.log.sqlite.topics import Topic, TopicRegistry
from service.log.sqlite.trim import Trimmer

STEP: Final = 0.002
"""Seconds of one step of the event loop, in which topics are asked for their policies: with a million of them it would
be seven."""

TOPICS: Final = 50_000
"""That are cut together at most, so that what a pass remembers of them has a bound."""


class Policy(Protocol):
    """Bounds for the topics that match; None is unbounded."""

    @property
    def filter(self) -> TopicFilter: ...
    @property
    def max_age(self) -> float | None:
        """Seconds."""

    @property
    def max_count(self) -> int | None: ...
    @property
    def max_bytes(self) -> int | None:
        """Bytes of data."""

    @property
    def keep(self) -> Literal["state"] | None:
        """Of events with a subject those that the state needs, and these always: the bounds are for the others."""


class Retention:
    """Applies the policies; `run` is one pass over all topics."""

    def __init__(
        self,
        policies: Sequence[Policy],
        registry: TopicRegistry,
        reader: Reader,
        trimmer: Trimmer,
        cutter: RangeCutter,
        compactor: Compactor,
        thinner: Thinner,
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._policies = policies
        self._filters = [(policy.filter.matches, policy) for policy in policies]
        self._registry = registry
        self._reader = reader
        self._trimmer = trimmer
        self._cutter = cutter
        self._compactor = compactor
        self._thinner = thinner
        self._keeps_state = any(policy.keep for policy in policies)

    async def run(self, now: int, head: int) -> int:
        """One pass at `now` (Unix ms) over what stood at `head`; returns how many events went."""
        if not self._policies:
            return 0
        cutoffs: dict[float | None, int] = {}
        for one in self._policies:
            if one.max_age is not None and not self._clock.doubt:  # else nobody knows what is old
                cutoffs[one.max_age] = await self._reader.first_at(now - int(one.max_age * 1000), head) - 1
        removed = 0
        wanted: list[Wanted] = []
        sized: list[tuple[Topic, int]] = []
        thinned: list[Plain] = []
        pace = Pace(self._clock.monotonic, STEP)
        for topic in list(self._registry):
            await pace()
            policy = self._policy(topic)
            if not topic.count or policy is None:
                continue
            cutoff, keep = cutoffs.get(policy.max_age, 0), policy.max_count
            if policy.keep is not None:
                if topic in self._trimmer.unfinished:
                    wanted.append(Wanted(topic, 0, None))
                if cutoff or keep is not None or policy.max_bytes is not None:
                    thinned.append(Plain(topic, cutoff, keep, policy.max_bytes))
                if len(thinned) == TOPICS:
                    removed += await self._thin(thinned)
                continue
            if self._trimmer.has_below(topic, cutoff) or (keep is not None and topic.count > keep):
                wanted.append(Wanted(topic, cutoff, keep))
            if policy.max_bytes is not None:
                sized.append((topic, policy.max_bytes))
            if len(wanted) == TOPICS:
                removed += await self._cutter.cut(wanted)
                wanted.clear()
        removed += await self._cutter.cut(wanted)
        for topic, keep in sized:
            await pace()
            removed += await self._trimmer.to_bytes(topic, keep)
        removed += await self._thin(thinned)
        if self._keeps_state:
            removed += await self._compactor.run(now)
        return removed

    async def _thin(self, wanted: list[Plain]) -> int:
        """Which are none then."""
        removed = 0
        pace = Pace(self._clock.monotonic, STEP)
        for plain in wanted:
            await pace()
            removed += await self._thinner.thin(plain)
        wanted.clear()
        return removed

    def _policy(self, topic: Topic) -> Policy | None:
        return next((policy for matches, policy in self._filters if matches(topic.name)), None)
