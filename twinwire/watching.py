"""What a stream says of who is where, beside its events and behind no cursor of theirs.

Each connection has lists of its own: their numbers are those of one run of the service, and go on for one connection
only. What the program sees are those of the connection that works, and, for a while after another one has begun to, or
a list has come with a smaller number, also whoever was there before and is in none of its lists yet. After a restart
everybody comes back within seconds, and nobody is to be shown going and coming; the service itself holds a member as
long whose connection was lost.

A hole in the numbers, or a smaller one, is closed by asking for the list; changes that come meanwhile wait, and those
that it includes already are passed over. All of it runs on one event loop, and nothing here waits but the question.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakKeyDictionary

from twinwire.errors import TwinwireError
from twinwire.http import Http
from twinwire.link import Link
from twinwire.listing import ask_page
from twinwire.logs import logger
from twinwire.roll import Key, Member, Roll, WirePresence, following, listed, read_presence, with_held
from twinwire.timing import Backoff

WAITING_MAX: Final = 100
"""Changes of a place that wait for its list: 25 seconds of them. With more it is asked for anew."""

RUN: Final = 1 << 18
"""So much higher at least are the numbers of a service that was started anew (docs/protocol.md, section 11)."""

EMPTY_MAX: Final = 1_000
"""Places where nobody is any more, whose number is remembered: of one that is forgotten the next list is asked for."""

Seen = Callable[[Roll, Mapping[Key, str | None]], object]
"""What is called with each list as it changes, and why those went who have gone."""


@dataclass(slots=True, eq=False)
class _Lists:
    """Of one connection."""

    rolls: dict[str, Roll] = field(default_factory=dict)
    asked: dict[str, deque[WirePresence]] = field(default_factory=dict)
    """By place that is asked for: what came meanwhile."""
    is_asked: set[str] = field(default_factory=set)
    """Of these a change may still come that the list includes."""
    empty: dict[str, None] = field(default_factory=dict)
    """Places where nobody is, longest so first."""

    def put(self, roll: Roll) -> None:
        self.rolls[roll.place] = roll
        self.empty.pop(roll.place, None)
        if roll.member_count == 0:
            self.empty[roll.place] = None
            if len(self.empty) > EMPTY_MAX:
                oldest = next(iter(self.empty))
                del self.empty[oldest], self.rolls[oldest]
                self.is_asked.discard(oldest)


class Watching:
    """`seen` is told of every change; `rolls` are the lists as the program sees them, by place: of places where
    somebody is, and of those of `places`, which may be filters, that are known to be empty."""

    def __init__(
        self,
        http: Http,
        places: Sequence[str],
        seen: Seen,
        adopted: Callable[[str | None], object] = lambda id: None,
    ) -> None:
        """`adopted` is called with the id of each connection that works from then on, None where it has none."""
        self._http = http
        self._exact = frozenset(place for place in places if "*" not in place)
        self._seen = seen
        self._adopted = adopted
        self._lists: WeakKeyDictionary[Link, _Lists] = WeakKeyDictionary()
        self._link: Link | None = None
        self._held: dict[str, tuple[Member, ...]] = {}
        self._settling: asyncio.TimerHandle | None = None
        self._questions: set[asyncio.Task[None]] = set()
        self.rolls: dict[str, Roll] = {}

    def adopt(self, link: Link) -> None:
        """It is the connection that works, from now on."""
        if link is self._link:
            return
        self._link = link
        self._held.clear()
        self._begin(link, self.rolls.values())
        for place in list(self._of(link).rolls):
            self._show(place, {})

    def _begin(self, link: Link, known: Iterable[Roll]) -> None:
        """With lists of another run of the service, perhaps, in place of these."""
        self._held.update((roll.place, roll.members) for roll in known if not roll.truncated)
        if self._settling is not None:
            self._settling.cancel()
        if self.rolls:
            self._settling = asyncio.get_running_loop().call_later(self._http.timing.settle, self._settle)
        self._adopted(link.connection.connection if link.connection is not None else None)

    def frame(self, link: Link, raw: str) -> None:
        """A `presence` frame of that connection. Raises ValueError for what is none."""
        frame = read_presence(raw)
        lists = self._of(link)
        waiting = lists.asked.get(frame.place)
        if frame.state is not None:
            known, shown = lists.rolls.get(frame.place), self.rolls.get(frame.place)
            is_other = known is not None and not 0 <= frame.version - known.version < RUN
            if shown is not None and is_other and link is self._link:
                self._begin(link, [shown])  # polls outlive a restart
            lists.asked.pop(frame.place, None)  # of which the answer is of no interest any more
            lists.is_asked.discard(frame.place)
            self._take(link, listed(frame), {})
        elif waiting is not None:
            waiting.append(frame)
            if len(waiting) > WAITING_MAX:
                waiting.popleft()  # a hole: it is seen, and asked for again
        else:
            self._follow(link, lists, frame)

    def close(self) -> None:
        for task in self._questions:
            task.cancel()
        if self._settling is not None:
            self._settling.cancel()

    def _of(self, link: Link) -> _Lists:
        return self._lists.setdefault(link, _Lists())

    def _follow(self, link: Link, lists: _Lists, frame: WirePresence) -> bool:
        """Whether the list is right then; else it is asked for."""
        roll = lists.rolls.get(frame.place)
        now = None if roll is None else following(roll, frame)
        if now is not None:
            lists.is_asked.discard(frame.place)
            self._take(link, now, {(one.user, one.member): one.reason for one in frame.leaves})
            return True
        if roll is not None and frame.version <= roll.version and frame.place in lists.is_asked:
            return True  # the answer was quicker than the stream
        waiting = lists.asked[frame.place] = deque([frame])
        task = asyncio.create_task(self._ask(link, lists, frame.place, waiting))
        self._questions.add(task)
        task.add_done_callback(self._questions.discard)
        return False

    async def _ask(self, link: Link, lists: _Lists, place: str, waiting: deque[WirePresence]) -> None:
        backoff = Backoff(self._http.timing)
        while lists.asked.get(place) is waiting and link.fault is None:
            try:
                row = (await ask_page(self._http, place)).places
            except TwinwireError as error:
                if not error.is_passing:
                    logger.warning("who is at %s can't be asked for: %s", place, error.detail)
                    break
                await asyncio.sleep(backoff.next())
                continue
            if lists.asked.get(place) is not waiting or link.fault is not None:
                return  # the service has said it by itself, or there is another connection
            del lists.asked[place]
            lists.is_asked.add(place)
            self._take(link, listed(row[0]) if row else Roll(place), {})
            for frame in waiting:
                if not self._follow(link, lists, frame):
                    return
            return
        if lists.asked.get(place) is waiting:
            del lists.asked[place]

    def _take(self, link: Link, roll: Roll, reasons: Mapping[Key, str | None]) -> None:
        self._of(link).put(roll)
        if link is self._link:
            self._show(roll.place, reasons)

    def _show(self, place: str, reasons: Mapping[Key, str | None]) -> None:
        assert self._link is not None
        roll = self._of(self._link).rolls.get(place, Roll(place))
        held = self._held.get(place)
        if held:
            # Who comes back is held no more, and may go; so is one of whom it is said that he went.
            there = {member.key for member in roll.members} | reasons.keys()
            held = self._held[place] = tuple(member for member in held if member.key not in there)
        roll = with_held(roll, held or ())
        self.rolls[place] = roll
        if roll.member_count == 0 and place not in self._exact:
            del self.rolls[place]
        self._seen(roll, reasons)

    def _settle(self) -> None:
        """Whoever is not back by now has gone."""
        self._settling = None
        assert self._link is not None
        if self._link.fault is not None:
            return  # nobody knows, until there is another connection
        held, self._held = self._held, {}
        lists = self._of(self._link).rolls
        for place in [place for place in self.rolls if place not in lists or held.get(place)]:
            self._show(place, {})
