"""One subscription's way to the service, by the rules of the browser client: starts (hedged), goes on from the cursor
when a connection ends (back-off), moves to a better transport in the background, make before break, and ends when the
credential is refused or a retry can't help.

One task runs it all. Links are tasks of their own, which call `frame` and `changed`; what they bring is judged by the
reader and put into the inbox in one step, without a pause in between, so that two links never mix. A link that has a
fault is heard no more, though frames of it may still be on their way.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

from twinwire.beside import Beside
from twinwire.chooser import Chooser, Transport
from twinwire.credential import Credential
from twinwire.cursor import is_cursor
from twinwire.errors import Fault, TwinwireError
from twinwire.frames import Frame, event_of, gap_of
from twinwire.http import Http
from twinwire.inbox import Inbox, Position
from twinwire.link import Link
from twinwire.logs import CONNECTED, logger
from twinwire.race import Lost, race
from twinwire.reader import Reader, Verdict
from twinwire.timing import Backoff
from twinwire.wires import Open, usual_wires

State = Literal["connecting", "replaying", "live", "reconnecting", "closed"]

SLOWEST: Final = 20
"""Times the interval, the longest between two looks for a better transport."""
SOON: Final = 3.0
"""Seconds until the first: the failure may have been a coincidence."""

GIVEN_UP: Final = "dropped"
"""The kind of a fault that is ours, and says nothing about the transport."""


class Connection:
    """Reads `topics` (filters; none for all) from `after` on, into `inbox`."""

    def __init__(
        self,
        http: Http,
        topics: Sequence[str],
        after: str | None,
        transports: Sequence[Transport],
        inbox: Inbox,
        wires: Mapping[Transport, Open] | None = None,
        beside: Beside | None = None,
    ) -> None:
        """`beside` is told of what is in no log."""
        self._http = http
        self._topics = topics
        self._after = after
        self._inbox = inbox
        self._beside = beside or Beside()
        self._wires = wires or usual_wires(ephemeral=self._beside.hears, presence=self._beside.watches)
        self._reader = Reader(after)
        self._chooser = Chooser(transports)
        self._backoff = Backoff(http.timing)
        self._credential = Credential(http, self.restart)
        self._link: Link | None = None
        self._spare: Link | None = None
        """A better transport that is tried beside the one that works."""
        self._links: set[Link] = set()
        """All of which something is left."""
        self._wake = asyncio.Event()
        self._is_restarting = False
        self._looks = 0
        self._tried = ""
        """The token that was asked for after a refusal, since the last productive connection."""
        self.state: State = "connecting"
        self._loop = asyncio.get_running_loop()
        self.began: asyncio.Future[None] = self._loop.create_future()
        """Resolved when the first connection has begun, or will never."""
        self._task = asyncio.create_task(self._run())

    @property
    def transport(self) -> Transport | None:
        """None while there is no connection."""
        return self._link.name if self._link else None

    async def close(self) -> None:
        self._inbox.end(None)
        if self.state != "closed":  # else it is ending: another cancel would cut that short
            self.state = "closed"
            self._task.cancel()
        self._has_begun()
        await asyncio.wait([self._task])

    def whenever_done(self, act: Callable[[], object]) -> None:
        self._task.add_done_callback(lambda _: act())

    def forget(self) -> None:
        """Nobody reads it any more; from any thread, at any time."""
        with contextlib.suppress(RuntimeError):  # the loop is closed, and everything is gone
            self._loop.call_soon_threadsafe(self._task.cancel)

    def restart(self) -> None:
        """From the cursor, without delay."""
        self._is_restarting = True
        self._wake.set()

    # -- what links tell

    async def frame(self, link: Link, frame: Frame, raw: str) -> None:
        """Takes a frame, once there is room for it."""
        if self._inbox.is_full:
            await self._inbox.room()
        if link.fault is not None or (link is not self._link and link is not self._spare):
            return
        if frame.topic is not None:
            self._event(link, frame, raw)
        elif frame.type == "gap":
            self._gap(link, frame)
        elif frame.type in ("heartbeat", "caught_up"):
            if self._reader.position(frame.id) and frame.id is not None:
                self._inbox.put(Position(frame.id))
            if frame.type == "caught_up" and link is self._link:
                self.state = "live"
            self._wake.set()
        else:
            self._credential.frame(link, frame, is_working=link is self._link)

    def heard(self, link: Link, frame: Frame, raw: str) -> None:
        """Told at once, and not put among the others: nothing is queued of what is worth nothing later."""
        if link.fault is None and (link is self._link or link is self._spare):
            self._beside.heard(link, frame, raw, is_working=link is self._link)

    def changed(self, link: Link) -> None:
        self._wake.set()

    def gone(self, link: Link) -> None:
        self._links.discard(link)

    def _event(self, link: Link, frame: Frame, raw: str) -> None:
        assert frame.id is not None
        verdict = self._reader.event(frame.id, frame.prev)
        if verdict in (Verdict.DELIVER, Verdict.UNREPAIRED):
            if verdict is Verdict.UNREPAIRED:
                logger.error("something is missing before %s of %s, also when it is read again", frame.id, frame.topic)
            if link is self._link:
                self._backoff.reset()
            self._inbox.put(event_of(frame, raw))
        elif verdict is not Verdict.DUPLICATE and link is self._spare:
            link.drop(Fault(GIVEN_UP, "something is missing there"))
        elif verdict is not Verdict.DUPLICATE:
            logger.warning("something is missing before %s of %s: it is read again", frame.id, frame.topic)
            link.drop(Fault("protocol", f"something is missing before {frame.id}", is_at_once=True))

    def _gap(self, link: Link, frame: Frame) -> None:
        gap = gap_of(frame)
        if link is self._spare:
            link.drop(Fault(GIVEN_UP, "it can't go on where the working one does"))
        elif self._reader.gap(gap):
            self._inbox.put(gap)
        elif self._reader.cursor is not None:
            self._inbox.put(Position(self._reader.cursor))

    # -- the whole life

    async def _run(self) -> None:
        error: BaseException | None = None
        try:
            while True:
                await self._lived()
        except Exception as raised:
            error = raised
        finally:
            self._credential.cancel()
            self.state = "closed"
            self._inbox.end(error)
            self._has_begun()
            self._let_go()
            await asyncio.gather(*(link.ended() for link in self._links))

    async def _lived(self) -> None:
        """One connection, and the pause after it. Raises TwinwireError for what no retry helps."""
        try:
            fault = await self._life()
            if fault is None:
                return
            self.state = "connecting" if self._reader.cursor is None else "reconnecting"
            if fault.is_final or (fault.refusal is not None and not await self._has_another_token(fault)):
                raise fault.error()
            if fault.refusal is not None:
                return
        except TwinwireError as error:  # of a program's function for tokens, too
            if not error.is_passing:
                raise
            fault = Fault("network", error.detail, retry_after=error.retry_after)
        if not fault.is_at_once:
            delay = fault.retry_after or self._backoff.next()  # 0 is no order to hurry: from many, again and again
            logger.info("%s; trying again in %.1f s", fault.detail, delay)
            await asyncio.sleep(delay)

    async def _life(self) -> Fault | None:
        """From the attempts to the end of what came of them; None: begin again at once."""
        await self._http.token.ready()
        self._is_restarting = False
        outcome = await race(self._chooser.order(), self._launch, self._failed, self._http.timing.hedge)
        if isinstance(outcome, Lost):
            if outcome.is_all:
                self._chooser.all_failed()
            return outcome.fault
        self._won(*outcome)
        try:
            return await self._served()
        finally:
            self._credential.cancel()
            self._let_go()

    async def _has_another_token(self, fault: Fault) -> bool:
        """What no token of this bearer may do is not asked for again, nor is a token after one that was just given."""
        if fault.refusal == "forbidden" or (self._tried and fault.token == self._tried):
            return False
        is_there = await self._http.token.renew(fault.token)
        self._tried = self._http.token.text
        return is_there

    def _let_go(self) -> None:
        self._link = self._spare = None
        for link in self._links:
            link.close()

    def _launch(self, name: Transport) -> Link:
        is_new = self._link is None and self._beside.is_alone  # and nobody wants to know what it has missed
        after = self._after if is_new else self._reader.cursor or self._after
        link = Link(name, after, self._wires[name](self._http, self._topics, after), self._http, self)
        link.opened.add_done_callback(lambda _: self._wake.set())
        self._links.add(link)
        return link.open()

    def _failed(self, link: Link) -> Fault:
        fault = link.fault or Fault("network", "it ended")
        was_connected = link.connection is not None
        self._chooser.ended(link.name, fault, was_connected=was_connected, was_productive=link.is_productive)
        return fault

    def _won(self, link: Link, others: list[Link]) -> None:
        """Of the others a better one goes on beside it, if it asked for a cursor: then it can miss nothing."""
        assert link.connection is not None
        self._reader.begin(link.after, link.connection)
        if self._reader.cursor is not None:
            self._inbox.put(Position(self._reader.cursor))
        self._looks = 0
        better = self._chooser.better(link.name)
        for other in others:
            if self._spare is None and other.name in better and is_cursor(other.after):
                self._spare = other
            else:
                other.close()
        self._adopt(link)
        self.state = "replaying"
        logger.info(CONNECTED, link.name)
        self._has_begun()

    def _has_begun(self) -> None:
        if not self.began.done():
            self.began.set_result(None)

    def _adopt(self, link: Link) -> None:
        self._link = link
        pings = [every for every in (self._chooser.ping_every, self._beside.ping_every) if every]
        if link.name == "websocket" and pings:
            link.keep_alive(min(pings))
        self._beside.adopt(link)
        self._credential.adopt(link)
        link.go()

    async def _served(self) -> Fault | None:
        """Until the connection ends and no other is in its place; None: begin again at once."""
        clock = self._loop.time
        due = self._next_look(clock())
        while True:
            await _until(self._wake, None if due is None else due - clock())
            self._wake.clear()
            if self._is_restarting:
                return None
            if self._spare is not None and self._look_at(self._spare):
                due = self._next_look(clock())
            link = self._link  # which may be another one by now
            assert link is not None
            if link.is_productive:
                self._proved(link)
            if link.fault is not None:
                fault = self._failed(link)
                if not self._has_successor(fault):
                    return fault
                due = self._next_look(clock())
            elif self._spare is None and due is not None and clock() >= due:
                due = None
                better = self._chooser.better(link.name)
                self._spare = self._launch(better[self._looks % len(better)])
                self._looks += 1

    def _next_look(self, now: float) -> float | None:
        """When a better transport is tried; None if there is none, or one is being tried."""
        if self._link is None or self._spare is not None or not self._chooser.better(self._link.name):
            return None
        probe = self._http.timing.probe
        return now + (min(SOON, probe) if self._looks == 0 else probe * min(2 ** (self._looks - 1), SLOWEST))

    def _proved(self, link: Link) -> None:
        self._chooser.productive(link.name)
        self._backoff.reset()
        self._tried = ""

    def _look_at(self, spare: Link) -> bool:
        """Whether it is no spare any more: it is gone, or has taken over."""
        if spare.connection is not None and not spare.connection.resumed:
            spare.drop(Fault(GIVEN_UP, "it does not go on where the working one does"))
        if spare.fault is not None:
            self._failed(spare)
            self._spare = None
            return True
        if spare.connection is not None:
            spare.go()
        if not (spare.is_caught_up and spare.is_productive):
            return False
        self._chooser.productive(spare.name)
        self._take_over(spare)
        return True

    def _take_over(self, spare: Link) -> None:
        old, self._link, self._spare = self._link, None, None
        self._credential.cancel()
        self._looks = 0
        self._adopt(spare)
        self.state = "live" if spare.is_caught_up else "replaying"
        if old is not None:
            old.close()

    def _has_successor(self, fault: Fault) -> bool:
        """Whether the one that is tried takes over at once: it has been feeding the reader all along."""
        spare = self._spare
        if spare is None or spare.connection is None or spare.fault is not None or fault.is_answer:
            return False
        self._take_over(spare)
        return True


async def _until(event: asyncio.Event, seconds: float | None) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(None if seconds is None else max(seconds, 0.0)):
            await event.wait()
