"""Sends one run, from its files, until the service has all of it: in order and once, whatever happens on the way.

| what comes back | what is done |
|---|---|
| an answer | what comes next |
| nothing, 429, 5xx, what something on the way says | the same again, when the service says or after a while |
| 409, 404 | the run is begun again with its key, and goes on from where the service says that it has it |
| 413 that names `items` | no more output than it has; at the end it is told what was left out |
| another 413 | smaller requests: for something on the way, or for a rate |
| 401, 403, 422, or 409 and 404 again and again | raised: no waiting helps |

A service that has forgotten the run is told all of it anew: the files are there until it has their end.

One request is under way at a time, and is noted in the journal before. Nothing of the run is held here but that.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

import msgspec

from twinwire.errors import RefusedError, TwinwireError, why
from twinwire.running.journal import Journal, Position, Sent
from twinwire.running.planning import REQUEST, Planner
from twinwire.running.reports import Answer, Reports, Run
from twinwire.running.spool import Spool
from twinwire.timing import Backoff, Timing

LINGER: Final = 0.2
"""Seconds from one request to the next, in which lines come together; no longer than until there is a full one."""

ALIVE: Final = 10.0
"""Seconds without news after which the service is told that the command lives. In the answer it tells whether somebody
wants that to end, who waits so long."""

BODY_MIN: Final = 8 << 10
"""Bytes of a request that anything on the way takes."""

ITEMS_MIN: Final = 10

ANEW_MAX: Final = 3
"""Times that the run is begun again without getting any further."""

TIMING: Final = Timing(backoff_base=0.5, backoff_cap=10.0)


class Unsent(NamedTuple):
    """Why a run is not sent, and whether it may be later, by another process."""

    why: str
    may_wait: bool


def why_unsent(error: TwinwireError | OSError | ValueError) -> Unsent:
    """After what `Sender.send` has raised: another token may, and a disk has room again; what the service does not take
    it never will."""
    return Unsent(why(error), isinstance(error, RefusedError | OSError))


class Sender:
    """Of a run whose lock we hold; `cancel` is called once if the service wants the command to end. On one event loop.

    `run` is known once the service knows it too; `trouble` is why nothing gets through at the moment.
    """

    def __init__(self, spool: Spool, reports: Reports, *, timing: Timing = TIMING, alive: float = ALIVE) -> None:
        self._spool: Final = spool
        self._reports: Final = reports
        self._journal: Final = Journal(spool.path)
        self._backoff = Backoff(timing)
        self._alive = alive
        self._at = Position()
        self._noted: list[Sent] = []
        self._planner: Planner | None = None
        self._anew = 0
        self._heard = 0.0
        self._more = asyncio.Event()
        self._full = asyncio.Event()
        """Of what comes a request is full, or it is the end."""
        self.cancel: Callable[[], None] = lambda: None
        self.run: Run | None = None
        self.trouble = ""
        self.has_lost = False
        """Whether some of it may be neither at the service nor sent."""

    @property
    def left(self) -> int:
        """Bytes of output that the service does not have yet."""
        return self._spool.extent.output - self._at.output

    @property
    def cut(self) -> int:
        """Bytes of output that were left out."""
        return self._at.cut

    async def send(self) -> None:
        """Until its end is stored. Raises TwinwireError for what no waiting helps with, OSError where the journal can't
        be written, and ValueError where the service has more of it than we have sent; see `why_unsent`."""
        loop = asyncio.get_running_loop()
        self._spool.notify = lambda: self._notified(loop)
        try:
            await self._begin()
            while (sent := await self._next()) is not None:
                await self._deliver(sent)
        finally:
            self._spool.notify = lambda: None

    async def _begin(self) -> None:
        while True:
            try:
                known = self.run.project if self.run else self._spool.project
                run = await self._reports.begin(self._spool.about, known)
                break
            except TwinwireError as error:
                await self._pause(error)
        if self._spool.project is None:
            with suppress(OSError):  # the next process would have to find it by its name
                self._spool.settle(run.project)
        self._went_well()
        self.run = run
        self._planner = Planner(self._spool, run.limits)
        self._at, self._noted = self._go_on(run.reported + 1)

    def _go_on(self, number: int) -> tuple[Position, list[Sent]]:
        """From this number on. Where a power cut has taken what was sent under it, nobody knows which of the output the
        service has: it is told the end."""
        try:
            return self._journal.from_number(number)
        except ValueError:
            if self._spool.is_new:
                raise
        self.has_lost = True
        return Position(number, self._spool.extent.output, self._spool.last_mark()), []

    async def _next(self) -> Sent | None:
        """What comes next, once it is there; None behind the end."""
        assert self._planner is not None
        loop = asyncio.get_running_loop()
        if self._noted:
            return self._noted.pop(0)
        while True:
            self._full.clear()
            if not self._is_urgent():
                await _within(self._heard + LINGER - loop.time(), self._full)
            self._more.clear()
            extent = self._spool.extent
            if (sent := self._planner.next(self._at, extent)) is not None:
                self._journal.append(sent)
                return sent
            if extent.has_ended:
                return None
            if not await _within(self._heard + self._alive - loop.time(), self._more):
                return self._life()

    def _life(self) -> Sent:
        at = self._at
        sent = Sent(at.number, 1, (at.output, at.output), (at.marks, at.marks), is_alive=True)
        self._journal.append(sent)
        return sent

    def _notified(self, loop: asyncio.AbstractEventLoop) -> None:
        """On any thread; nothing where nobody sends any more."""
        for event, is_due in ((self._more, True), (self._full, self._is_urgent())):
            if is_due and not event.is_set():
                with suppress(RuntimeError):
                    loop.call_soon_threadsafe(event.set)

    def _is_urgent(self) -> bool:
        return self._spool.extent.has_ended or self.left >= REQUEST

    async def _deliver(self, sent: Sent) -> None:
        assert self._planner is not None
        assert self.run is not None
        items = self._planner.items(sent)
        while True:
            try:
                answer = await self._reports.send(self.run, sent.first, items)
            except TwinwireError as error:
                if error.status == 413:
                    self._shrink(error)
                    return
                if error.status in (404, 409) and not error.is_passing:
                    await self._again(error)
                    return
                await self._pause(error)
                continue
            self._took(sent, answer)
            return

    def _took(self, sent: Sent, answer: Answer) -> None:
        self._at = sent.after(self._at)
        self._anew = 0
        self._went_well()
        if answer.cancel:
            cancel, self.cancel = self.cancel, lambda: None
            cancel()

    def _shrink(self, error: TwinwireError) -> None:
        """What was noted is not taken: it is planned anew, for the same number. Raises it if it can't be less."""
        assert self._planner is not None
        limits = self._planner.limits
        stored = self._at.output - self._at.cut
        if error.field == "items" and stored < limits.bytes:
            self._planner.limits = msgspec.structs.replace(limits, bytes=stored)
        elif error.field != "items" and limits.body > BODY_MIN:
            fewer = max(ITEMS_MIN, limits.items // 2)
            self._planner.limits = msgspec.structs.replace(limits, body=limits.body // 2, items=fewer)
        else:
            raise error
        self._noted.clear()

    async def _again(self, error: TwinwireError) -> None:
        self._anew += 1
        if self._anew > ANEW_MAX:
            raise error
        await self._begin()

    async def _pause(self, error: TwinwireError) -> None:
        """Raises it where waiting does not help."""
        if not error.is_passing:
            raise error
        self.trouble = error.detail
        await asyncio.sleep(error.retry_after or self._backoff.next())

    def _went_well(self) -> None:
        self.trouble = ""
        self._backoff.reset()
        self._heard = asyncio.get_running_loop().time()


async def _within(seconds: float, event: asyncio.Event) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            return await event.wait()
    return False
