"""Honest use: what so many connections cost when nobody means harm. It must hold every bound itself."""

import asyncio
from typing import Final

from tests.hostile.attack import Attacker, attack

ARRIVING: Final = 0.8
"""Seconds over which they come: people don't do so in the same instant."""


@attack("honest", row="-")
async def honest(attacker: Attacker) -> None:
    """A stream that reads along, a read of history now and then, a publish now and then."""
    await asyncio.sleep(ARRIVING * attacker.number / attacker.share)
    stream = await attacker.websocket(f"topic=honest/{attacker.number % 10}")
    side = await attacker.connect()
    while True:
        body = b'{"topic":"honest/%d","type":"log","data":"hello"}' % (attacker.number % 10)
        answer = await attacker.ask(side, "POST", "/api/events", body=body)
        attacker.must(answer.status == 201, f"an honest publish gets {answer.status}")
        await stream.reader.read(65_536)
        await attacker.ask(side, "GET", f"/api/events?topic=honest/{attacker.number % 10}&after=earliest&limit=10")
        await asyncio.sleep(5)
