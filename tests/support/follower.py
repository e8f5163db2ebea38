"""Follower: a client that lives through drops and restarts as a real one does, and hides nothing.

It resumes with the cursor of the last frame that it handled, on a transport drawn at random. It removes no
duplicate, fills no hole and sorts nothing: what it holds at the end is what the service delivered.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Final

from tests.support.clients import (
    TRANSPORTS,
    Collector,
    PollCollector,
    RefusedStreamError,
    StreamEndedError,
    Transport,
    connect,
)
from tests.support.frames import Frame
from tests.support.websocket import RefusedError

BACKOFF_BASE: Final = 0.02
"""Seconds; full jitter doubles from here. Small, because the tests' server is back in about a second."""
BACKOFF_CAP: Final = 0.3
"""Seconds; also the most that is obeyed of a `goodbye.retry`, which is meant for thousands of clients."""
_COMES_BACK: Final = (OSError, StreamEndedError, RefusedError, RefusedStreamError)


class Follower:
    """Follows `topics` from `after`; `drops` are the event counts at which it cuts its own connection.

    `events` holds each event frame in the order of arrival, `used` the transport of each productive
    connection, `gaps` every gap it was told of. `on_event` is called after each event.
    """

    def __init__(
        self,
        url: str,
        topics: Sequence[str],
        *,
        transport: Transport,
        seed: int | str,
        after: str | None = None,
        drops: Sequence[int] = (),
        on_event: Callable[[Frame], None] = lambda _: None,
    ) -> None:
        self.url = url
        self.topics = tuple(topics)
        self.cursor = after
        self.events: list[Frame] = []
        self.used: list[Transport] = []
        self.gaps: list[Frame] = []
        self.opened = asyncio.Event()
        self._first = transport
        self._random = random.Random(seed)
        self._drops = sorted(drops, reverse=True)
        self._failures = 0
        self._on_event = on_event

    @property
    def drops_left(self) -> int:
        return len(self._drops)

    @property
    def switches(self) -> int:
        """How often it came back on another transport than it had before."""
        return sum(before != now for before, now in zip(self.used, self.used[1:], strict=False))

    async def run(self, done: Callable[[Frame], bool]) -> None:
        """Follow until `done` accepts an event, which is the last one kept."""
        while True:
            transport = self._random.choice(TRANSPORTS) if self.used else self._first
            try:
                stream = await connect(self.url, transport, self.topics, after=self.cursor)
            except _COMES_BACK:
                await self._back_off()
                continue
            try:
                if await self._follow(stream, done):
                    return
            except _COMES_BACK:
                await self._back_off()
            finally:
                self.gaps += stream.gaps
                stream.reset()

    async def _follow(self, stream: Collector, done: Callable[[Frame], bool]) -> bool:
        """True when it is done; False when it has cut the connection itself."""
        self.used.append(stream.transport)
        self.cursor = stream.cursor
        self.opened.set()
        while True:
            frame = await stream.next()
            self._failures = 0
            self.cursor = stream.cursor
            if not frame.is_event:
                continue
            self.events.append(frame)
            self._on_event(frame)
            if done(frame):
                return True
            if self._drops and len(self.events) >= self._drops[-1]:
                self._drops.pop()
                await self._vanish(stream)
                return False

    async def _vanish(self, stream: Collector) -> None:
        """With a reset or a FIN; from a poll also between the question and the answer."""
        if isinstance(stream, PollCollector) and self._random.random() < 0.5:
            await stream.ask_only()
        if self._random.random() < 0.5:
            stream.hang_up()

    async def _back_off(self) -> None:
        ceiling = min(BACKOFF_CAP, BACKOFF_BASE * 2.0**self._failures)
        self._failures += 1
        await asyncio.sleep(self._random.uniform(0, ceiling))
