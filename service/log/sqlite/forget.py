"""Topics that are forgotten: those that have had no event for a while, and that nobody subscribes to.

Each would else be kept for ever for one number, its floor: a subscriber that comes with an old cursor is told by it
that something is gone. So the floors of all that are forgotten become one, `folded`, which is the floor of every topic
that is not known:

    nobody is told too little  `folded` is at least the floor that any of them had
    somebody is told too much  a cursor below it gets a `gap` on any topic that is not known, or is new since; and on
                               any filter with wildcards, which might have matched one of them

A topic that begins, anew or for the first time, since nobody knows which, has `folded` as its floor, and its first
event says that as its `prev`.

    looked at  the topics that are due, those that are empty for longest first; and whether anybody subscribes to
               them, whom the bus knows. Those that somebody subscribes to are looked at again after as long a time
    raised     `folded` in memory, once a pass, before anything else is done
    removed    in one transaction: `folded` on disk rises and the names go. Who opens the log after a kill finds both
               or neither
    dropped    from memory, at the end of that job: the next publish there finds no topic, and makes one

A live stream has to be past `folded` when an event says it as its `prev`, or its client would take that for a loss. It
is told its position with each heartbeat: therefore `least`, before which none is forgotten, however many are needed.
"""

import asyncio
import json
import math
from collections.abc import Collection, Sequence
from functools import partial
from itertools import islice
from typing import Final

from service.log.base import Interest, Pace
from service.log.sqlite.database import WriterConnection, transaction
from service.log.sqlite.topics import Topic, TopicRegistry
from service.log.sqlite.trim import RAISE_SECONDS, Trimmer
from service.log.sqlite.writer import Writer

STEP: Final = 200
"""Topics in one transaction, a few milliseconds; as many are taken out of memory in one step of the loop."""

REST: Final = 4
"""Times as long as a step took others have the writer to themselves: nobody waits for this."""

SPARE: Final = 100
"""Of so many topics one, at least, is forgotten beyond those that are in the way of new ones."""

_REMOVE: Final = """
DELETE FROM topics WHERE id IN (SELECT value FROM json_each(?))
AND NOT EXISTS (SELECT 1 FROM events WHERE events.topic = topics.id)
AND NOT EXISTS (SELECT 1 FROM cut_subjects WHERE cut_subjects.topic = topics.id)
AND NOT EXISTS (SELECT 1 FROM removed_keys WHERE removed_keys.topic = topics.id) RETURNING id
"""
_FOLD: Final = "UPDATE log SET folded = max(folded, ?), last_topic = max(last_topic, ?)"


class Forgetter:
    """`after` is in seconds, of which `least` pass even where there is no room; 0: nothing is forgotten."""

    def __init__(self, writer: Writer, registry: TopicRegistry, trimmer: Trimmer, after: float, least: float) -> None:
        self._writer = writer
        self._registry = registry
        self._trimmer = trimmer
        self.after = max(after, least) if after else 0.0
        self._least = least
        self._started = writer.clock.monotonic()
        self.interests: list[Interest] = []
        """Asked whether anybody subscribes to a topic."""
        self._turn = asyncio.Lock()
        """One pass at a time: while memory is tidied nothing is dropped."""

    @property
    def is_pressed(self) -> bool:
        """Whether there is no room for new topics, and there may be by forgetting some."""
        return bool(self.after and self._registry.empty) and self._lacking() > 0

    def _lacking(self) -> float:
        """Topics that have to go, so that there is room for one more, or for those that were refused."""
        registry = self._registry
        return max(1, registry.wanted) - registry.room

    async def run(self) -> int:
        """Forget what is due; how many topics were."""
        async with self._turn:
            return await self._run()

    async def _run(self) -> int:
        clock, registry = self._writer.clock, self._registry
        if not self.after or clock.doubt:  # nobody knows what is due then
            return 0
        if clock.monotonic() < self._started + self._least:  # nor, after a start, who comes back
            return 0
        lacking = self._lacking()
        needed = lacking + registry.max_topics // SPARE if lacking > 0 else 0
        registry.wanted = 0
        now, most = clock.unix_ms(), len(registry.empty)
        forgotten = looked = 0
        until = [now - int(after * 1000) for after in (self.after, min(self.after, self._least))]
        registry.fold(await self._writer.run(partial(self._highest, now=now, until=until, needed=needed)))
        while looked < most:
            after, room = self.after, STEP
            if forgotten < needed:
                after, room = min(after, self._least), min(STEP, math.ceil(needed - forgotten))
            step = partial(self._due, now=now, until=now - int(after * 1000), room=room)
            found, ahead = await self._writer.run(step)
            if not (found or ahead):
                break
            looked += len(found) + ahead
            if found:
                forgotten += await self._forget(found, now)
        return forgotten

    def _highest(self, connection: WriterConnection, now: int, until: Sequence[int], needed: float) -> int:
        """On the writer's thread: the highest floor of what may be forgotten in this pass, so that `folded` rises once.

        Who reads a filter with wildcards from far back is told a gap whenever it does. `until`: when what is due was
        emptied, and when the first that are `needed` were.
        """
        highest = 0
        for number, (topic, since) in enumerate(self._registry.empty.items()):
            if since <= now:
                if since > until[number < needed]:
                    break
                highest = max(highest, topic.floor, topic.head)
        return highest

    def _due(self, connection: WriterConnection, now: int, until: int, room: int) -> tuple[list[Topic], int]:
        """On the writer's thread, where nothing else changes what is empty: the next, since `until` or before, and how
        many since later than `now`, whose time begins anew.
        """
        empty = self._registry.empty
        found: list[Topic] = []
        ahead: list[Topic] = []
        for topic, since in islice(empty.items(), room):
            if since > now:  # the calendar was set back
                ahead.append(topic)
            elif since <= until:
                found.append(topic)
            else:
                break
        self._put_back(ahead, now)
        return found, len(ahead)

    async def _forget(self, found: Sequence[Topic], now: int) -> int:
        """Those of them that nobody subscribes to; how many were."""
        began = self._writer.clock.monotonic()
        pace = Pace(self._writer.clock.monotonic, RAISE_SECONDS)
        free: list[Topic] = []
        for topic in found:
            if not await self._is_subscribed(topic.name):
                free.append(topic)
            await pace()
        if free:
            self._registry.fold(max(max(topic.floor, topic.head) for topic in free))
            await self._trimmer.journal_room()
        gone = await self._writer.run(partial(self._remove, found=found, free=free, now=now))
        self._registry.leave(gone)
        self._trimmer.unfinished.difference_update(gone)
        for _ in self._registry.tidying():
            await asyncio.sleep(0)
        await asyncio.sleep(REST * (self._writer.clock.monotonic() - began))
        return len(gone)

    async def _is_subscribed(self, name: str) -> bool:
        for interest in self.interests:
            if await interest(name):
                return True
        return False

    def _remove(
        self, connection: WriterConnection, found: Sequence[Topic], free: Sequence[Topic], now: int
    ) -> list[Topic]:
        """On the writer's thread: what went of `free`; the others of `found` are looked at later."""
        registry = self._registry
        folded = registry.folded  # where something was published meanwhile it may be empty again, and its floor higher
        free = [topic for topic in free if topic in registry.empty and max(topic.floor, topic.head) <= folded]
        removed: set[int] = set()
        if free:
            removed = self._writer.room.using(connection, partial(self._delete, connection, free))
        gone = [topic for topic in free if topic.id in removed]
        registry.drop(gone)
        self._put_back([topic for topic in found if topic in registry.empty], now)
        return gone

    def _delete(self, connection: WriterConnection, free: Sequence[Topic]) -> set[int]:
        """The floor first: see the module."""
        ids = json.dumps([topic.id for topic in free])
        with transaction(connection):
            connection.execute(_FOLD, (self._registry.folded, self._registry.last_id))
            return {id for (id,) in connection.execute(_REMOVE, (ids,)).fetchall()}

    def _put_back(self, topics: Collection[Topic], now: int) -> None:
        """Behind all others, as if they were emptied now."""
        empty = self._registry.empty
        for topic in topics:
            del empty[topic]
            empty[topic] = now
