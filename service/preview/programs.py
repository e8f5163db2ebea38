"""Programs that run for somebody to look at: started when they are asked for, stopped when nobody looks.

    (none) ──ensure──> starting ──takes a connection──> running ──nobody looks for `idle` seconds, or shut──> (none)
                          └──ends, or listens to nothing──> failed <──ends──┘

Rule 1: there is one of an id at most, of what `Source.newest` says. When that is another, the old one is stopped and,
if somebody looks, the new one started.
Rule 2: there are `most` at most, and of one caller half of that. For one more the one that nobody has looked at for
longest goes; where all are looked at, whoever asks is refused.
Rule 3: a connection that is open is a look. What is seen last counts from its end.
Rule 4: what failed stays known, with the end of what it said, until nobody looks. A request starts it again after
REST_SECONDS at the earliest, so that a page of twenty pictures does not start it twenty times; a person at once.

All of it is on the event loop, and nothing is awaited between a look at what there is and its change.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, Literal, Protocol

import structlog

from service.core.errors import NotFoundError, OverloadedError, RateLimitedError, TwinwireError
from service.core.time import Clock
from service.preview.exchange import BadAnswerError, Streams, connected
from service.preview.sessions import holds

START_SECONDS: Final = 20.0
"""In which a program has to take a connection."""

LISTEN_PAUSE: Final = 0.05
"""Seconds between two looks whether it does."""

REST_SECONDS: Final = 5.0
LOOK_SECONDS: Final = 1.0
"""Between two looks at all of them."""

NEWER_LOOKS: Final = 2
"""Looks after which it is asked whether there is something newer to run."""

WATCHED_SECONDS: Final = 60.0
"""After a look, in which a newer one is started without being asked for."""

CONNECTIONS_MAX: Final = 64
"""Connections to one program at a time, and OF_ONE_MAX of them one caller's."""
OF_ONE_MAX: Final = 32

TAIL_MAX: Final = 4_000
"""Characters of what a program said last."""

State = Literal["starting", "running", "failed"]

logger = structlog.get_logger(__name__)


class CannotRunError(Exception):
    """Nothing was started: says why, for a person."""


class Served(Protocol):
    """A program that was started."""

    @property
    def ended(self) -> "asyncio.Future[str]":
        """Done when it has ended by itself: how, in words."""

    @property
    def tail(self) -> str:
        """The end of what it has put out."""

    async def connect(self) -> Streams:
        """A connection to its port. Raises OSError as long as it takes none."""

    async def stop(self) -> None:
        """End all of it; returns when it has."""


class Source(Protocol):
    """What there is to run."""

    async def newest(self, id: str) -> str | None:
        """Which version of a program; None if there is none, or no such program. Raises TwinwireError."""

    async def launch(self, id: str, version: str) -> Served:
        """Start it. Raises CannotRunError."""


class Program:
    """One that was asked for."""

    def __init__(self, id: str, version: str, who: str, now: float) -> None:
        self.id: Final = id
        self.version: Final = version
        self.who: Final = who
        self.state: State = "starting"
        self.message = ""
        self.seen = now
        self.failed_at = 0.0
        self.served: Served | None = None
        self.starting: asyncio.Task[None] | None = None
        self.exchanges: dict[asyncio.Task[Any], Callable[[], None] | None] = {}
        """Under way, each with what raises once it may not go on."""
        self.by: Counter[str] = Counter()
        self._tail = ""

    @property
    def tail(self) -> str:
        return (self._tail if self.served is None else self.served.tail)[-TAIL_MAX:]

    @property
    def is_watched(self) -> bool:
        return bool(self.by)

    def fail(self, message: str, now: float) -> None:
        self._tail = self.tail
        self.state, self.message, self.failed_at, self.served = "failed", message, now, None

    async def ready(self) -> None:
        """Returns once it runs, has failed, or was shut meanwhile."""
        if self.starting is not None and not self.starting.done():
            await asyncio.wait((self.starting,))


class Programs:
    """`idle` is the seconds without a look after which one is stopped, `most` how many there are at a time."""

    def __init__(self, source: Source, clock: Clock, *, idle: float, most: int) -> None:
        self._source = source
        self._clock = clock
        self.idle: Final = idle
        self._most = most
        self._of_one = max(1, most // 2)
        self._all: dict[str, Program] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._looking: asyncio.Task[None] | None = None
        self._looks = 0

    def __len__(self) -> int:
        return len(self._all)

    def start(self) -> None:
        """Begin to look after them."""
        self._looking = asyncio.create_task(self._look_on(), name="preview-look")

    async def close(self) -> None:
        """Stop all of them."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        for program in tuple(self._all.values()):
            self._shut(program)
        while self._ending:
            await asyncio.wait(self._ending)

    def get(self, id: str) -> Program | None:
        return self._all.get(id)

    def touch(self, id: str) -> Program | None:
        """The same for somebody who looks at it."""
        program = self._all.get(id)
        if program is not None:
            program.seen = self._clock.monotonic()
        return program

    def stop(self, id: str) -> None:
        """As a person wishes."""
        if (program := self._all.get(id)) is not None:
            self._shut(program)

    async def ensure(self, id: str, who: str, *, is_asked: bool = False) -> Program:
        """The program of this id, started if it does not run. `is_asked`: by a person, who wants the newest of it.

        Raises NotFoundError if there is nothing to run, OverloadedError or RateLimitedError if there is no room.
        """
        found = self.touch(id)
        if found is not None and not is_asked and not self._has_rested(found):
            return found
        version = await self._source.newest(id)
        if version is None:
            raise NotFoundError("there is nothing to open yet: a run has to be completed first")
        found = self.touch(id)  # meanwhile
        if found is not None:
            if found.version == version and found.state != "failed":
                return found
            self._shut(found)
        self._make_room(who)
        return self._begin(id, version, who)

    def _has_rested(self, program: Program) -> bool:
        return program.state == "failed" and self._clock.monotonic() - program.failed_at >= REST_SECONDS

    def _begin(self, id: str, version: str, who: str) -> Program:
        program = self._all[id] = Program(id, version, who, self._clock.monotonic())
        program.starting = asyncio.create_task(self._start(program), name=f"preview {id}")
        return program

    def _make_room(self, who: str) -> None:
        alive = [one for one in self._all.values() if one.state != "failed"]
        mine = [one for one in alive if one.who == who]
        if len(mine) >= self._of_one:
            self._give_up(mine, RateLimitedError(f"{self._of_one} applications of yours are open already"))
        elif len(alive) >= self._most:
            self._give_up(alive, OverloadedError(f"all {self._most} applications that may run are looked at"))
        failed = [one for one in self._all.values() if one.state == "failed"]
        for one in sorted(failed, key=lambda one: one.seen)[: max(0, len(failed) - self._most + 1)]:
            self._shut(one)

    def _give_up(self, some: list[Program], error: TwinwireError) -> None:
        unseen = [one for one in some if not one.is_watched]
        if not unseen:
            raise error
        self._shut(min(unseen, key=lambda one: one.seen))

    # Its life

    async def _start(self, program: Program) -> None:
        try:
            await self._launch(program)
        except Exception:
            logger.exception("preview_not_started", id=program.id)
            program.fail("the service could not start it", self._clock.monotonic())
            if program.served is not None:
                await program.served.stop()

    async def _launch(self, program: Program) -> None:
        try:
            served = await self._source.launch(program.id, program.version)
        except CannotRunError as error:
            program.fail(str(error), self._clock.monotonic())
            return
        except TwinwireError as error:
            program.fail(error.detail, self._clock.monotonic())
            return
        program.served = served
        served.ended.add_done_callback(partial(self._ended, program))
        until = self._clock.monotonic() + START_SECONDS
        while not served.ended.done():
            try:
                _, writer = await connected(served.connect)
            except BadAnswerError:
                if self._clock.monotonic() >= until:
                    program.fail(f"it takes no connection after {START_SECONDS:g} seconds", self._clock.monotonic())
                    await served.stop()
                    return
                await self._clock.sleep(LISTEN_PAUSE)
            else:
                writer.close()
                if not served.ended.done():  # meanwhile
                    program.state = "running"
                    logger.info("preview_started", id=program.id, version=program.version)
                    return

    def _ended(self, program: Program, ended: "asyncio.Future[str]") -> None:
        if program.served is not None and self._is_known(program):
            words = "it was stopped" if ended.cancelled() else ended.result()
            program.fail(words, self._clock.monotonic())
            logger.info("preview_ended", id=program.id, how=words)

    def _is_known(self, program: Program) -> bool:
        """Until it is shut: then there may be another of its id."""
        return self._all.get(program.id) is program

    def _shut(self, program: Program) -> None:
        """Known no more from now on; what it is made of ends soon."""
        if self._is_known(program):
            del self._all[program.id]
        for task in program.exchanges:
            task.cancel()
        ending = asyncio.create_task(self._end(program), name=f"preview {program.id} ends")
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def _end(self, program: Program) -> None:
        if program.starting is not None:
            program.starting.cancel()
            await asyncio.gather(program.starting, return_exceptions=True)
        if program.served is not None:
            await program.served.stop()

    # Looks

    @contextmanager
    def look(self, program: Program, who: str) -> Iterator[None]:
        """While a connection is open. Raises OverloadedError or RateLimitedError where there are too many."""
        if program.by.total() >= CONNECTIONS_MAX:
            raise OverloadedError(f"{CONNECTIONS_MAX} connections to this application are open")
        if program.by[who] >= OF_ONE_MAX:
            raise RateLimitedError(f"{OF_ONE_MAX} connections of yours to this application are open")
        program.by[who] += 1
        try:
            yield
        finally:
            program.by[who] -= 1
            if not program.by[who]:
                del program.by[who]
            program.seen = self._clock.monotonic()

    async def _look_on(self) -> None:
        while True:
            await self._clock.sleep(LOOK_SECONDS)
            try:
                await self.look_around()
            except TwinwireError as error:
                logger.warning("preview_not_looked_at", reason=error.detail)
            except Exception:  # a mistake about one of them must not have all of them run for ever
                logger.exception("preview_not_looked_at")
                await self._clock.sleep(REST_SECONDS)

    async def look_around(self) -> None:
        """At all of them, every now and then. Raises TwinwireError if it can't be said what is newest."""
        now = self._clock.monotonic()
        for program in tuple(self._all.values()):
            for task, check in tuple(program.exchanges.items()):
                if check is not None and not holds(check):
                    task.cancel()
            if not program.is_watched and now - program.seen > self.idle:
                logger.info("preview_stopped", id=program.id, reason="nobody looks")
                self._shut(program)
        self._looks += 1
        if self._looks % NEWER_LOOKS == 0:
            for program in tuple(self._all.values()):
                await self._renew(program, now)

    async def _renew(self, program: Program, now: float) -> None:
        """Stop what is not the newest; start that if somebody looks."""
        newest = await self._source.newest(program.id)
        if newest == program.version or not self._is_known(program):
            return
        was_seen = program.is_watched or now - program.seen < WATCHED_SECONDS
        self._shut(program)
        if newest is not None and was_seen:
            try:
                self._make_room(program.who)
            except TwinwireError:  # it stays stopped
                return
            self._begin(program.id, newest, program.who).seen = program.seen
