"""What a sender of ephemeral events can do, who may send very many, and a reader of them who takes none."""

import json
from typing import Final

from tests.hostile.attack import Attacker, attack, message
from tests.hostile.attacks.websocket import FULL, flood

JSON: Final = {"Content-Type": "application/json"}
LONG: Final = "x" * 4_000
"""Data near its bound."""


def light(topic: str, key: str, data: str = "1") -> dict[str, str]:
    return {"topic": topic, "type": "cursor", "data": data, "key": key}


@attack("ephemeral-flood", row="6 kin")
async def ephemeral_flood(attacker: Attacker) -> None:
    """Ephemeral events as fast as they are taken, each with a key of its own, problems read."""
    said = (
        message(op="publish", ephemeral=True, **light(f"flood/{attacker.number}", str(n), LONG)) for n in range(1_000)
    )
    await flood(attacker, b"".join(said))


@attack("ephemeral-flood-unread", row="6 kin")
async def ephemeral_flood_unread(attacker: Attacker) -> None:
    """The same to oneself, with `echo`, and nothing is read."""
    said = [message(op="subscribe", topics=["flood/**"], ephemeral=True)] + [
        message(op="publish", ephemeral=True, echo=True, **light(f"flood/{attacker.number}", str(n)))
        for n in range(500)
    ]
    await flood(attacker, b"".join(said), is_read=False)


@attack("ephemeral-topics", row="19 kin")
async def ephemeral_topics(attacker: Attacker) -> None:
    """A hundred new topics a request, as fast as they are answered, to readers of everything who take nothing."""
    line = await attacker.websocket("topic=**&ephemeral=1")
    line.reader.feed_data(FULL)
    turn = 0
    while True:
        path = f"crowd/{attacker.number}/{turn}/{'t' * 100}"
        body = json.dumps([light(f"{path}/{n}", "k", LONG) for n in range(100)]).encode()
        answer = await attacker.ask_anew("POST", "/api/ephemeral", headers=JSON, body=body)
        attacker.must(answer.status in {202, 429, 503}, f"ephemeral events: {answer.status}")
        turn += 1
