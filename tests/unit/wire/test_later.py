"""What a WebSocket's client says before it is a stream: who it is, and what it wants to read."""

import asyncio
from typing import Any
from unittest import mock

import pytest

from service.bus.bus import EventBus
from tests.support.access import Known, caller_of
from tests.support.clock import ManualClock
from tests.support.stream_fixtures import House
from tests.support.wires import Socket, until

DATA_MAX = 1_024
ADA = caller_of("ada", "a", "b", streams=1)


@pytest.fixture
async def house(bus: EventBus, clock: ManualClock) -> House:
    return House.of(bus, clock, verifier=Known(ada=ADA, few=caller_of("ada", "c")))


def opened(house: House, query: str, **headers: str) -> Socket:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Socket().open(house.websocket(DATA_MAX), query, named)


async def over(socket: Socket) -> int | None:
    await socket.ended()
    return socket.close_code


async def test_who_it_is_comes_first_and_then_what_it_wants(house: House) -> None:
    socket = opened(house, "auth=message&filter=later")
    for message, status in (
        ("{", 400),
        ({"ref": 1, "op": 2}, 422),
        ({"op": "subscribe", "topics": ["a"], "ref": "r"}, 409),
        ({"op": "auth"}, 422),
    ):
        socket.say(message)
        assert (await socket.next("problem"))[0]["status"] == status
    socket.say({"op": "auth", "token": "ada"})
    for message, status in (({"op": "ping"}, 409), ({"op": "subscribe", "topics": ["a", "c"]}, 403)):
        socket.say(message)
        assert (await socket.next("problem"))[0]["status"] == status
    socket.say({"op": "subscribe", "topics": ["a"], "ref": 7})
    connection = (await socket.next("connection"))[0]
    assert (connection["subject"], connection["topics"]) == ("ada", ["a"])
    assert (await socket.next("reply"))[0]["ref"] == 7
    socket.leave()
    await socket.ended()
    assert (house.gate.places, house.gate._pending, dict(house.gate.shares.of_subject)) == (0, 0, {})


async def test_without_a_topic_it_is_all_that_one_may_read(house: House) -> None:
    socket = opened(house, "auth=message")
    socket.say({"op": "auth", "token": "ada"})
    assert (await socket.next("connection"))[0]["topics"] == ["a", "b"]
    socket.leave()
    await socket.ended()


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"op": "auth", "token": "bad"}, 1008),
        ("x" * (DATA_MAX + 5_000), 1009),
        ("é" * ((DATA_MAX + 5_000) // 2), 1009),
        (b"binary", 1003),
    ],
)
async def test_what_ends_it(house: House, said: Any, code: int) -> None:
    socket = opened(house, "auth=message")
    if isinstance(said, bytes):
        socket.say_bytes(said)
    else:
        socket.say(said)
    assert await over(socket) == code
    assert house.gate.places == 0


async def test_a_token_without_the_right_may_be_followed_by_another(house: House) -> None:
    """It was good, and nobody guesses: what it is not enough for is told."""
    socket = opened(house, "auth=message&topic=a")
    socket.say({"op": "auth", "token": "few"})
    assert (await socket.next("problem"))[0]["status"] == 403
    socket.say({"op": "auth", "token": "ada"})
    await socket.next("connection")
    socket.leave()
    await socket.ended()


@pytest.mark.parametrize(("query", "reason", "code"), [("auth=message", "auth", 1008), ("filter=later", "idle", 1013)])
async def test_who_says_nothing_has_some_seconds(house: House, query: str, reason: str, code: int) -> None:
    with mock.patch("service.wire.later.LATER", 0.01):
        socket = opened(house, query, authorization="Bearer ada") if reason == "idle" else opened(house, query)
        assert (await socket.next("goodbye"))[0]["reason"] == reason
        assert await over(socket) == code
    assert house.gate.places == 0


async def test_who_leaves_meanwhile_has_left(house: House) -> None:
    for query in ("auth=message", "auth=message&filter=later"):
        socket = opened(house, query)
        await until(lambda: house.gate.places == 1)
        socket.leave()
        assert await over(socket) is None
        assert (house.gate.places, house.gate._pending) == (0, 0)


async def test_too_many_streams_of_a_subject_are_told_after_the_handshake(house: House) -> None:
    first = opened(house, "topic=a", authorization="Bearer ada")
    await first.next("caught_up")
    second = opened(house, "topic=a", authorization="Bearer ada")
    goodbye = (await second.next("goodbye"))[0]
    assert (goodbye["reason"], goodbye["code"]) == ("limit", 1013)
    assert await over(second) == 1013
    third = opened(house, "auth=message&topic=a")
    third.say({"op": "auth", "token": "ada"})
    assert (await third.next("problem"))[0]["status"] == 429
    third.leave()
    first.leave()
    await asyncio.gather(first.ended(), third.ended())


async def test_a_subprotocol_that_is_offered_is_answered(house: House) -> None:
    socket = opened(house, "topic=a", sec_websocket_protocol="chat, twinwire.v1, twinwire.bearer.ada")
    await socket.next("connection")
    assert socket.sent[0] == {"type": "websocket.accept", "subprotocol": "twinwire.v1"}
    socket.leave()
    await socket.ended()
