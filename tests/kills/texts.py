"""A text that grows faster than anybody reads, which the service joins again and again: whoever writes it, and follows.

What is told of it at the end is what was appended, each piece once and in order, whatever was killed while it was
joined or compacted.
"""

import asyncio
import json
import random
from typing import Any, Final

from tests.kills.ledger import TEXTS, Faults
from tests.kills.publishers import BACK_OFF, BUSY, NDJSON
from tests.kills.readers import BACK_OFF_CAP, COMES_BACK
from tests.support.clients import TRANSPORTS, Collector, connect
from tests.support.http import Connection, request, target

TOPIC: Final = f"{TEXTS}one"
SUBJECT: Final = "text"
PIECES_MAX: Final = 40
"""In one request."""
LENGTH: Final = 3_000
"""Pieces of a text, about, until another one replaces it."""
PACE: Final = 0.04
"""Seconds between two requests, on average."""
KIND: Final = "texts that are not so"


class TextWriter:
    """`text` is what was acknowledged; `stop` it before it is looked at."""

    def __init__(self, url: str, seed: str) -> None:
        self.text = ""
        self.pieces = 0
        self._url = url
        self._random = random.Random(f"{seed} texts")
        self._begun = 0
        self._is_stopping = False
        self._connection: Connection | None = None

    def stop(self) -> None:
        self._is_stopping = True

    async def run(self) -> None:
        while not self._is_stopping:
            await self._write([str(self.pieces + n) for n in range(self._random.randint(1, PIECES_MAX))])
            await asyncio.sleep(self._random.uniform(0, 2 * PACE))
        self._leave()

    async def _write(self, pieces: list[str]) -> None:
        """Again and again, until they are acknowledged: they have keys."""
        begins = not self.text or self.pieces - self._begun > LENGTH
        if begins:
            self._begun = self.pieces
        drafts = [
            {
                "topic": TOPIC,
                "type": "piece",
                "key": f"piece {piece}",
                "subject": SUBJECT,
                "append": not (begins and n == 0),
                "data": f"{piece} ",
            }
            for n, piece in enumerate(pieces)
        ]
        body = "\n".join(map(json.dumps, drafts)).encode()
        while not await self._try(body):
            await asyncio.sleep(self._random.uniform(*BACK_OFF))
        self.text = ("" if begins else self.text) + "".join(f"{piece} " for piece in pieces)
        self.pieces += len(pieces)

    async def _try(self, body: bytes) -> bool:
        try:
            if self._connection is None:
                self._connection = await Connection.open(self._url)
            response = await self._connection.request(
                "POST", "/api/events", headers={"Content-Type": NDJSON}, body=body
            )
        except (OSError, EOFError):
            self._leave()
            return False
        if response.header("connection") == "close":
            self._leave()
        assert response.status in {200, 201, *BUSY}, response.body[:500]
        return response.status not in BUSY

    def _leave(self) -> None:
        if self._connection is not None:
            self._connection.reset()
            self._connection = None


class TextReader:
    """Follows from a cursor by any wire, and does with what comes what a page would. `joins` counts what was joined."""

    def __init__(self, url: str, seed: str) -> None:
        self.text = ""
        self.joins = 0
        self.gaps = 0
        self.faults = Faults()
        self._url = url
        self._random = random.Random(f"{seed} text reader")
        self._cursor = "earliest"
        self._is_whole = True
        """Whether it has every piece of the text that it has begun."""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                stream = await connect(self._url, self._random.choice(TRANSPORTS), (TOPIC,), after=self._cursor)
            except COMES_BACK:
                await asyncio.sleep(self._random.uniform(0, BACK_OFF_CAP))
                continue
            try:
                await self._follow(stream)
            except COMES_BACK:
                await asyncio.sleep(self._random.uniform(0, BACK_OFF_CAP))
            finally:
                stream.reset()

    async def _follow(self, stream: Collector) -> None:
        left = self._random.randint(1, 2_000)
        while left:
            frame = await stream.next()
            for gap in stream.gaps:
                self._hear_gap(gap.value)
            stream.frames.clear()
            if frame.is_event:
                self._hear(frame.value)
            self._cursor = stream.cursor or self._cursor
            left -= 1
        await asyncio.sleep(self._random.choice([0.0, 0.0, 1.5]))  # away for longer than pieces are kept

    def _hear_gap(self, gap: dict[str, Any]) -> None:
        self.gaps += 1
        self._is_whole = False
        if gap["reason"] != "compacted":
            self.faults.add(KIND, f"its reader was told {gap}")

    def _hear(self, event: dict[str, Any]) -> None:
        if "joined" in event:
            self.joins += 1
            if self._is_whole and event["data"] != self.text:
                self.faults.add(KIND, f"{event['id']} joins {event['data'][:40]}..., and it had {self.text[:40]}...")
        if event.get("append"):
            self.text += event["data"]
        else:
            self.text, self._is_whole = event["data"], True


async def look_at_text(url: str, writer: TextWriter, reader: TextReader, patience: float = 30.0) -> Faults:
    """At the end: the text as it is told, and as its reader has it once he has read on."""
    faults = Faults()
    response = await request(url, "GET", target("/api/state", {"topic": TOPIC, "join": "text"}))
    values = [event["data"] for event in response.json()["events"]]
    if values != [writer.text]:
        faults.add(KIND, f"it is told as {[value[:40] for value in values]}, and {writer.text[:40]} was appended")
    async with asyncio.timeout(patience):
        while reader.text != writer.text:
            await asyncio.sleep(0.1)
    faults.counts += reader.faults.counts
    faults.examples += reader.faults.examples
    return faults
