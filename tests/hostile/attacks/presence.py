"""What one who may be present can do, as very many members, at very many places, and as one who looks on."""

import json
from typing import Final

from tests.hostile.attack import Attacker, attack, message
from tests.hostile.attacks.websocket import FULL, flood

JSON: Final = {"Content-Type": "application/json"}
NOTE: Final = "x" * 900
"""Data near its bound."""


@attack("presence-enters", row="6 kin")
async def presence_enters(attacker: Attacker) -> None:
    """Members as fast as they are let in, each with an id of its own, at a place that everybody here watches."""
    said = [message(op="watch", places=["crowd"])] + [
        message(op="enter", place="crowd", member=f"m{attacker.number}-{n}", data={"note": NOTE}) for n in range(500)
    ]
    await flood(attacker, b"".join(said))


@attack("presence-updates", row="6 kin")
async def presence_updates(attacker: Attacker) -> None:
    """One member that says something else each time, to readers of it who take nothing."""
    said = [message(op="watch", places=["crowd"]), message(op="enter", place="crowd", member=f"m{attacker.number}")]
    said += [
        message(op="update", place="crowd", member=f"m{attacker.number}", data={"n": n, "note": NOTE})
        for n in range(500)
    ]
    await flood(attacker, b"".join(said), is_read=False)


@attack("presence-merges", row="21 kin")
async def presence_merges(attacker: Attacker) -> None:
    """Patches as deep as they may be."""
    deep: dict[str, object] = {}
    for _ in range(150):
        deep = {"a": deep}
    said = [message(op="enter", place="deep", member=f"m{attacker.number}")]
    said += [message(op="update", place="deep", member=f"m{attacker.number}", merge=deep) for _ in range(200)]
    await flood(attacker, b"".join(said))


@attack("presence-places", row="17 kin")
async def presence_places(attacker: Attacker) -> None:
    """A connection's places come and go, each with a name of a hundred segments."""
    places = [f"{'a/' * 90}{attacker.number}/{n}" for n in range(32)]
    come = b"".join(message(op="enter", place=place, member="m") for place in places)
    go = b"".join(message(op="leave", place=place, member="m") for place in places)
    await flood(attacker, (come + go) * 5)


@attack("presence-watches", row="17 kin")
async def presence_watches(attacker: Attacker) -> None:
    """A hundred filters of many segments are watched and not."""
    places = [f"{'*/' * 90}{n}" for n in range(99)]
    await flood(attacker, (message(op="watch", places=places) + message(op="unwatch", places=places)) * 5)


@attack("presence-states-unread", row="6 kin")
async def presence_states_unread(attacker: Attacker) -> None:
    """A hundred members come to each place, and its state is asked for over and over, and not read."""
    place = f"full/{attacker.number}"
    for n in range(100):
        await attacker.ask_anew("PUT", f"/api/presence/{place}/m{n}", headers=JSON, body=_put(120))
    asked = message(op="presence", place=place)
    await flood(attacker, message(op="watch", places=[place]) + asked * 500, is_read=False)


@attack("presence-over-http", row="19 kin")
async def presence_over_http(attacker: Attacker) -> None:
    """Members without a connection, a new one each time, to a reader of all of them who takes nothing."""
    line = await attacker.websocket("topic=**&presence=1")
    line.reader.feed_data(FULL)
    turn = 0
    while True:
        path = f"/api/presence/http/{attacker.number}/{turn % 50}/m{turn}"
        answer = await attacker.ask_anew("PUT", path, headers=JSON, body=_put(120))
        attacker.must(answer.status in {200, 201, 429, 503}, f"presence: {answer.status}")
        turn += 1


@attack("presence-lists", row="20 kin")
async def presence_lists(attacker: Attacker) -> None:
    """Who is where, over and over, of two thousand places that are occupied."""
    for n in range(2_000 // attacker.share + 1):
        path = f"/api/presence/list/{attacker.number}/{n}/m"
        await attacker.ask_anew("PUT", path, headers=JSON, body=_put(120))
    await attacker.keep_asking("GET", "/api/presence?place=list/**&limit=1000")


@attack("presence-beacons", row="19 kin")
async def presence_beacons(attacker: Attacker) -> None:
    """Beacons of a connection that is not there, with as many members as go into one."""
    members = [{"place": "crowd", "member": f"m{n}"} for n in range(32)]
    gone = {"connection": "00000000-0000-4000-8000-000000000000", "members": members}
    body, head = json.dumps(gone).encode(), {"Content-Type": "text/plain;charset=UTF-8"}
    await attacker.keep_asking("POST", "/api/presence/leave", headers=head, body=body)


@attack("presence-polls", row="17 kin")
async def presence_polls(attacker: Attacker) -> None:
    """Polls that know a hundred places, none of them right."""
    known = "".join(f"&topic=p/{n}&presence_version=p/{n}:{n + 7}" for n in range(90))
    await attacker.keep_asking("GET", f"/api/events?presence=1&wait=1{known}")


def _put(lease: int) -> bytes:
    return json.dumps({"data": {"note": NOTE}, "lease": lease}).encode()
