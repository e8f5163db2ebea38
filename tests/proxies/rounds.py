"""What a client is put through on one path: rounds of events, each when the one before has arrived, and the fault."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, Final, Self

from tests.proxies.cases import Case
from tests.proxies.rig import Mode, Proxy
from tests.proxies.watching import met
from tests.support.api import publish, publish_many

DEADLINE: Final = 60.0
"""Seconds in which one step of a case must be done."""
ROUNDS: Final = 6
MIDDLE: Final = 2
"""The round in which the path turns bad, if it was not from the start."""
BATCH: Final = 20
PADDING: Final = "x" * 200
"""Makes an event as large as those of a run are."""
EVENTS: Final = ROUNDS * BATCH + 1


@dataclass
class Listener:
    """A client on one path, and what it has told: `live`, `mark` with its number, `done` with what it came to."""

    case: Case
    who: str
    mode: Mode
    proxy: Proxy
    telling: "asyncio.Queue[tuple[str, Any]]" = field(default_factory=asyncio.Queue)

    @classmethod
    def of(cls, case: Case, who: str, port: int) -> Self:
        """Behind a proxy that is yet to be entered, for the server at `port`."""
        mode = case.make()
        return cls(case, who, mode, Proxy(port, Mode() if case.outage or case.late else mode))

    @property
    def topic(self) -> str:
        return f"rig/{self.who}/{str(self.case).replace('/', '.').replace(',', '')}"

    def tell(self, what: str, value: Any) -> None:
        self.telling.put_nowait((what, value))

    async def told(self, what: str) -> Any:
        """What comes with the next thing that it tells, which must be this."""
        name, value = await in_time(self.telling.get())
        assert name == what, (name, value)
        return value

    async def put_through(self, url: str) -> Any:
        """Publishes past the proxy, at `url`; what the client tells at its end."""
        case, proxy = self.case, self.proxy
        await self.told("live")
        if case.before:
            await met(case, proxy)
        for number in range(ROUNDS):
            if number == MIDDLE and (case.outage or case.late):
                await proxy.switch(self.mode)
            values = [{"n": n, "text": PADDING} for n in range(BATCH - 1)]
            await publish_many(url, self.topic, [*values, {"mark": number}])
            if number == MIDDLE:
                await met(case, proxy)
            if number == MIDDLE and case.outage:
                await proxy.switch(Mode())
            assert await self.told("mark") == number
        await publish(url, self.topic, type="done")
        return await self.told("done")


async def in_time(waiting: Awaitable[Any]) -> Any:
    """One step of a case."""
    return await asyncio.wait_for(waiting, DEADLINE)
