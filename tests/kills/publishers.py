"""Publishers of every kind. Each goes on through kills: it meets a connection that breaks, and makes a new one.

Those with keys send again until they are answered; those without can't know, and go on with the next event. A keyed
event goes on topics only whose newest few are always kept: with the event its key would be forgotten.
"""

import abc
import asyncio
import json
import random
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, ClassVar, Final

from websockets.exceptions import InvalidState

from tests.kills.ledger import STATES, Ledger
from tests.support.api import publish
from tests.support.clients import WebSocketCollector
from tests.support.http import Connection
from tests.support.server import command, environment
from tests.support.websocket import RefusedError, WebSocketClient

BATCH_MAX: Final = 20
"""Events of a request at most: as many are always kept of a topic that is trimmed."""
BACK_OFF: Final = (0.02, 0.1)
"""Seconds until the next try, from and to: often enough to be there when the service has just come up."""
BUSY: Final = frozenset({408, 429, 503})
"""Statuses that promise that a later try helps."""
JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"

FATES: Final = ("kept", "few", "small", "brief", "cut", "state")
"""The first segment of a topic says what becomes of its events: see `run.RETENTION`, and `cut`, which is trimmed."""
SAFE_FATES: Final = ("kept", "few", "cut", "state")
"""Where the newest BATCH_MAX are always kept, or their keys are."""
SUBJECTS: Final = 5
"""Of a topic whose state is kept."""
_BROKEN: Final = (OSError, EOFError, RefusedError, InvalidState)
"""What a connection raises that is gone, or about to be: the last when a WebSocket's Close has come already."""


class Publisher(abc.ABC):
    """`pace`: seconds between two requests, on average."""

    kind: ClassVar[str]
    is_keyed: ClassVar[bool] = False
    is_whole: ClassVar[bool] = True
    """Whether its events go in one request; else each goes alone, several under way."""
    most: ClassVar[int] = 1
    """Events at a time."""
    waits: ClassVar[bool] = True
    """Whether each is settled before the next is sent."""

    def __init__(self, url: str, ledger: Ledger, seed: str, pace: float) -> None:
        self.url = url
        self.ledger = ledger
        self.pace = pace
        self.random = random.Random(f"{seed} {self.kind}")
        self._is_stopping = False

    def stop(self) -> None:
        """After what is under way; with a key: once that is acknowledged."""
        self._is_stopping = True

    async def run(self) -> None:
        while not self._is_stopping:
            await self._publish()
            await asyncio.sleep(self.random.uniform(0, 2 * self.pace))
        await self.leave()

    async def _publish(self) -> None:
        fates = SAFE_FATES if self.is_keyed else FATES
        topics = [f"{self.random.choice(fates)}/{self.kind}" for _ in range(self.random.randint(1, self.most))]
        serials = self._serials(topics)
        drafts = [self._draft(topic, serial) for topic, serial in zip(topics, serials, strict=True)]
        while drafts:
            ids = await self._try(drafts)
            told = [(serial, id) for serial, id in zip(serials, ids, strict=False) if id is not None]
            self.ledger.acknowledge(self.kind, [serial for serial, _ in told], [id for _, id in told])
            if len(ids) == len(drafts):
                drafts = [draft for draft, id in zip(drafts, ids, strict=True) if id is None]
                serials = [serial for serial, id in zip(serials, ids, strict=True) if id is None]
            if drafts:
                await asyncio.sleep(self.random.uniform(*BACK_OFF))
                if not self.is_keyed:
                    return

    def _serials(self, topics: Sequence[str]) -> list[int]:
        line = f"{self.kind}" if self.waits else None
        if self.is_whole:
            return self.ledger.send(topics, line, is_keyed=self.is_keyed)
        return [self.ledger.send([topic], line, is_keyed=self.is_keyed)[0] for topic in topics]

    def _draft(self, topic: str, serial: int) -> dict[str, Any]:
        size = self.random.randint(0, 200) if self.random.random() < 0.97 else self.random.randint(2_000, 20_000)
        draft = {"topic": topic, "type": "log", "data": {"n": serial, "fill": "x" * size}}
        if topic.startswith(STATES):
            draft["subject"] = f"s{self.random.randrange(SUBJECTS)}"
            draft["append"] = self.random.random() < 0.5
        return draft | ({"key": f"key {serial}"} if self.is_keyed else {})

    async def _try(self, drafts: list[dict[str, Any]]) -> list[str | None]:
        """The ids as far as they were answered."""
        try:
            return await self.attempt(drafts)
        except _BROKEN:
            await self.leave()
            return [None] * len(drafts)

    @abc.abstractmethod
    async def attempt(self, drafts: list[dict[str, Any]]) -> list[str | None]:
        """Send it once. Raises OSError or EOFError where the connection breaks before anything is answered."""

    async def leave(self) -> None:
        """Give up the connection, if there is one."""
        return


class OverHTTP(Publisher):
    """One connection, kept for as long as it holds."""

    _connection: Connection | None = None

    async def attempt(self, drafts: list[dict[str, Any]]) -> list[str | None]:
        if self._connection is None:
            self._connection = await Connection.open(self.url)
        headers, body = self.request(drafts)
        response = await self._connection.request("POST", "/api/events", headers=headers, body=body)
        if response.header("connection") == "close":
            await self.leave()
        if response.status in BUSY:
            return [None] * len(drafts)
        assert response.status in {200, 201}, f"{response.status} to {self.kind}: {response.body[:500]!r}"
        answer = response.json()
        return [answer["id"]] if "id" in answer else list(answer["ids"])

    async def leave(self) -> None:
        if self._connection is not None:
            self._connection.reset()
            self._connection = None

    def request(self, drafts: list[dict[str, Any]]) -> tuple[dict[str, str], bytes]:
        """Headers and body."""
        return {"Content-Type": JSON}, json.dumps(drafts[0]).encode()


class Single(OverHTTP):
    kind = "http"


class Keyed(OverHTTP):
    """With the `Idempotency-Key` header."""

    kind = "http-keyed"
    is_keyed = True

    def request(self, drafts: list[dict[str, Any]]) -> tuple[dict[str, str], bytes]:
        draft = dict(drafts[0])
        return {"Content-Type": JSON, "Idempotency-Key": draft.pop("key")}, json.dumps(draft).encode()


class Batch(OverHTTP):
    """As an array, or a line each."""

    kind = "batch"
    most = BATCH_MAX

    def request(self, drafts: list[dict[str, Any]]) -> tuple[dict[str, str], bytes]:
        if self.random.random() < 0.5:
            return {"Content-Type": JSON}, json.dumps(drafts).encode()
        return {"Content-Type": NDJSON}, "\n".join(map(json.dumps, drafts)).encode()


class KeyedBatch(Batch):
    kind = "batch-keyed"
    is_keyed = True


class OverWebSocket(Publisher):
    """Several under way, answers matched by `ref`."""

    kind = "websocket"
    is_whole = False
    most = 8
    waits = False
    _client: WebSocketCollector | None = None

    async def attempt(self, drafts: list[dict[str, Any]]) -> list[str | None]:
        ids: list[str | None] = [None] * len(drafts)
        if self._client is None:
            client = await WebSocketClient.open(self.url, query={"topic": f"nothing/{self.kind}"})
            self._client = WebSocketCollector(client)
        with suppress(*_BROKEN):  # what was answered before counts
            for ref, draft in enumerate(drafts):
                await self._client.send({"op": "publish", "ref": ref, **draft})
            await self._answers(self._client, ids)
        if None in ids:
            await self.leave()
        return ids

    async def _answers(self, client: WebSocketCollector, ids: list[str | None]) -> None:
        """Until all are answered, one is refused for now, or the stream ends."""
        while None in ids:
            messages = await client.client.receive()
            if not messages:
                return
            for answer in map(json.loads, messages):
                if answer["type"] == "reply":
                    ids[answer["ref"]] = answer["id"]
                elif answer["type"] == "problem":
                    assert answer["status"] in BUSY, f"to {self.kind}: {answer}"
                    return

    async def leave(self) -> None:
        if self._client is not None:
            self._client.reset()
            self._client = None


class KeyedOverWebSocket(OverWebSocket):
    kind = "websocket-keyed"
    is_keyed = True


class Command(Publisher):
    """`twinwire publish`, a process an event."""

    kind = "command"

    async def attempt(self, drafts: list[dict[str, Any]]) -> list[str | None]:
        (draft,) = drafts
        key = ["--key", draft["key"]] if self.is_keyed else []
        arguments = ["publish", draft["topic"], draft["type"], "-", *key, "--url", self.url]
        process = await asyncio.create_subprocess_exec(
            *command(*arguments), env=environment(), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            printed, told = await process.communicate(json.dumps(draft["data"]).encode())
        finally:
            if process.returncode is None:
                process.kill()
        if process.returncode == 0:
            return [printed.decode().strip()]
        line = told.decode()
        assert line.startswith("twinwire: "), line
        assert "no answer from" in line or "503" in line, line
        return [None]


class KeyedCommand(Command):
    kind = "command-keyed"
    is_keyed = True


PACES: Final[tuple[tuple[type[Publisher], float], ...]] = (
    (Single, 0.01),
    (Keyed, 0.015),
    (Batch, 0.06),
    (KeyedBatch, 0.06),
    (OverWebSocket, 0.04),
    (KeyedOverWebSocket, 0.04),
    (Command, 1.5),
    (KeyedCommand, 1.5),
)
"""Each kind, and its seconds between two requests: so that two cores have time for the clients too."""


def publishers(url: str, ledger: Ledger, seed: str) -> list[Publisher]:
    return [kind(url, ledger, seed, pace) for kind, pace in PACES]


async def publish_one(url: str, ledger: Ledger, topic: str) -> None:
    """While nobody kills."""
    (serial,) = ledger.send([topic])
    ledger.acknowledge(topic, [serial], [await publish(url, topic, {"n": serial})])
