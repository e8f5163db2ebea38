"""One restart: a server behind HAProxy, everybody connected, SIGTERM, and a new process on the same file and port."""

import asyncio
import itertools
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.deploy.fronts import HAProxy
from tests.restart.publisher import Publisher
from tests.restart.returner import Refusal, Returner
from tests.restart.verdict import Client, Result
from tests.support.clients import TRANSPORTS
from tests.support.server import ServerProcess

TOPIC: Final = "restart/ticks"
PAUSE: Final = 0.4
"""Seconds between two events: with a thousand clients it is their deliveries that cost."""
BEFORE: Final = 3
"""Events that everybody has before the signal."""
DEADLINE: Final = 240.0
"""Seconds for all of it."""


class Restart:
    """A server that has started, with the proxy before it."""

    def __init__(self, server: ServerProcess, front: HAProxy, count: int, said: Callable[[str], None]) -> None:
        self._server = server
        self._said = said
        wires = itertools.islice(itertools.cycle(TRANSPORTS), count)
        self._clients = [
            Returner(front.url, TOPIC, wire, time.monotonic, f"{number}") for number, wire in enumerate(wires)
        ]
        self._publisher = Publisher(front.url, TOPIC, time.monotonic, PAUSE)

    async def play(self) -> Result:
        async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as group:
            for one in self._clients:
                group.create_task(one.run())
            for one in self._clients:
                await one.heard(0.0)
            publishing = group.create_task(self._publisher.run())
            await self._publisher.acknowledged(BEFORE)
            self._said(f"{len(self._clients)} clients are connected; SIGTERM")
            signalled = time.monotonic()
            self._server.signal()
            code = await self._server.await_exit()
            gone = time.monotonic()
            await self._server.astart()
            ready = time.monotonic()
            self._said(f"a new process serves after {ready - signalled:.1f} s")
            for one in self._clients:
                await one.heard(ready if one.transport == "poll" else gone)
            back = time.monotonic()
            self._publisher.stop()
            await publishing
        return Result(
            gone=gone - signalled,
            ready=ready - signalled,
            back=back - signalled,
            clients=[_told(number, one, signalled, gone, ready, back) for number, one in enumerate(self._clients)],
            offsets=self._publisher.offsets,
            refusals=_since(self._publisher.refusals, signalled),
            code=code,
            faults=self._server.faults(),
        )


def _since(refusals: list[Refusal], origin: float) -> list[Refusal]:
    return [replace(one, at=one.at - origin) for one in refusals]


def _told(number: int, one: Returner, origin: float, gone: float, ready: float, back: float) -> Client:
    arrivals, departures = list(one.arrivals), list(one.departures)
    if one.transport == "poll" and one.arrivals[-1] < gone:  # held by the proxy from one process to the next
        departures.append(max(at for at in one.answers if at < ready))
        arrivals.append(min(at for at in one.answers if at >= ready))
    return Client(
        name=f"{one.transport} {number}",
        offsets=one.offsets,
        arrivals=[at - origin for at in arrivals],
        departures=[at - origin for at in departures if at <= back],  # later they leave, since all is there
        refusals=_since(one.refusals, origin),
        cuts=one.cuts,
        gaps=one.gaps,
    )


async def run(count: int, delay: float, said: Callable[[str], None] = lambda line: None) -> Result:
    """`delay`: seconds of `TWINWIRE_DRAIN_DELAY`. Raises what keeps the clients themselves from going on."""
    with tempfile.TemporaryDirectory(prefix="restart-") as folder:
        server = ServerProcess(Path(folder) / "server", env={"TWINWIRE_DRAIN_DELAY": f"{delay:g}"})
        try:
            await server.astart()
            with HAProxy(server, Path(folder)) as front:
                return await Restart(server, front, count, said).play()
        except BaseException:
            said(server.log_tail())
            raise
        finally:
            server.discard()
