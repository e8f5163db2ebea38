"""One publisher behind the same proxy: each event has a key, and is sent again until it is acknowledged."""

import asyncio
import json
from typing import Final

from tests.restart.returner import LAST, Clock, Refusal
from tests.support import api
from tests.support.http import Connection, Response

AGAIN: Final = 0.1
"""Seconds until it sends once more what nobody has answered."""
HEADERS: Final = {"Content-Type": "application/json"}


class Publisher:
    """`offsets` are those that were acknowledged; `refusals` what was answered by something else."""

    def __init__(self, url: str, topic: str, clock: Clock, pause: float) -> None:
        """`pause`: seconds between two events."""
        self.offsets: list[int] = []
        self.refusals: list[Refusal] = []
        self._url = url
        self._topic = topic
        self._clock = clock
        self._pause = pause
        self._connection: Connection | None = None
        self._is_stopping = False
        self._acknowledged = asyncio.Event()

    async def run(self) -> None:
        """Until `stop`; then it publishes the last one."""
        while not self._is_stopping:
            await self._publish("tick")
            await asyncio.sleep(self._pause)
        await self._publish(LAST)
        if self._connection is not None:
            await self._connection.close()

    def stop(self) -> None:
        self._is_stopping = True

    async def acknowledged(self, count: int) -> None:
        """Returns once so many are."""
        while len(self.offsets) < count:
            self._acknowledged.clear()
            await self._acknowledged.wait()

    async def _publish(self, type: str) -> None:
        number = len(self.offsets)
        body = json.dumps({"topic": self._topic, "type": type, "data": number, "key": f"n{number}"}).encode()
        while (answer := await self._send(body)) is None or answer.status not in (200, 201):
            told = None if answer is None else answer.header("retry-after")
            await asyncio.sleep(AGAIN if told is None else float(told))
        self.offsets.append(api.offset(answer.json()["id"]))
        self._acknowledged.set()

    async def _send(self, body: bytes) -> Response | None:
        """None if the connection went before the answer came."""
        try:
            self._connection = self._connection or await Connection.open(self._url)
            answer = await self._connection.request("POST", "/api/events", headers=HEADERS, body=body)
        except OSError as error:
            if self._connection is not None:
                self._connection.reset()
            self._connection = None
            self.refusals.append(Refusal(self._clock(), repr(error)))
            return None
        if answer.status not in (200, 201):
            self.refusals.append(Refusal(self._clock(), f"{answer.status}"))
        return answer
