"""What subjects and states can do: values of many events, states of long ago, and values that are replaced at once."""

import json
from typing import Any, Final

from tests.hostile.attack import Attacker, attack

NDJSON: Final = {"Content-Type": "application/x-ndjson"}


def lines(topic: str, subjects: int, **more: Any) -> bytes:
    """As many events, each about another subject."""
    return b"".join(
        json.dumps({"topic": topic, "type": "x", "data": "x", "subject": str(n), **more}).encode() + b"\n"
        for n in range(subjects)
    )


@attack("values-of-many-events", row="state")
async def values_of_many_events(attacker: Attacker) -> None:
    """A text of thousands of appends, told as one event, again and again."""
    topic = f"text/{attacker.number}"
    body = lines(topic, 1, append=True) * 2_000
    await attacker.ask_anew("POST", "/api/events", headers=NDJSON, body=body)
    await attacker.keep_asking("GET", f"/api/state?topic={topic}&join=text")


@attack("states-of-long-ago", row="state")
async def states_of_long_ago(attacker: Attacker) -> None:
    """Pages of a state that nearly everything has replaced since."""
    topic = f"old/{attacker.number}"
    for _ in range(3):
        answer = await attacker.ask_anew("POST", "/api/events", headers=NDJSON, body=lines(topic, 1_000))
    first = answer.json()["ids"][0] if answer.status == 201 else "epoch-1"
    epoch = first.partition("-")[0]
    await attacker.keep_asking("GET", f"/api/state?topic=old/*&limit=1000&next={epoch}-1000.0.0")


@attack("values-replaced-at-once", row="state")
async def values_replaced_at_once(attacker: Attacker) -> None:
    """A value of two thousand events is replaced by one, and grows again."""
    topic = f"grown/{attacker.number}"
    grown, replaced = lines(topic, 1, append=True) * 2_000, lines(topic, 1)
    while True:
        for body in (grown, replaced):
            answer = await attacker.ask_anew("POST", "/api/events", headers=NDJSON, body=body)
            attacker.must(answer.status in (201, 503), f"replaced: {answer.status}")
