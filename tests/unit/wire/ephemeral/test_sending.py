"""Sending ephemeral events over HTTP and a WebSocket: who may, how often, and that the log has no part in it."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.access.caller import Caller
from service.access.gate import Act
from service.access.rights import Grants, Rights
from service.bus.bus import EventBus
from service.core.ephemeral import KEYS_MAX
from service.core.errors import StorageError
from tests.support.access import Known, caller_of
from tests.support.clock import ManualClock
from tests.support.memorylog import MemoryEventLog
from tests.support.stream_fixtures import House
from tests.support.wires import Answer, Socket, call, memory_bus, open_sockets, until

ONE: dict[str, Any] = {"topic": "t", "type": "x", "data": 1}


@pytest.fixture
async def bus(clock: ManualClock) -> EventBus:
    """On the same clock as the house."""
    return memory_bus(clock=clock)


async def post(house: House, body: Any, token: str | None = None) -> Answer:
    headers = {"Content-Type": "application/json"} | ({} if token is None else {"Authorization": f"Bearer {token}"})
    return await call(house.ephemeral(), "POST", "/api/ephemeral", "", headers, json.dumps(body).encode())


async def opened(house: House, query: str = "topic=t&ephemeral=1", token: str | None = None) -> AsyncIterator[Socket]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with open_sockets() as sockets:
        sockets.append(socket := Socket().open(house.websocket(1024), query, headers))
        await socket.next("caught_up")
        yield socket


@pytest.fixture
async def socket(house: House) -> AsyncIterator[Socket]:
    async for one in opened(house):
        yield one


def light(**more: Any) -> dict[str, Any]:
    return {"op": "publish", **ONE, "ephemeral": True, **more}


async def test_over_http_it_is_202_and_whoever_asked_gets_it(house: House, bus: EventBus, socket: Socket) -> None:
    answer = await post(house, ONE)
    assert (answer.status, answer.json(), answer.headers["cache-control"]) == (202, {"accepted": 1}, "no-store")
    answer = await post(house, [ONE | {"key": "a", "data": 2}, ONE | {"key": "b", "data": 3}])
    assert (answer.status, answer.json()) == (202, {"accepted": 2})
    frames = await socket.next("x", 3)
    assert [frame["data"] for frame in frames] == [1, 2, 3]
    assert all(list(frame) == ["topic", "type", "time", "after", "data"] for frame in frames), "nobody in particular"
    assert bus.head == 0


async def test_of_a_batch_with_a_fault_nothing_is_sent(house: House, socket: Socket) -> None:
    (await post(house, [ONE, ONE | {"type": "gap"}])).problem(422, "1.type")
    await post(house, ONE | {"data": "then"})
    assert (await socket.next("x"))[0]["data"] == "then"


async def test_where_the_log_takes_nothing_they_go_on(clock: ManualClock) -> None:
    class Broken(MemoryEventLog):
        async def append(self, *args: Any, **more: Any) -> Any:
            raise StorageError("the disk is gone")

    house = House.of(memory_bus(log=Broken(clock), clock=clock), clock)
    async for socket in opened(house):
        assert (await post(house, ONE)).status == 202
        socket.say(light(data=2, echo=True))
        assert [frame["data"] for frame in await socket.next("x", 2)] == [1, 2]


async def test_on_a_websocket_it_is_answered_only_with_a_ref_and_comes_back_only_with_echo(
    house: House, socket: Socket
) -> None:
    async for other in opened(house):
        socket.say(light(data=1))
        socket.say(light(data=2, ref="r", key="k", ttl=1))
        socket.say(light(data=3, echo=True, key="e"))
        assert [frame["data"] for frame in await other.next("x", 3)] == [1, 2, 3]
        assert (await socket.next("x"))[0]["data"] == 3
        answers = [frame for frame in socket.frames if "topic" not in frame and frame["type"] != "connection"]
        assert answers == [answers[0], {"type": "reply", "ref": "r"}]


@pytest.mark.parametrize(
    ("more", "status", "field"),
    [
        ({"subject": "s"}, 422, "subject"),
        ({"append": True}, 422, "append"),
        ({"final": True}, 422, "final"),
        ({"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, 422, "traceparent"),
        ({"ttl": 0}, 422, "ttl"),
        ({"ttl": "soon"}, 422, "ttl"),
        ({"key": "k" * 129}, 422, "key"),
        ({"type": "presence"}, 422, "type"),
        ({"topic": "twinwire/a"}, 403, "topic"),
        ({"topic": None}, 422, "topic"),
        ({"ephemeral": "yes"}, 422, "ephemeral"),
        ({"data": "x" * 4_096}, 413, "data"),
    ],
)
async def test_what_is_wrong_is_a_problem_that_names_the_field_also_without_a_ref(
    house: House, more: dict[str, Any], status: int, field: str
) -> None:
    async with open_sockets() as sockets:
        sockets.append(socket := Socket().open(house.websocket(8_192), "topic=t"))
        await socket.next("caught_up")
        socket.say(light(**more))
        (problem,) = await socket.next("problem")
        assert (problem["status"], problem["field"], problem["ref"]) == (status, field, None)
        socket.say(light(ref=1))
        assert (await socket.next("reply"))[0]["ref"] == 1


async def test_beyond_the_rate_the_newest_of_each_key_waits_and_beyond_64_of_them_it_is_429(
    house: House, clock: ManualClock, socket: Socket
) -> None:
    for n in range(120):
        socket.say(light(data=n, key=str(n)))
    for n in range(KEYS_MAX):
        socket.say(light(data=n, key=str(n)))
    socket.say(light(data="newer", key="0", ref="taken"))
    assert (await socket.next("reply"))[0]["ref"] == "taken"
    socket.say(light(key="one more", ref="refused"))
    (problem,) = await socket.next("problem")
    assert (problem["status"], problem["ref"], problem["retry"]) == (429, "refused", 17)
    (await post(house, [ONE | {"key": str(n)} for n in range(100)])), "another sender has his own"
    (await post(house, [ONE | {"key": str(n)} for n in range(85)])).problem(429)
    assert house.gate.refused[Act.CHANGE, "rate"] == 2
    clock.advance(2)
    await until(lambda: not house.bus.ephemeral._throttle._waiting)
    socket.say(light(key="one more", ref="then"))
    assert (await socket.next("reply"))[0]["ref"] == "then"


# Rights


def house_of(bus: EventBus, clock: ManualClock) -> House:
    """ada may read and send, bob may read, eve may publish elsewhere, and root may do everything."""
    sends = Rights(Grants(["t"]), Grants(), ephemeral=Grants(["t"]))
    ada = caller_of("ada", "t")._replace(rights=sends)
    callers: dict[str, Caller] = {
        "ada": ada,
        "bob": caller_of("bob", "t"),
        "eve": caller_of("eve", publish=["e"])._replace(rights=Rights(ephemeral=Grants(["e"]))),
        "root": caller_of("root", admin=True),
    }
    return House.of(bus, clock, verifier=Known(**callers))


async def test_it_takes_the_right_ephemeral_and_says_who_sent_it(bus: EventBus, clock: ManualClock) -> None:
    house = house_of(bus, clock)
    async for reader in opened(house, token="bob"):
        (await post(house, ONE)).problem(401, "topic")
        (await post(house, ONE, "bob")).problem(403, "topic")
        (await post(house, [ONE | {"topic": "e"}, ONE], "eve")).problem(403, "1.topic")
        assert (await post(house, ONE, "ada")).status == 202
        assert (await post(house, ONE | {"data": 2}, "root")).status == 202
        frames = await reader.next("x", 2)
        assert [(frame["from"], frame["data"]) for frame in frames] == [({"user": "ada"}, 1), ({"user": "root"}, 2)]
        reader.say(light(ref=1))
        (problem,) = await reader.next("problem")
        assert (problem["status"], problem["field"], problem["ref"]) == (403, "topic", 1)
        async for ada in opened(house, token="ada"):
            ada.say(light(data=3))
            assert (await reader.next("x"))[0]["from"] == {"user": "ada"}


# Who asks in mid-stream, or later


async def test_a_subscribe_asks_for_them_and_takes_it_back(house: House) -> None:
    async for socket in opened(house, "topic=t"):
        socket.say({"op": "subscribe", "topics": ["u"], "ephemeral": True, "ref": 1})
        (reply,) = await socket.next("reply")
        assert (reply["topics"], reply["ephemeral"]) == (["t", "u"], True)
        await post(house, [ONE, ONE | {"topic": "u", "data": 2}])
        assert [frame["data"] for frame in await socket.next("x", 2)] == [1, 2]
        socket.say({"op": "subscribe", "topics": ["v"], "ref": 2})
        assert "ephemeral" not in (await socket.next("reply"))[0]
        await post(house, ONE | {"topic": "v", "data": 3})
        assert (await socket.next("x"))[0]["data"] == 3, "it says nothing of them, and changes nothing"
        socket.say({"op": "subscribe", "topics": ["v"], "ephemeral": False, "ref": 3})
        assert (await socket.next("reply"))[0]["ephemeral"] is False
        await post(house, ONE)
        assert house.bus.ephemeral.hearers == 0


async def test_a_filter_that_comes_later_may_ask_for_them(house: House) -> None:
    async with open_sockets() as sockets:
        sockets.append(socket := Socket().open(house.websocket(1024), "filter=later"))
        socket.say({"op": "subscribe", "topics": ["t"], "ephemeral": True, "ref": 1})
        await socket.next("connection")
        reply = (await socket.next("reply"))[0]
        assert (socket.frames[0]["ephemeral"], reply["ephemeral"]) == (True, True)
        await socket.next("caught_up")
        await post(house, ONE)
        await socket.next("x")


async def test_a_query_that_is_neither_yes_nor_no_is_422(house: House) -> None:
    for wire in (house.sse(), house.poll()):
        (await call(wire, "GET", "/", "topic=t&ephemeral=maybe")).problem(422, "ephemeral")
