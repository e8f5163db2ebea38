"""What the guarded connections of one server share."""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from enum import IntEnum
from itertools import islice
from typing import Any, Final, Protocol

from service.core.rates import Rate
from service.stream.hypercorn.budget import Budget
from service.stream.hypercorn.leaving import Leaving
from service.stream.hypercorn.proxied import read_client

STATE: Final = "twinwire.guards"
"""Where they are in the lifespan's state (ASGI, "Lifespan State"), which a server hands to each of its connections."""

TURN: Final = 0.004
"""Seconds of each turn of the loop for those who have something to be taken in."""

LONG: Final = 0.008
"""Seconds of a turn of the loop from which on fewer are let in: what each does then is not known beforehand."""

LET_IN: Final = 16
LET_IN_MAX: Final = 64
"""In a turn of the loop: at least, since it may be others that make it long; and at most, so many as share a commit."""

WORKERS: Final = 2
"""In a turn of the loop, of those whose work takes a millisecond or some: requests to a framework, slices of a body."""

PIECES: Final = 100
PIECES_RATE: Final = 100
PIECE: Final = 4 * 1024
"""What a peer may send without being busy: so many pieces at once and a second, and as much more for each `PIECE` bytes
of them. A browser sends less, and somebody who asks fifty times a second."""

LEFT: Final = 100
LEFT_RATE: Final = 300
"""Connections, at once and a second, whose peer has ended its side before it was let in and which are answered all the
same: half a connection may still read. Of a flood of them each would else cost a millisecond, for nobody."""

FRAMES: Final = Rate(100, 1_000)
"""WebSocket frames of one connection that carry no message on, unless it is said otherwise: pings, pongs, empty
messages and small fragments."""

FAIRNESS: Final = 4
"""Of so many who are let in, one is of a lower rank, if any waits: those above may come without end."""


class Rank(IntEnum):
    """Who comes first, of those who wait."""

    QUIET = 0
    """A peer that is known, and sends little."""
    NEW = 1
    """A connection that has just come."""
    BUSY = 2
    """A peer that sends much, or a large piece of work that was begun."""
    LEFT = 3
    """A connection whose peer had ended its side before anything was read of it."""


class Turns:
    """Whoever has something to be taken in asks first, and waits if that has had its share of this turn of the loop.

    So a thousand connections that send as fast as they can take as much of the loop as a few, and everybody else's work
    comes in between; and a peer that sends little does not wait behind them. While nobody waits and there is time left,
    asking costs next to nothing.

    How many are let in, `most` at most, follows from how long the turns of the loop are: more after a short one, half
    as many after a long one.
    """

    __slots__ = ("_begun", "_is_begun", "_least", "_let_in", "_most", "_now", "_room", "_served", "_until", "_waiting")

    def __init__(self, now: Callable[[], float], most: int = LET_IN_MAX) -> None:
        self._now = now
        """In seconds. Not the loop's clock, which may stand within a turn."""
        self._most = most
        self._waiting: tuple[deque[asyncio.Future[None]], ...] = tuple(deque() for _ in Rank)
        """By rank, first come, first served; those that were cancelled are in it until their turn."""
        self._is_begun = False
        """`_next` is called in the next turn of the loop, as long as somebody has asked in this one."""
        self._begun = 0.0
        self._until = 0.0
        """When this turn began, and when its time is over."""
        self._least = min(LET_IN, max(1, most // 2))
        self._let_in = self._least
        self._room = 0
        """How many more are let in within this turn."""
        self._served = 0

    async def take(self, rank: Rank) -> None:
        loop = asyncio.get_running_loop()
        if not self._is_begun:
            self._begin(loop, self._most)
        if self._room and self._now() < self._until and not any(self._waiting[: rank + 1]):
            self._room -= 1
            return
        turn = loop.create_future()
        self._waiting[rank].append(turn)
        await turn

    def _begin(self, loop: asyncio.AbstractEventLoop, room: int) -> None:
        self._is_begun = True
        self._room = room
        self._begun = self._now()
        self._until = self._begun + TURN
        loop.call_soon(self._next, loop)

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        self._is_begun = False
        if not any(self._waiting):
            return
        spent = self._now() - self._begun
        if spent > LONG:
            self._let_in = max(self._least, self._let_in // 2)
        elif spent < TURN:
            self._let_in = min(self._most, 2 * self._let_in)
        room = self._let_in
        while room and (queue := self._first()):
            turn = queue.popleft()
            if not turn.done():
                turn.set_result(None)
                self._served += 1
                room -= 1
        self._begin(loop, room)

    def _first(self) -> deque[asyncio.Future[None]] | None:
        """Whose turn it is; None if nobody waits. Of so many as FAIRNESS one goes to the lower ranks, in turn."""
        turn, within = divmod(self._served, FAIRNESS)
        if not within and (favoured := self._waiting[1 + turn % (len(Rank) - 1)]):
            return favoured
        return next((queue for queue in self._waiting if queue), None)


class Resting(Protocol):
    """A connection that can be let go while its peer asks for nothing."""

    def give_way(self) -> None:
        """End at once. Never waits or raises."""

    def has_rested(self) -> None:
        """For too long, or the service stops: begin the end, if nothing is under way. Never waits or raises."""


class Stopping(Protocol):
    """Hypercorn's event for it."""

    async def wait(self) -> None: ...


AT_ONCE: Final = 100
"""Connections that are told in one turn of the loop that they have rested."""

SOON: Final = 0.001
"""Seconds until the next of them are told: at least, or a `keep_alive_timeout` of 0 would keep the loop busy."""

PATIENCE: Final = 1.0
"""Seconds that a connection has to ask for something, or for more, before it gives way to others that come."""


class Idle(IntEnum):
    """A connection with nothing under way."""

    ENDING = 0
    NEW = 1
    RESTING = 2


WATCH: Final = "resting-connections"
"""The name of the task that waits for the service's end, for all of them."""


class Crowd:
    """All connections of one server, `most` at a time (0: no bound), so that new ones find a descriptor.

    If there are too many, one goes that has nothing under way, the oldest of the first of these that are there: those
    that have had their answer and only throw away what comes; those that have not asked for anything in PATIENCE; those
    that were answered and have rested for as long; those that have just come; those that have just been answered.

    Once it is watched (`watch`), those that rest too long are told, and all that rest when the service stops: one timer
    for all of them, since in a storm a task or a timer for each is a tenth of its handshake.
    """

    __slots__ = ("_idle", "_now", "_open", "_rest", "_timer", "_watch", "is_stopping", "most")

    def __init__(self, most: int, now: Callable[[], float]) -> None:
        self.most: Final = most
        self._now = now
        self._open: set[Resting] = set()
        """Those that were not told to give way: an ended one is on its way out, and no reason to end another."""
        self._idle: tuple[dict[Resting, float], ...] = tuple({} for _ in Idle)
        """By kind, in the order in which they became it, and when."""
        self._rest = math.inf
        """Seconds that one may rest."""
        self._timer: asyncio.TimerHandle | None = None
        """While it is watched and somebody rests."""
        self._watch: asyncio.Task[None] | None = None
        self.is_stopping = False

    def watch(self, rest: float, stopping: Stopping) -> None:
        """From now, on the running loop; more than once is as good as once. `rest` is in seconds."""
        if self._watch is None:
            self._rest = rest
            self._watch = asyncio.get_running_loop().create_task(self._end_with(stopping), name=WATCH)

    async def _end_with(self, stopping: Stopping) -> None:
        await stopping.wait()
        self.is_stopping = True
        resting = [one for kind in (Idle.NEW, Idle.RESTING) for one in self._idle[kind]]
        for count, one in enumerate(resting, 1):
            one.has_rested()
            if count % AT_ONCE == 0:
                await asyncio.sleep(0)

    def enter(self, one: Resting) -> None:
        """A new connection."""
        self._open.add(one)
        self._make_room()
        self._idle[Idle.NEW][one] = self._now()
        self._set_timer()

    def leave(self, one: Resting) -> None:
        self._open.discard(one)
        self._forget(one)

    def becomes(self, one: Resting, idle: Idle | None) -> None:
        """It has become idle in this way, or something is under way: None."""
        self._forget(one)
        if idle is not None and one in self._open:
            self._idle[idle][one] = self._now()
            self._make_room()
            self._set_timer()
            if idle is Idle.RESTING and self.is_stopping:
                one.has_rested()

    def _set_timer(self) -> None:
        if self._timer is None and self._watch is not None:
            self._timer = asyncio.get_running_loop().call_later(self._rest, self._tell)

    def _tell(self) -> None:
        """Those whose time is over; one that does not end has it anew."""
        self._timer = None
        now, room, kinds = self._now(), AT_ONCE, (self._idle[Idle.NEW], self._idle[Idle.RESTING])
        for resting in kinds:
            for one, since in tuple(islice(resting.items(), room)):
                if now - since < self._rest:
                    break
                room -= 1
                del resting[one]
                resting[one] = now
                one.has_rested()
        firsts = [next(iter(resting.values())) for resting in kinds if resting]
        if firsts:
            left = min(firsts) + self._rest - now
            self._timer = asyncio.get_running_loop().call_later(max(left, SOON), self._tell)

    def _make_room(self) -> None:
        while self.most and len(self._open) > self.most and (other := self._next()) is not None:
            self._open.discard(other)
            self._forget(other)
            other.give_way()

    def _next(self) -> Resting | None:
        """Who gives way first; None if all have something under way."""
        ending, new, resting = self._idle
        late = self._now() - PATIENCE
        for kind, since in ((ending, math.inf), (new, late), (resting, late), (new, math.inf), (resting, math.inf)):
            one, began = next(iter(kind.items()), (None, 0.0))
            if one is not None and began < since:
                return one
        return None

    def _forget(self, one: Resting) -> None:
        for others in self._idle:
            others.pop(one, None)


class Guards:
    """Made by the composition root, one for each server. `h2c`: whether HTTP/2 is spoken without TLS; `connections`:
    how many there may be at a time, 0 for no bound; `patience`: seconds for what a peer has begun; `frames`: of a
    WebSocket that say nothing, and `goodbye` what its client is told beyond them, as text; `proxies` tells by a peer's
    address whether it sends a PROXY header, None: nobody does; `now` is a clock in seconds, as `Turns` has it.
    """

    __slots__ = (
        "_left",
        "_proxies",
        "crowd",
        "frames",
        "goodbye",
        "h2c",
        "leaving",
        "now",
        "patience",
        "turns",
        "work",
    )

    def __init__(
        self,
        now: Callable[[], float],
        *,
        h2c: bool = False,
        connections: int = 0,
        patience: float = 30.0,
        frames: Rate = FRAMES,
        goodbye: Callable[[], str] = lambda: '{"type":"goodbye","reason":"limit","code":1013,"retry":1000}',
        proxies: Callable[[str], bool] | None = None,
    ) -> None:
        self.crowd: Final = Crowd(connections, now)
        self.leaving: Final = Leaving()
        self.turns: Final = Turns(now)
        """For what comes in."""
        self.work: Final = Turns(now, WORKERS)
        """For what is a lot of work."""
        self.now: Final = now
        self._proxies = proxies
        self._left: Final = Budget(LEFT, LEFT_RATE, now())
        self.h2c: Final = h2c
        self.frames: Final = frames
        self.goodbye: Final = goodbye
        self.patience: Final = patience

    def has_room_for_left(self) -> bool:
        """Whether one more is answered that has left before it was let in."""
        has_room = self._left.take(1, self.now())
        self._left.settle()
        return has_room

    async def client(self, reader: asyncio.StreamReader, peer: Any) -> Any:
        """Who asks on a connection of this peer, as ASGI names it: itself, or whom its PROXY header names.

        Raises ConnectionAbortedError or TimeoutError, if there should be one.
        """
        if self._proxies is None or peer is None or not self._proxies(peer[0]):
            return peer
        async with asyncio.timeout(self.patience):
            return await read_client(reader) or peer
