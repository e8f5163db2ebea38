"""The record of who came and went, on a real server: over a kill, and for those alone whom it concerns.

What settles in half a minute takes half a minute here: one test has all that has to wait, so that it waits twice. What
depends on moments is in tests/unit/apps/visits, on a clock that a test moves.
"""

import asyncio
from typing import Any, Final

from tests.e2e.conftest import Serve
from tests.support.bearers import KEYS, ask, bearer, token
from tests.support.clients import Collector, open_stream
from tests.support.frames import Frame
from tests.support.http import request

PLACE: Final = "rooms/red"
RIGHTS: Final[dict[str, Any]] = {"publish": ["**"], "subscribe": ["**"]}
ALL: Final = token("root", admin=True, **RIGHTS)
LOG: Final = '["rooms/**"]'
HALF_A_MINUTE: Final = 45.0
"""Seconds within which what settles has settled."""


async def be(url: str, user: str, place: str = PLACE, lease: int = 120) -> None:
    """There without a connection, for so long."""
    path = f"/api/presence/{place}/t-{user}"
    answer = await ask(url, "PUT", path, token(user, **RIGHTS), {"data": {}, "lease": lease})
    assert answer.status in (200, 201), answer.text


async def leave(url: str, user: str, place: str = PLACE) -> None:
    answer = await ask(url, "DELETE", f"/api/presence/{place}/t-{user}", token(user, **RIGHTS))
    assert answer.status == 204, answer.text


def is_of_the_record(frame: Frame) -> bool:
    return frame.is_event and frame.type.startswith("presence.")


async def told(stream: Collector, count: int) -> list[tuple[str, str, Any]]:
    """The next so many of the record: type, topic and data, by user."""
    found: list[Frame] = []
    async with asyncio.timeout(HALF_A_MINUTE):
        while len(found) < count:
            frame = await stream.next()  # heartbeats come before its own deadline
            if is_of_the_record(frame):
                found.append(frame)
    return sorted([(one.type, one.value["topic"], one.data) for one in found], key=lambda one: str(one[2]["user"]))


async def test_who_was_here(serve: Serve) -> None:
    server = serve(presence_log=LOG, token_keys=KEYS)
    url, headers = server.url, bearer(ALL)
    async with open_stream(url, "sse", "**", headers=headers) as stream:
        for user in ("ada", "bob", "eve"):
            await be(url, user)
        await be(url, "ada", "elsewhere")
        await leave(url, "eve")
        came = await told(stream, 2)
    assert [(type, topic, data["user"]) for type, topic, data in came] == [
        ("presence.came", PLACE, "ada"),
        ("presence.came", PLACE, "bob"),
    ]
    assert all(1 <= data["members"] <= 3 for _, _, data in came)
    assert all(30 <= data["duration"] < 40 for _, _, data in came)
    await server.akill9()
    await server.astart()
    async with open_stream(url, "sse", "**", headers=headers) as stream:
        await be(url, "ada")
        ((type, topic, data),) = await told(stream, 1)
    assert (type, topic, data["user"], data["members"]) == ("presence.went", PLACE, "bob", None)
    assert 30 <= data["duration"] < 45
    kept = (await ask(url, "GET", "/api/events?topic=**&after=earliest", ALL)).json()["events"]
    assert [event["data"]["user"] for event in kept if event["topic"] == "elsewhere"] == []
    assert sorted(event["data"]["user"] for event in kept if event["topic"] == PLACE) == ["ada", "bob", "bob"]


async def test_its_types_are_its_own_while_it_is_on(serve: Serve) -> None:
    body = {"topic": "anywhere", "type": "presence.came", "data": {"user": "ada"}}
    on, off = serve(presence_log=LOG, apps="none"), serve()
    refused = await request(on.url, "POST", "/api/events", json_body=body)
    assert refused.problem(403)["field"] == "type"
    assert (await request(off.url, "POST", "/api/events", json_body=body)).status == 201
