"""One stream: a subscription, a pipe, and the pump that runs while the subscription is behind.

Rule 1: whoever writes holds the place that it writes from. Live, that is the fan-out, in the step in which it moves
the cursor; otherwise it is the one task that reads: `run` before it listens, then the pump.
Rule 2: the first reason to end counts. `ending` is written once, by whoever comes first, and says all that is known.
Rule 3: whatever happens, `run` closes the subscription, says goodbye if it can be heard, and leaves the registry.

    state         who writes events               direct pipe                      portable pipe
    opening       `run`: `first`                  pushed, not waited for           sent, waited for
    catching up   `run` for INLINE_PAGES pages,   as below; live needs no pump     as below; the pump stays for good
                  then the pump
    live          the fan-out, in its own step    written to the transport; no     `write` refuses, and `behind`
                                                  task but the listener's          sets `_wake`, the pump reads a page
    behind        the pump, from the cursor       began when a write was not       the same pump, between two waits
                                                  taken; ends once live again
    ending        `run`: `goodbye`                pushed, then flushed             sent within FLUSH_TIMEOUT

Who runs where, all on one event loop:

- `run` is the connection's own task, the listener in it. It is the only one that `end` cancels, and only while
  `_listening` names it; `_was_ended` tells our cancellation from the server's, and takes ours back.
- the pump is a task while there is something to read. It ends itself, or `_stop` ends it.
- `deliver`, and through it `write` and `_fell_behind`, runs in the fan-out's step; `sweep` in the hub's; neither waits.

What holds at each `await`:

- in `subscription.read`: events may be committed and floors may rise; the subscription answers for both.
- in `pipe.send`: the cursor is already past what is being sent, and nobody else writes: `_lock` keeps replies and
  changes of the filter out until the page is handed over, so that a reply's position is where its answer begins.
- in `listener.listen`: anything may happen; the listener speaks to the client through `reply` and `between_pages`.
- nowhere between `read` returning None and `go_live`: an event that came in between would be nobody's.
"""

import asyncio
import contextlib
import math
from collections.abc import Mapping
from typing import Any, Final, Generic

import structlog

from service.access.lease import Lease
from service.bus.encoding import P
from service.bus.subscription import State, Subscription
from service.bus.values import Gap, StateEnd
from service.core.errors import TwinwireError
from service.core.topics import TopicFilter
from service.core.words import ControlType
from service.stream.beside import Beside
from service.stream.between import BetweenPages
from service.stream.control import StreamEncoding
from service.stream.ending import FAULT, LOST, STALLED, Ending, fault_of
from service.stream.peer import Peer
from service.stream.pipe import Pipe
from service.stream.registry import Listener, Registry

TRAILING_QUIET: Final = 0.9
"""Seconds of silence after a burst, then a heartbeat: it frees the last message from a proxy that holds one back."""

FLUSH_TIMEOUT: Final = 2.0
"""Seconds that a peer has to take what is left, the goodbye included, when we end its stream."""

INLINE_PAGES: Final = 2
"""Pages that a new stream reads before it starts a task for it: most reconnects have missed less."""

logger = structlog.get_logger(__name__)


class Stream(Generic[P]):
    """`run` is the whole life of it; `sweep` and `end` are the hub's."""

    __slots__ = (
        "_caught_up",
        "_heard_at",
        "_heartbeat_due",
        "_hub",
        "_listening",
        "_pump_task",
        "_swept",
        "_trailing",
        "_wake",
        "beside",
        "encoding",
        "ending",
        "lease",
        "lock",
        "peer",
        "pipe",
        "replayed",
        "subscription",
        "users",
        "warned",
    )

    def __init__(
        self, hub: Registry, subscription: Subscription[P], pipe: Pipe[P], encoding: StreamEncoding[P], peer: Peer
    ) -> None:
        self._hub = hub
        self.encoding = encoding
        self.lock: asyncio.Lock | None = None  # while it has `users`, who are between two pages or wait to be
        self.users = 0
        self._wake = asyncio.Event() if not pipe.direct else None  # portable: there is something to read, or to beat
        self._pump_task: asyncio.Task[None] | None = None  # while it runs
        self._listening: asyncio.Task[Any] | None = None  # `run`'s task, from its first step until it stops
        self._caught_up = False  # whether `caught_up` was sent: once in a stream's life, before it is first live
        self._heartbeat_due = False  # the sweep's wish, for whoever writes next
        self._trailing = False  # events were sent since the last heartbeat: the last of them may be held back
        self._heard_at = hub.now()  # when the client was last sent anything, as far as the sweep has seen
        self._swept = (0, subscription.offset)  # what `_sent` was at the last sweep
        self.peer = peer
        self.lease: Lease | None = None  # the place that it takes, of a wire that has its callers change
        self.subscription = subscription
        self.pipe = pipe
        self.beside = Beside()
        self.ending: Ending | None = None  # why the server ended it; None after `run`: the client left
        self.warned = math.inf  # see `expiry.py`
        self.replayed = 0  # events sent from a cursor, for `caught_up` and the sweep
        pipe.on_behind(self._fell_behind)

    def frame(self, type: ControlType, fields: Mapping[str, Any]) -> P:
        return self.encoding.control(type, fields)

    async def run(self, first: list[P], listener: Listener) -> None:
        """Send `first` from its end, feed and listen until the client leaves or the server ends it: `ending` says why,
        None if the client left. The list is emptied: its caller would keep the frames for hours."""
        self._listening = asyncio.current_task()
        self._hub.add(self)
        try:
            while first:
                await self._send(first.pop())
            # Before its first step it may have ended without being there to be cancelled.
            if self.ending is None and (not await self._catch_up(INLINE_PAGES) or not self.pipe.direct):
                if not (self._caught_up or self.subscription.is_at_head):
                    self._hub.replays(self)
                self._start_pump()
            if self.ending is None:
                await listener.listen()
        except (ConnectionError, TimeoutError) as error:
            self.ending = self.ending or (STALLED if isinstance(error, TimeoutError) else LOST)
        except asyncio.CancelledError:
            if not self._was_ended():
                raise
        except TwinwireError as error:
            self._fault(error)
        finally:
            await self._stop()

    def refuse(self, ending: Ending) -> None:
        """The listener's: end the stream because of what the client sent. The listener returns after it."""
        self.ending = self.ending or ending

    def _was_ended(self) -> bool:
        """Whether a cancellation was our own, from `end`; as in asyncio.timeout, it is then taken back."""
        task = asyncio.current_task()
        return self.ending is not None and task is not None and task.uncancel() == 0

    async def _stop(self) -> None:
        self._listening = None
        self.subscription.close()
        self.beside.close()
        pump, self._pump_task = self._pump_task, None
        if pump is not None:
            pump.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await pump
        try:
            await self._goodbye()
            if self.ending is not None:
                await self.pipe.flush(FLUSH_TIMEOUT)
        finally:
            self.pipe.on_behind(None)  # each holds the other, and with it a connection's buffers
            self._hub.remove(self)

    def end(self, ending: Ending) -> None:
        """End the stream from outside; `run` returns soon. Idempotent: the first reason counts."""
        if self.ending is not None:
            return
        self.ending = ending
        if self._listening is not None and self._listening is not asyncio.current_task():
            self._listening.cancel()  # from inside `run` it would hit the goodbye instead

    async def _goodbye(self) -> None:
        """Tell the client why and when to come back, if it can still hear it."""
        ending = self.ending
        if ending is None or ending.reason is None or self.pipe.is_closed:
            return
        fields = self._hub.control.goodbye(ending, self._hub.return_delay())
        with contextlib.suppress(ConnectionError, TimeoutError):
            if not self.pipe.push(frame := self.frame("goodbye", fields)):
                async with asyncio.timeout(FLUSH_TIMEOUT):
                    await self.pipe.send(frame)

    # Feeding

    def _fell_behind(self) -> None:
        """The fan-out's: a write was not taken."""
        if self._wake is not None:
            self._wake.set()
        elif self._listening is not None:
            self.peer.trail.behind(self.subscription.offset, is_full=self.pipe.is_full)
            self._start_pump()

    def _start_pump(self) -> None:
        if self._pump_task is None and self.subscription.state is not State.CLOSED:
            self._pump_task = asyncio.create_task(self._pump())

    async def _pump(self) -> None:
        try:
            await self.pipe.drain()  # what the fan-out wrote last: a page, and another one on top of it would be two
            while not await self._catch_up() or self._wake is not None:
                if self._wake is not None:
                    await self._wait_for_more(self._wake)
        except (ConnectionError, TimeoutError) as error:
            self.end(STALLED if isinstance(error, TimeoutError) else LOST)
        except TwinwireError as error:
            self._fault(error)
        except Exception:
            logger.exception("pump_failed", transport=self.peer.transport)
            self.end(FAULT)
        finally:
            if self._pump_task is asyncio.current_task():
                self._pump_task = None

    async def _wait_for_more(self, wake: asyncio.Event) -> None:
        """Portable pipes: live means parked here, until the fan-out says that there is something to read."""
        while self.subscription.state is State.LIVE:
            await wake.wait()
            wake.clear()
            if self._heartbeat_due:
                await self._send_heartbeat()

    async def _send_heartbeat(self) -> None:
        self._heartbeat_due = False
        beat = self._hub.control.beat(self.subscription.resume_at, self._hub.unix_ms())
        await self._send(self.frame("heartbeat", beat))

    async def _catch_up(self, pages: int | None = None) -> bool:
        """Read and send until live, or for so many pages; True once live."""
        subscription = self.subscription
        while pages is None or pages > 0:
            async with self.between_pages():
                await self.beside.watching.flush()
                item = await subscription.read()
                if item is None and self.beside.watching.is_owed:
                    pages = pages and pages - 1
                elif item is None:
                    if self._caught_up:
                        if subscription.go_live(self.pipe):
                            self.peer.trail.caught_up(subscription.offset)
                            await self.beside.hearing.flush(self._send)
                        elif subscription.state is State.REPLAYING:
                            continue
                        return True
                    self._caught_up = True
                    self._hub.has_caught_up(self)
                    # A proxy that holds the last message back would keep this one until the first real heartbeat.
                    self._trailing = self.encoding.may_be_held_back
                    told = self._hub.control.caught_up(subscription.offset, self.replayed)
                    await self._send(self.frame("caught_up", told))
                elif isinstance(item, Gap):
                    self.peer.trail.gap(item)
                    await self.pipe.send(self.frame("gap", self._hub.control.gap(item)))
                elif isinstance(item, StateEnd):
                    await self.pipe.send(self.frame("state_end", self._hub.control.state_end(item.offset)))
                else:
                    self.replayed += item.count
                    if item.payload is not None:
                        self._heartbeat_due = False
                        await self.pipe.send(item.payload)
                    elif self._heartbeat_due:  # a long stretch in which nothing matches
                        await self._send_heartbeat()
                    else:
                        await asyncio.sleep(0)
                    if pages is not None:
                        pages -= 1
        return False

    async def _send(self, payload: P) -> None:
        if not self.pipe.push(payload):
            await self.pipe.send(payload)

    async def reply(self, type: ControlType, fields: Mapping[str, Any]) -> None:
        """A control frame between two pages, with back-pressure."""
        async with self.between_pages():
            await self.pipe.send(self.frame(type, fields))

    def between_pages(self) -> BetweenPages:
        """Hold still who reads and who changes the filter, so that position, filter and what was sent agree."""
        return BetweenPages(self)

    def change(self, topics: TopicFilter, *, is_reduced: bool = False) -> int:
        """Go on with another filter from the position reached, which is returned. Between two pages."""
        self.peer.trail.changed(self.subscription.position, self.subscription.topics, is_reduced=is_reduced)
        self.beside.change(topics)
        return self.subscription.change(topics)

    def tell(self, type: ControlType, fields: Mapping[str, Any]) -> None:
        """A control frame without a position, from outside and without waiting: anywhere before `goodbye`."""
        frame = self.frame(type, fields)
        if self.ending is None and not self.pipe.push(frame) and not self.pipe.is_closed:
            self._hub.do(self._say(frame))

    async def _say(self, frame: P) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with self.between_pages():
                await self.pipe.send(frame)

    def _fault(self, error: TwinwireError) -> None:
        if (ending := fault_of(error)) is FAULT:
            logger.error("stream_failed", transport=self.peer.transport, reason=error.detail)
        self.end(ending)

    # The sweep: heartbeats and deadlines of all streams, from one place

    def sweep(self, now: float) -> None:
        """Look after this stream: `now` on the hub's clock, in seconds."""
        if self.pipe.is_closed:
            self.end(LOST)
        elif self.pipe.stalled_for(now) >= self._hub.send_timeout:
            self.end(STALLED)
            self.pipe.abort()
        elif (sent := self._sent()) != self._swept:
            self._swept, self._heard_at, self._trailing = sent, now, True
        else:  # ephemeral events tell no position: beside them heartbeats come as ever
            self._trailing |= (is_burst := self.beside.has_sent())
            is_short = self._trailing and self._is_live and not is_burst
            quiet = TRAILING_QUIET if is_short else self._hub.control.heartbeat
            if now - self._heard_at >= quiet:
                self._trailing = False
                self._heard_at = now
                self._beat()

    @property
    def _is_live(self) -> bool:
        return self.subscription.state is State.LIVE

    def _sent(self) -> tuple[int, int]:
        """Changes when the client was sent events. A replay's position moves on also where nothing matches."""
        return self.replayed, self.subscription.offset if self._is_live else self._swept[1]

    def _beat(self) -> None:
        if self._wake is None and self._is_live:
            self.pipe.push(self._hub.heartbeat_frame(self.encoding, self.subscription.position))
            return
        self._heartbeat_due = True
        if self._wake is not None:
            self._wake.set()
