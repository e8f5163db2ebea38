"""Returner: a client that does as it is told when it is sent away, and writes down when and with what answer.

It comes back after `goodbye.retry`, or `Retry-After`; where nothing is said, after a time of its own that doubles. It
resumes with the cursor of its last frame, removes nothing, fills nothing, and sorts nothing.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.support import api
from tests.support.clients import Collector, RefusedStreamError, StreamEndedError, Transport, connect
from tests.support.http import Response
from tests.support.websocket import RefusedError

PATIENCE: Final = (0.5, 8.0)
"""Seconds that it waits at most where nobody says how long: after the first failure, and after many."""
LAST: Final = "last"
"""Type of the event after which it leaves."""

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An attempt that came to nothing: what was answered, and when, in seconds of the clock."""

    at: float
    why: str


class Returner:
    """Follows one topic over one transport. `clock` is in seconds.

    `offsets` are those of the events as they came; `arrivals` and `departures` the times at which a stream stood, and
    at which it was over; `cuts` the streams that ended without a goodbye. A poll that the proxy holds until there is
    somebody again has no end that its client could notice: `answers` are the times at which polls were answered.
    """

    def __init__(self, url: str, topic: str, transport: Transport, clock: Clock, seed: str) -> None:
        self.transport = transport
        self.offsets: list[int] = []
        self.arrivals: list[float] = []
        self.departures: list[float] = []
        self.answers: list[float] = []
        self.refusals: list[Refusal] = []
        self.cuts = 0
        self.gaps = 0
        self._url = url
        self._topic = topic
        self._clock = clock
        self._random = random.Random(seed)
        self._cursor: str | None = None
        self._failures = 0
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Until the last event is there."""
        while (pause := await self._visit()) is not None:
            await asyncio.sleep(pause)

    @property
    def _heard(self) -> list[float]:
        return self.answers if self.transport == "poll" else self.arrivals

    async def heard(self, since: float) -> None:
        """Returns once its stream has come to stand, or a poll was answered, since then."""
        while not (self._heard and self._heard[-1] >= since):
            self._news.clear()
            await self._news.wait()

    async def _visit(self) -> float | None:
        """One stream, from its attempt to its end: seconds until the next one; None when all is there."""
        try:
            stream = await connect(self._url, self.transport, self._topic, after=self._cursor)
        except (RefusedError, RefusedStreamError) as error:
            return self._refused(error.response)
        except OSError as error:
            self.refusals.append(Refusal(self._clock(), repr(error)))
            return self._patience()
        self._failures = 0
        self.arrivals.append(self._clock())
        self._answered()
        try:
            return await self._follow(stream)
        finally:
            self.departures.append(self._clock())
            stream.reset()

    async def _follow(self, stream: Collector) -> float | None:
        try:
            while True:
                self._cursor = stream.cursor or self._cursor
                frame = await stream.next()
                stream.frames.clear()
                self._answered()
                if frame.is_event:
                    self.offsets.append(api.offset(frame.id))
                    if frame.type == LAST:
                        return None
                elif frame.type == "goodbye":
                    return float(frame.value["retry"]) / 1_000
                self.gaps += frame.type == "gap" and not frame.is_event
        except RefusedStreamError as error:  # a poll after others that were answered
            return self._refused(error.response)
        except (StreamEndedError, OSError):
            self.cuts += self.transport != "poll"  # between two polls nobody can be told
            return self._patience()

    def _answered(self) -> None:
        if self.transport == "poll":
            self.answers.append(self._clock())
        self._news.set()

    def _refused(self, response: Response) -> float:
        self.refusals.append(Refusal(self._clock(), f"{response.status}"))
        told = response.header("retry-after")
        return self._patience() if told is None else float(told)

    def _patience(self) -> float:
        first, most = PATIENCE
        self._failures += 1
        return self._random.uniform(0, min(most, first * 2.0 ** (self._failures - 1)))
