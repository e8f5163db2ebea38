"""Who was here: users that come to a place and go from it, as events on its topic.

Presence tells who is here now, and forgets. Here it is written down, once it has been so for a while (`SETTLED`): who
is gone before that never came, and who is back before that never went. So each visit is two events, however often a
page is loaded in it, and each that is stored has cost its user half a minute.

                  has settled: presence.came            away for as long: presence.went
    COMING -------------------------------> HERE <----> AWAY ------------------------------->
       |  goes: as if he had never come         comes back: as if he had never gone

`_due` has those that wait for their next step, in the order in which it is due: all wait equally long. One look a
second takes those whose time has come. Nothing here stands in the way of whoever comes or goes: what presence tells is
noted in memory, and written by the one task. What can't be stored is dropped with a line in the log: of who came it is
forgotten that he did, so that nobody is told to go who did not come.

Of a visit that has begun there is a row until its end. When the service stops, in whatever way, and is back within
`STOP_MAX`, its visits go on: of those who are there again before they have been missed for as long as anybody. Others
have ended when they were last known to go on, which a row of its own tells: after a proper stop exactly, else to a
minute.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import Enum
from typing import Final

import structlog

from service.apps.base import Bus, Company, Passage
from service.apps.visits import rows
from service.apps.visits.rows import Key, Left
from service.core.errors import OverloadedError, TwinwireError
from service.core.event import Draft
from service.core.time import Clock
from service.core.topics import TopicFilter
from service.log.base import Statement, Tables

logger = structlog.get_logger(__name__)

CAME: Final = "presence.came"
WENT: Final = "presence.went"
OWN_TYPES: Final = frozenset({CAME, WENT})
"""What this application tells, and nobody else may."""

SETTLED: Final = 30.0
"""Seconds after which a coming or a going counts."""

STOP_MAX: Final = 300.0
"""Seconds for which the service may be away without ending visits: it was, and not its users."""

HELD_MAX: Final = 100_000
"""Visits that are known at a time; who comes beyond them is not written down."""

LOOK: Final = 1.0
"""Seconds between two looks."""

SEEN: Final = 60.0
"""Seconds after which it is noted that visits go on."""

BATCH: Final = 100
"""Events that are stored at once."""

OWED_MAX: Final = 1_000
"""Rows to be removed of visits whose end could not be stored."""


class State(Enum):
    """See the module, where AWAY is HERE with a moment at which he left. TELLING is COMING, and LEAVING is AWAY, while
    that is being stored: meanwhile he may go, or come.
    """

    COMING = "coming"
    TELLING = "telling"
    HERE = "here"
    LEAVING = "leaving"


class _Visit:
    """`since`: when he came, in Unix ms; `began` and `left` are on the monotonic clock, `left` None while he is there.
    `members` are as many as the place had when he came, or went; None: nobody counted.
    """

    __slots__ = ("began", "left", "members", "since", "state")

    def __init__(self, since: int, began: float, members: int | None, state: State = State.COMING) -> None:
        self.since = since
        self.began = began
        self.left: float | None = None
        self.members = members
        self.state = state


class Visits:
    """`start` it once; `close` it before the bus."""

    def __init__(
        self, bus: Bus, tables: Tables, company: Company, clock: Clock, places: TopicFilter, most: int = HELD_MAX
    ) -> None:
        """Closes `tables` in the end."""
        self._bus = bus
        self._tables = tables
        self._company = company
        self._clock = clock
        self._covers = places.matches
        self._most = most
        self._visits: dict[Key, _Visit] = {}
        self._due: dict[Key, float] = {}
        """When, on the monotonic clock; the next one first."""
        self._ended: deque[tuple[Key, _Visit]] = deque()
        """Visits that had ended before this process began."""
        self._owed: dict[tuple[Key, int], None] = {}
        """Visits whose rows are to be removed with the next that is stored, as the end of them was dropped."""
        self._seen = clock.monotonic()
        """When it was noted that visits go on."""
        self._settles: float | None = None
        """When those who were there before the service stopped are there again, or have gone."""
        self._is_full = False
        self._awake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._unfollow: Callable[[], None] = lambda: None

    @property
    def held(self) -> int:
        """Visits that are known now."""
        return len(self._visits)

    async def start(self) -> None:
        """Go on with what an earlier process left. Raises StorageError."""
        await self._take_up()
        self._unfollow = self._company.follow(self.passed)
        self._task = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Visits go on with the next process, which finds how it was at this moment."""
        self._unfollow()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            await self._part()
        await self._tables.close()

    def passed(self, passage: Passage) -> None:
        """As presence tells it. Neither waits nor raises."""
        place, came, went, _, members = passage
        if not self._covers(place):
            return
        for user in went:
            self._go(Key(place, user), members)
        for user in came:
            self._come(Key(place, user), members)

    def _come(self, key: Key, members: int) -> None:
        visit = self._visits.get(key)
        if visit is None and self._is_at_bound():
            return
        if visit is None or visit.state is State.LEAVING:
            self._visits[key] = _Visit(self._clock.unix_ms(), self._clock.monotonic(), members)
            self._wait(key)
        elif visit.left is not None:
            visit.left = None
            self._due.pop(key, None)

    def _go(self, key: Key, members: int) -> None:
        visit = self._visits.get(key)
        if visit is None or visit.left is not None:
            return
        if visit.state is State.COMING:
            del self._visits[key], self._due[key]
        else:
            visit.left, visit.members = self._clock.monotonic(), members
            self._wait(key)

    def _wait(self, key: Key) -> None:
        """Behind all others."""
        self._due.pop(key, None)
        self._due[key] = self._clock.monotonic() + SETTLED
        self._awake.set()

    def _is_at_bound(self) -> bool:
        held = len(self._visits)
        if held >= self._most and not self._is_full:
            logger.warning("visits_full", held=held)
        self._is_full = held >= self._most or (self._is_full and held >= 0.9 * self._most)
        return held >= self._most

    # Looking

    async def _watch(self) -> None:
        while True:
            if not self._visits and not self._ended and self._settles is None:
                self._awake.clear()
                await self._awake.wait()
            await self._clock.sleep(LOOK)
            try:
                await self.look()
            except Exception:
                logger.exception("visits_failed")

    async def look(self) -> None:
        """Take the next step of those whose time has come, and note that the others go on."""
        while batch := self._take():
            await self._tell(batch)
        now = self._clock.monotonic()
        if self._settles is not None and now >= self._settles and await self._note(rows.go_on()):
            self._settles = None
        if self._visits and now - self._seen >= SEEN:
            await self._note()

    def _take(self) -> Sequence[tuple[Key, _Visit]]:
        now = self._clock.monotonic()
        batch = [self._ended.popleft() for _ in range(min(BATCH, len(self._ended)))]
        for key, due in self._due.items():
            if due > now or len(batch) == BATCH:
                break
            batch.append((key, self._visits[key]))
        for key, visit in batch:
            if visit.state is not State.LEAVING:
                del self._due[key]
                visit.state = State.TELLING if visit.state is State.COMING else State.LEAVING
        return batch

    async def _tell(self, batch: Sequence[tuple[Key, _Visit]]) -> None:
        """Store them. What can't be is dropped: the disk is full, or there are as many topics as there may be."""
        events = [self._event(key, visit) for key, visit in batch]
        owed = list(self._owed)
        also = [*(statement for _, statement in events), *(rows.remove(*one) for one in owed), self._see()]
        try:
            await self._bus.publish([draft for draft, _ in events], also)
        except OverloadedError as error:
            if len(batch) == 1:
                self._drop(batch, error.detail)
                return
            for one in batch:  # perhaps it is for one place alone
                await self._tell([one])
            return
        except TwinwireError as error:
            self._drop(batch, error.detail)
            return
        except Exception:
            self._drop(batch, "a mistake")
            raise
        self._seen = self._clock.monotonic()
        for row in owed:
            self._owed.pop(row, None)
        for key, visit in batch:
            if visit.state is State.TELLING:
                visit.state = State.HERE
            else:
                self._forget(key, visit)

    def _event(self, key: Key, visit: _Visit) -> tuple[Draft, Statement]:
        """With what is to be done to its row."""
        has_come = visit.state is State.TELLING
        until = self._clock.monotonic() if has_come or visit.left is None else visit.left
        data = {"user": key.user, "members": visit.members, "duration": max(0.0, round(until - visit.began, 3))}
        draft = Draft.of(key.place, CAME if has_come else WENT, data)
        return draft, (rows.add if has_come else rows.remove)(key, visit.since)

    def _forget(self, key: Key, visit: _Visit) -> None:
        """Unless there is another by now: he has come anew."""
        if self._visits.get(key) is visit:
            del self._visits[key]
            self._due.pop(key, None)

    def _drop(self, batch: Sequence[tuple[Key, _Visit]], reason: str) -> None:
        for key, visit in batch:
            if visit.state is State.LEAVING:
                self._owed[key, visit.since] = None
            self._forget(key, visit)
        while len(self._owed) > OWED_MAX:
            del self._owed[next(iter(self._owed))]
        logger.warning("visits_dropped", events=len(batch), reason=reason)

    # Over a stop

    def _see(self) -> Statement:
        return rows.see(self._clock.unix_ms())

    async def _note(self, *statements: Statement) -> bool:
        """Carry them out, and note that visits go on; whether that was possible."""
        self._seen = self._clock.monotonic()
        try:
            await self._bus.publish((), (*statements, self._see()))
        except TwinwireError as error:
            logger.warning("visits_not_noted", reason=error.detail)
            return False
        return True

    async def _part(self) -> None:
        """Note who is away, and since when; of the others, that they were there until now."""
        statements = [rows.go_on(), *(rows.remove(*one) for one in self._owed)]
        for key, visit in (*self._visits.items(), *self._ended):
            if visit.left is not None:
                statements.append(rows.away(key, visit.since, self._calendar(visit.left)))
        for start in range(0, len(statements), rows.PAGE):
            if not await self._note(*statements[start : start + rows.PAGE]):
                return

    def _calendar(self, moment: float) -> int:
        """Of a moment on the monotonic clock, in Unix ms."""
        return self._clock.unix_ms() - round((self._clock.monotonic() - moment) * 1000)

    async def _take_up(self) -> None:
        seen = await rows.seen(self._tables)
        async for one in rows.left(self._tables, seen):
            self._go_on(one)
        if self._visits or self._ended:
            self._settles = self._clock.monotonic() + SETTLED
            with suppress(TwinwireError):  # then it is as if the service had stopped later
                await self._bus.publish((), (rows.stopped(seen),))

    def _go_on(self, one: Left) -> None:
        """Until it is known who is there again all are away since the service stopped, however often it does."""
        now, today = self._clock.monotonic(), self._clock.unix_ms()
        visit = _Visit(one.since, now - (today - one.since) / 1000, None, State.HERE)
        visit.left = now - max(0.0, (today - one.gone) / 1000)
        if now - visit.left <= STOP_MAX:
            self._visits[one.key] = visit
            self._wait(one.key)
        else:
            visit.state = State.LEAVING
            self._ended.append((one.key, visit))
