"""Seven clients that follow through kills, each with a cursor that it keeps. What they hear goes to their journals.

None removes a duplicate, fills a hole or sorts: what a journal holds is what the service delivered.
"""

import abc
import asyncio
import random
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Sequence
from typing import Final

from tests.kills.ledger import END, STATES, Journal
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
from tests.support.http import Connection, Query, target
from tests.support.server import command, environment
from tests.support.websocket import RefusedError

BACK_OFF_BASE: Final = 0.02
BACK_OFF_CAP: Final = 0.3
"""Seconds; full jitter, doubling. Small, because the server is back in about a second."""
PAGE: Final = 100
"""Events of a page of history."""
LOOKS: Final = (0.05, 0.2)
"""Seconds between two looks of the reader of history."""
AWAY: Final = (1.0, 4.0)
"""Seconds for which a client is away now and then, so that retention passes its cursor."""
AWAY_SHARE: Final = 0.05
"""How often it is away for so long when it has read all that there is; when it has left by itself, twice as often."""
COMES_BACK: Final = (OSError, EOFError, StreamEndedError, RefusedError, RefusedStreamError)
_LINE_MAX: Final = 1 << 20
"""Bytes of a line of `twinwire tail`; an event has 64 KiB of data at most."""


class Reader(abc.ABC):
    """`cursor` is None until it has one; `started` is set then."""

    def __init__(self, url: str, name: str, topics: Sequence[str], seed: str) -> None:
        self.url = url
        self.journal = Journal(name, (*topics, END) if topics else ())
        self.cursor: str | None = None
        self.started = asyncio.Event()
        self.random = random.Random(f"{seed} {name}")
        self._failures = 0

    @abc.abstractmethod
    async def run(self) -> None:
        """Follow until the last event of the run has come."""

    async def back_off(self) -> None:
        ceiling = min(BACK_OFF_CAP, BACK_OFF_BASE * 2.0 ** min(self._failures, 10))
        self._failures += 1
        await asyncio.sleep(self.random.uniform(0, ceiling))

    def moved(self, cursor: str | None) -> None:
        self.cursor = cursor or self.cursor
        self._failures = 0
        self.started.set()


class StreamReader(Reader):
    """On one of `transports`, drawn anew for each connection. One that `leaves` cuts its own connections, too."""

    def __init__(
        self,
        url: str,
        name: str,
        topics: Sequence[str],
        seed: str,
        transports: Sequence[Transport],
        *,
        leaves: bool = False,
    ) -> None:
        super().__init__(url, name, topics, seed)
        self._transports = transports
        self._leaves = leaves

    async def run(self) -> None:
        while not self.journal.is_done:
            transport = self.random.choice(self._transports)
            try:
                after = self.cursor or "earliest"
                stream = await connect(self.url, transport, self.journal.topics, after=after)
            except COMES_BACK:
                await self.back_off()
                continue
            self.journal.connections += 1
            try:
                self._take_gaps(stream)
                self.moved(stream.cursor)
                await self._follow(stream)
            except COMES_BACK:
                await self.back_off()
            finally:
                stream.reset()

    async def _follow(self, stream: Collector) -> None:
        """Until it is done, or goes away for a while. A gap counts before what comes after it is judged."""
        until_it_leaves = self.random.randint(1, 400) if self._leaves else -1
        while not self.journal.is_done:
            frame = await stream.next()
            self._take_gaps(stream)
            if frame.is_event:
                self.journal.hear(frame.value)
            self.moved(stream.cursor)
            until_it_leaves -= 1
            if until_it_leaves == 0:
                await self._vanish(stream)
                return

    def _take_gaps(self, stream: Collector) -> None:
        for gap in stream.gaps:
            self.journal.hear_gap(gap.value)
        stream.frames.clear()

    async def _vanish(self, stream: Collector) -> None:
        """From a poll also between the question and the answer; mostly back at once."""
        if isinstance(stream, PollCollector) and self.random.random() < 0.5:
            await stream.ask_only()
        if self.random.random() < 0.5:
            stream.hang_up()
        if self.random.random() < 2 * AWAY_SHARE:
            await asyncio.sleep(self.random.uniform(*AWAY))


class HistoryReader(Reader):
    """Page after page, and looks again from time to time; now and then it is away for long."""

    async def run(self) -> None:
        connection: Connection | None = None
        while not self.journal.is_done:
            try:
                if connection is None:
                    connection = await Connection.open(self.url)
                    self.journal.connections += 1
                more = await self._page(connection)
            except COMES_BACK:
                if connection is not None:
                    connection.reset()
                connection = None
                await self.back_off()
                continue
            if not more:
                is_away = self.random.random() < AWAY_SHARE
                await asyncio.sleep(self.random.uniform(*(AWAY if is_away else LOOKS)))
        if connection is not None:
            connection.reset()

    async def _page(self, connection: Connection) -> bool:
        """Whether there is more."""
        query: Query = {"topic": list(self.journal.topics), "after": self.cursor or "earliest", "limit": PAGE}
        response = await connection.request("GET", target("/api/events", query))
        if response.status != 200:
            raise RefusedStreamError(response)
        page = response.json()
        if page["gap"] is not None:
            self.journal.hear_gap(page["gap"])
        for event in page["events"]:
            self.journal.hear(event)
        self.moved(page["cursor"])
        return bool(page["more"])


class TailReader(Reader):
    """`twinwire tail --json`, one process for the whole run: it keeps the cursor itself, and comes back by itself."""

    async def run(self) -> None:
        arguments = ["tail", "--json", "--after", "earliest", "--url", self.url, *self.journal.topics]
        process = await asyncio.create_subprocess_exec(
            *command(*arguments), env=environment(), stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL, limit=_LINE_MAX
        )
        assert process.stdout is not None
        self.journal.connections += 1
        try:
            while not self.journal.is_done:
                line = await process.stdout.readline()
                assert line, f"`twinwire tail` has ended with {await process.wait()}"
                frame = Frame.of(line.decode())
                if frame.is_event:
                    self.journal.hear(frame.value)
                else:
                    self.journal.hear_gap(frame.value)
                self.moved(None)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


def readers(url: str, seed: str) -> list[Reader]:
    """All of them. Those without a topic take all; `state` may miss what was replaced, and comes right."""
    return [
        StreamReader(url, "websocket", (), seed, ("websocket",)),
        StreamReader(url, "sse", ("kept/*", "cut/**", "*/batch"), seed, ("sse",)),
        StreamReader(url, "poll", ("*/*",), seed, ("poll",)),
        HistoryReader(url, "history", (), seed),
        StreamReader(url, "mixed", ("few/**", "small/*", "brief/*", "kept/batch-keyed"), seed, TRANSPORTS, leaves=True),
        StreamReader(url, "state", (f"{STATES}**",), seed, TRANSPORTS, leaves=True),
        TailReader(url, "tail", ("kept/**", "few/*", "cut/http", "brief/websocket"), seed),
    ]
