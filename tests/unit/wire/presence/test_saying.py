"""What a WebSocket says of presence: each op, who may, and what it is refused."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.access.gate import Act
from service.access.rights import Grants, Rights
from service.bus.bus import EventBus
from service.core.limits import PRESENCE_OPS, PRESENCE_PLACES
from service.wire.presence.saying import WEIGHED
from tests.support.access import Known, caller_of
from tests.support.clock import ManualClock
from tests.support.stream_fixtures import House
from tests.support.wires import Socket, memory_bus, open_sockets, until


@pytest.fixture
async def bus(clock: ManualClock) -> AsyncIterator[EventBus]:
    found = memory_bus(clock=clock)
    yield found
    await found.presence.close()


@pytest.fixture
async def socket(house: House) -> AsyncIterator[Socket]:
    async with open_sockets() as sockets:
        sockets.append(socket := Socket().open(house.websocket(4_096), "topic=t"))
        await socket.next("caught_up")
        yield socket


async def ask(socket: Socket, op: str, **more: Any) -> dict[str, Any]:
    """The answer, whatever it is."""
    socket.say({"op": op, "ref": 1, **more})
    socket.say({"op": "ping", "ref": "end"})
    before = len(socket.frames)
    await socket.next("pong")
    return next(frame for frame in socket.frames[before:] if frame["type"] in ("reply", "problem"))


async def test_ops_without_a_ref_are_not_answered(house: House, socket: Socket) -> None:
    for op, more in (
        ("enter", {"member": "m"}),
        ("update", {"data": {"x": 1}}),
        ("presence", {}),
        ("leave", {}),
    ):
        socket.say({"op": op, "place": "p", **more})
    for op in ("watch", "unwatch"):
        socket.say({"op": op, "places": ["p"]})
    socket.say({"op": "ping"})
    await socket.next("pong")
    assert "problem" not in [frame["type"] for frame in socket.frames]
    assert [frame["type"] for frame in socket.frames].count("reply") == 0


@pytest.mark.parametrize(
    ("op", "more", "status", "field"),
    [
        ("enter", {}, 422, "place"),
        ("enter", {"place": "twinwire/a"}, 403, "place"),
        ("enter", {"place": "p", "data": 1}, 422, "data"),
        ("enter", {"place": "p", "data": {"x": "y" * 1_100}}, 413, "data"),
        ("enter", {"place": "p", "member": ""}, 422, "member"),
        ("update", {"place": "p", "member": "m"}, 422, "data"),
        ("update", {"place": "p", "member": "m", "data": {}}, 404, "member"),
        ("update", {"place": "p", "data": {}}, 422, "member"),
        ("leave", {"place": "p"}, 422, "member"),
        ("leave", {"place": "p", "member": "m"}, 404, "member"),
        ("presence", {"place": "p/*"}, 422, "place"),
        ("presence", {"place": "twinwire/a"}, 403, "place"),
        ("watch", {}, 422, "places"),
        ("watch", {"places": []}, 422, "places"),
        ("watch", {"places": ["a//b"]}, 422, "places"),
        ("watch", {"places": [f"p{n}" for n in range(101)]}, 422, "places"),
        ("watch", {"places": ["twinwire/a"]}, 403, "topic"),
        ("unwatch", {"places": None}, 422, "places"),
    ],
)
async def test_what_is_wrong_is_a_problem_that_names_the_field(
    socket: Socket, op: str, more: dict[str, Any], status: int, field: str
) -> None:
    found = await ask(socket, op, **more)
    assert (found["type"], found.get("status"), found.get("field"), found["ref"]) == ("problem", status, field, 1)


async def test_a_connection_is_at_so_many_places_and_one_more_is_429(socket: Socket) -> None:
    for n in range(PRESENCE_PLACES):
        assert (await ask(socket, "enter", place=f"p{n}", member="m"))["type"] == "reply"
    found = await ask(socket, "enter", place="more")
    assert (found["status"], found["field"]) == (429, "place")
    assert (await ask(socket, "leave", place="p0"))["member"] == "m"
    assert (await ask(socket, "enter", place="more"))["type"] == "reply"


async def test_messages_of_presence_have_a_rate(house: House, socket: Socket) -> None:
    for _ in range(int(PRESENCE_OPS.burst)):
        socket.say({"op": "unwatch", "places": ["p"]})
    found = await ask(socket, "unwatch", places=["p"])
    assert (found["status"], found["field"]) == (429, "member")
    assert found["retry"] > 0
    assert house.gate.refused[Act.SOCKET, "rate"] == 1


async def test_several_are_named_and_watched_up_to_a_hundred(socket: Socket) -> None:
    places = [f"p{n:03}" for n in range(100)]
    assert (await ask(socket, "watch", places=places[:60]))["places"] == places[:60]
    assert (await ask(socket, "watch", places=places[40:]))["places"] == places
    assert (await ask(socket, "watch", places=["more"]))["field"] == "places"
    assert (await ask(socket, "unwatch", places=places[1:]))["places"] == places[:1]


async def test_a_subscribe_asks_for_presence_and_takes_it_back(house: House, socket: Socket) -> None:
    found = await ask(socket, "subscribe", topics=["u"], presence=True)
    assert (found["presence"], found["topics"]) == (True, ["t", "u"])
    assert sorted({frame["place"] for frame in socket.frames if frame["type"] == "presence"}) == ["t", "u"]
    assert house.bus.presence.telling.watchers == 1
    found = await ask(socket, "subscribe", topics=["v"])
    assert "presence" not in found
    assert [frame["place"] for frame in socket.frames if frame["type"] == "presence"][-1] == "v"
    assert (await ask(socket, "unsubscribe", topics=["v"], presence=False))["presence"] is False
    assert house.bus.presence.telling.watchers == 0
    count = [frame["type"] for frame in socket.frames].count("presence")
    await ask(socket, "subscribe", topics=["w"], presence=True)
    assert (await ask(socket, "subscribe", topics=["new"], presence=False))["presence"] is False
    await ask(socket, "presence", place="once")
    await until(lambda: socket.frames[-1].get("place") == "once")
    told = [frame["place"] for frame in socket.frames if frame["type"] == "presence"][count:]
    assert "new" not in told, "it was asked for and taken back in one message"


async def test_a_filter_that_comes_later_may_ask_for_it(house: House) -> None:
    async with open_sockets() as sockets:
        sockets.append(socket := Socket().open(house.websocket(4_096), "filter=later"))
        socket.say({"op": "subscribe", "topics": ["t"], "presence": True, "ref": 1})
        (connection,) = await socket.next("connection")
        assert connection["presence"] is True
        (reply,) = await socket.next("reply")
        assert reply["presence"] is True
        assert (await socket.next("presence"))[0]["place"] == "t"


async def test_another_token_ends_what_it_does_not_grant(bus: EventBus, clock: ManualClock) -> None:
    both = Grants(("p", "q"))
    known = Known(
        both=caller_of("ada")._replace(rights=Rights(Grants(("t", "p", "q")), presence=both)),
        one=caller_of("ada")._replace(rights=Rights(Grants(("t", "q")), presence=Grants(("q",)))),
    )
    house = House.of(bus, clock, verifier=known)
    async with open_sockets() as sockets:
        headers = {"Authorization": "Bearer both"}
        sockets.append(socket := Socket().open(house.websocket(4_096), "topic=t", headers))
        await socket.next("caught_up")
        assert (await ask(socket, "watch", places=["p", "q"]))["places"] == ["p", "q"]
        for place in ("p", "q"):
            assert (await ask(socket, "enter", place=place, member="m"))["type"] == "reply"
        assert (await ask(socket, "auth", token="one"))["type"] == "reply"
        assert (bus.presence.present("p"), bus.presence.present("q")) == (0, 1)
        assert (await ask(socket, "unwatch", places=["none"]))["places"] == ["q"]
        assert (await ask(socket, "enter", place="p"))["status"] == 403
    assert json.dumps(dict(bus.presence.state.of_caller)) == '{"ada": 1}'


async def test_a_large_filter_counts_as_many_messages(house: House, socket: Socket) -> None:
    """What one had sent before he left was carried out for ten seconds."""
    places = [f"p/{n}/*" for n in range(99)]
    each = 1 + 99 // WEIGHED
    for _ in range(int(PRESENCE_OPS.burst) // (2 * each) // 2):
        assert (await ask(socket, "watch", places=places))["type"] == "reply"
        assert (await ask(socket, "unwatch", places=places))["type"] == "reply"
    answers = [await ask(socket, "watch", places=places) for _ in range(int(PRESENCE_OPS.burst) // each)]
    assert answers[-1]["status"] == 429
    assert answers[-1]["retry"] > 0


async def test_a_hundred_places_one_by_one_are_not_too_many(socket: Socket) -> None:
    for n in range(100):
        socket.say({"op": "watch", "places": [f"p/{n}"]})
    socket.say({"op": "ping"})
    await socket.next("pong")
    assert [frame for frame in socket.frames if frame["type"] == "problem"] == []
