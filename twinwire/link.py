"""One connection on one transport, from the attempt to its end: the first frame (nothing counts as connected before
it), silence, whether it has proved productive.

A link is a task. What it reads it hands to its owner, one frame after the other, and it reads no further while the
owner has no room: a program that is slow makes its own connection slow, the service sees that, and nothing is held
without bound. That time does not count as silence.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final, Protocol

from twinwire.chooser import Transport
from twinwire.cursor import is_cursor
from twinwire.errors import Fault, Problem, bounded
from twinwire.frames import Frame, decode
from twinwire.http import Http, words
from twinwire.timing import PROVING_TIME, STALL_HEARTBEATS


class WireError(Exception):
    """A transport has ended, or could not begin."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.detail)
        self.fault: Final = fault


class Wire(Protocol):
    """A transport. `frames` gives each frame with the text that it was, and raises WireError when there will be no
    more; `send` is False if it can't send, or not now."""

    def frames(self) -> AsyncGenerator[tuple[Frame, str], None]: ...

    async def send(self, text: str) -> bool: ...

    async def close(self) -> None: ...


class Owner(Protocol):
    """Who acts on what a link brings."""

    async def frame(self, link: "Link", frame: Frame, raw: str) -> None: ...

    def heard(self, link: "Link", frame: Frame, raw: str) -> None:
        """Something came that is in no log: an event that is not kept, or who is at a place."""

    def changed(self, link: "Link") -> None:
        """It is productive now, or has ended."""

    def gone(self, link: "Link") -> None:
        """Nothing of it is left."""


class Link:
    """`after`: the cursor that was asked for, a keyword, or None. `opened` is resolved with True once the first frame
    has come, with False if it ended before; then it waits for `go`. `fault` is why it ended."""

    def __init__(self, name: Transport, after: str | None, wire: Wire, http: Http, owner: Owner) -> None:
        self.name: Final = name
        self.after: Final = after
        self.token: str = http.token.text
        self.ends_at: float | None = None
        """When its credential ends, as the loop counts, once the service has warned of it."""
        self.connection: Frame | None = None
        self.fault: Fault | None = None
        self.is_caught_up = False
        self.is_productive = False
        self._wire = wire
        self._http = http
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[bool] = self._loop.create_future()
        self._go: asyncio.Future[None] = self._loop.create_future()
        self._timers: set[asyncio.TimerHandle] = set()
        self._heard = self._loop.time()
        self._is_held = False
        self._is_stalled = False
        self._events = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def heartbeat(self) -> float | None:
        """Seconds, as the service said; None where it sends none."""
        beat = self.connection.heartbeat if self.connection else None
        return beat if beat and beat > 0 else None

    @property
    def silence(self) -> float:
        """Seconds since the last frame."""
        return self._loop.time() - self._heard

    def open(self) -> "Link":
        self._task = asyncio.create_task(self._run())
        return self

    def go(self) -> None:
        """It is acted on from now on."""
        if not self._go.done():
            self._go.set_result(None)

    async def send(self, text: str) -> bool:
        return self.fault is None and await self._wire.send(text)

    def drop(self, fault: Fault) -> None:
        """Ends it with this fault, as if the other side had."""
        if self.fault is None:
            self.fault = fault
            self._cancel()

    def close(self) -> None:
        """Lets go of it, without waiting for the other side."""
        self.drop(Fault("dropped", "closed"))

    async def ended(self) -> None:
        """Until nothing of it is left."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    def _cancel(self) -> None:
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()

    async def _run(self) -> None:
        try:
            fault = await self._read()
        except asyncio.CancelledError:
            fault = self._stalled() if self._is_stalled else Fault("dropped", "closed")
        except WireError as error:
            fault = error.fault
        except Exception as error:  # a library's, of which nobody knew: never the end of the subscription
            fault = Fault("network", f"{type(error).__name__}: {error}")
        finally:
            for timer in self._timers:
                timer.cancel()
        self.fault = self.fault or replace(fault, silence=self.silence, token=fault.token or self.token)
        if not self.opened.done():
            self.opened.set_result(False)
        self._owner.changed(self)
        try:
            await self._wire.close()
        finally:
            self._owner.gone(self)

    def _stalled(self) -> Fault:
        if self.connection is None:
            return Fault("timeout", f"no first frame within {self._http.timing.connect:g} s")
        return Fault("stalled", f"nothing for {self.silence:.0f} s")

    async def _read(self) -> Fault:
        self._expect(self._http.timing.connect)
        async with aclosing(self._wire.frames()) as frames:
            async for frame, raw in frames:
                self._heard = self._loop.time()
                if self.connection is None:
                    fault = await self._first(frame)
                elif frame.topic is not None:
                    fault = await self._event(frame, raw)
                else:
                    fault = await self._control(frame, raw)
                if fault is not None or self.fault is not None:  # of its owner's, who has dropped it
                    return fault or self.fault or Fault("dropped", "closed")
        return Fault("network", "the stream ended")

    async def _first(self, frame: Frame) -> Fault | None:
        if frame.topic is None and frame.type == "goodbye":
            return _goodbye(frame)
        if frame.topic is None and frame.type == "problem":
            return _problem(frame)
        if frame.topic is not None or frame.type != "connection":
            return Fault("protocol", "the first frame is not a connection frame")
        self.connection = frame
        self._later(PROVING_TIME, lambda: self._prove() if self._events else None)
        self._later(self._http.timing.productive, self._prove)
        self._expect(None if self.heartbeat is None else self.heartbeat * STALL_HEARTBEATS)
        self.opened.set_result(True)
        await self._go
        return None

    async def _event(self, frame: Frame, raw: str) -> Fault | None:
        """A topic without a cursor marks an event that is in no log: it proves nothing and moves nothing
        (docs/protocol.md, section 10)."""
        if frame.id is None:
            self._owner.heard(self, frame, raw)
            return None
        if not is_cursor(frame.id):
            return Fault("protocol", "an event's id is no cursor")
        self._events += 1
        await self._hand(frame, raw)
        if not self.is_productive and self._loop.time() - self._began > PROVING_TIME:
            self._prove()
        return None

    async def _control(self, frame: Frame, raw: str) -> Fault | None:
        if frame.type == "goodbye":
            return _goodbye(frame)
        if frame.type == "presence":
            self._owner.heard(self, frame, raw)
            return None
        if frame.type == "caught_up":
            self.is_caught_up = True
        await self._hand(frame, raw)
        return None

    async def _hand(self, frame: Frame, raw: str) -> None:
        self._is_held = True
        try:
            await self._owner.frame(self, frame, raw)
        finally:
            self._is_held = False
            self._heard = self._loop.time()

    def _prove(self) -> None:
        if not self.is_productive:
            self.is_productive = True
            self._owner.changed(self)

    # -- timers

    def _expect(self, seconds: float | None) -> None:
        """Something is to come within so many seconds of silence, from now on; None: nobody knows when."""
        self._began = self._heard = self._loop.time()
        self._limit = seconds
        if seconds is not None:
            self._later(seconds, lambda: self._look(seconds))

    def _look(self, seconds: float) -> None:
        if self._limit != seconds or self.fault is not None:
            return  # another one counts by now, or none
        left = seconds if self._is_held else seconds - self.silence
        if left > 0:
            self._later(left, lambda: self._look(seconds))
        else:
            self._is_stalled = True
            self._cancel()

    def _later(self, seconds: float, act: Callable[[], Any]) -> None:
        if self.fault is not None:
            return
        self._timers = {timer for timer in self._timers if timer.when() > self._loop.time()}
        self._timers.add(self._loop.call_later(seconds, act))

    def keep_alive(self, every: float) -> None:
        """Says something every so many seconds, for a path that cuts idle connections."""

        def ping() -> None:
            sending = asyncio.ensure_future(self.send('{"op":"ping"}'))
            sending.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._later(every, ping)

        self._later(every, ping)


def read_frame(text: str) -> Frame:
    """Raises WireError for what is none."""
    try:
        return decode(text)
    except ValueError as error:
        raise WireError(Fault("protocol", f"a message is not a frame: {error}")) from error


def _goodbye(frame: Frame) -> Fault:
    detail = f"goodbye: {frame.reason}" + (f", {frame.detail}" if frame.detail else "")
    wait = None if frame.retry is None else bounded(frame.retry / 1_000)
    return Fault(
        "goodbye", detail, retry_after=wait, code=frame.code or 0, reason=frame.reason, said=frame.detail or ""
    )


def _problem(frame: Frame) -> Fault:
    problem = Problem(frame.status, frame.title, frame.detail or "", frame.field)
    return Fault("http", words(frame.status, problem), frame.status, problem)
