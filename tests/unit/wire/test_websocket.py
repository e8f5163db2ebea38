"""docs/protocol.md, section 4: what a WebSocket client may say, and what it is told."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import pytest

from service.access.gate import Act
from service.access.spending import Spending
from service.bus.bus import EventBus
from service.core.errors import RateLimitedError, StorageFullError
from service.core.event import Draft, Rule
from service.core.limits import ENVELOPE_MAX, FILTER_TOPICS_MAX
from service.core.rates import Rate, Rates
from service.core.topics import TopicFilter
from service.log.base import ONE_TURN, Receipt, Turn
from service.stream.hub import StreamHub
from service.wire.drafts import DraftReader
from service.wire.messages import REF_MAX
from service.wire.websocket import PUBLISHING_MAX, WebSocketWire
from tests.support.clock import ManualClock
from tests.support.memorylog import MemoryEventLog
from tests.support.stream_fixtures import House
from tests.support.wires import Socket, drafts, memory_bus, open_sockets, until

DATA_MAX = 1024
Connect = Callable[..., Awaitable[Socket]]


def wire_of(house: House) -> WebSocketWire:
    return house.websocket(DATA_MAX)


@pytest.fixture
async def connect(house: House) -> AsyncIterator[Connect]:
    """Connects a client and waits until it is live."""
    wire = wire_of(house)
    async with open_sockets() as sockets:

        async def connect(query: str = "topic=t", **headers: str) -> Socket:
            sockets.append(socket := Socket().open(wire, query, headers))
            await socket.next("caught_up")
            return socket

        yield connect


async def problem(socket: Socket, message: Any) -> dict[str, Any]:
    socket.say(message)
    return (await socket.next("problem"))[0]


# The handshake


async def test_accept_then_connection_then_caught_up(connect: Connect, bus: EventBus) -> None:
    socket = await connect("topic=a/*&topic=b")
    assert socket.sent[0] == {"type": "websocket.accept", "subprotocol": None}
    connection = socket.frames[0]
    assert (connection["type"], connection["id"], connection["head"]) == ("connection", bus.cursor(0), bus.cursor(0))
    assert (connection["topics"], connection["transport"], connection["resumed"]) == (["a/*", "b"], "websocket", False)
    assert (connection["heartbeat"], len(connection["connection"])) == (20.0, 36)


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [("topic=a//b", {}, 422), ("topic=t", {"Origin": "https://evil.example", "Host": "a"}, 403)],
)
async def test_a_refusal_comes_before_the_handshake(
    house: House, query: str, headers: dict[str, str], status: int
) -> None:
    socket = Socket().open(wire_of(house), query, headers)
    await socket.ended()
    start, body = socket.sent
    assert (start["type"], start["status"]) == ("websocket.http.response.start", status)
    assert (b"content-type", b"application/problem+json") in start["headers"]
    assert json.loads(body["body"])["status"] == status


async def test_draining_and_a_full_house_are_503_with_retry_after(bus: EventBus, clock: ManualClock) -> None:
    house = House.of(bus, clock, max_places=1)
    async with open_sockets() as sockets:
        sockets.append(first := Socket().open(wire_of(house)))
        await first.next("caught_up")
        for _ in range(2):
            refused = Socket().open(wire_of(house))
            await refused.ended()
            assert refused.sent[0]["status"] == 503
            assert b"retry-after" in dict(refused.sent[0]["headers"])
            house.drain.begin()


# subscribe, unsubscribe


async def test_subscribe_covers_the_new_topic_from_the_replys_position(connect: Connect, bus: EventBus) -> None:
    socket = await connect()
    await bus.publish(drafts(1, "u"))
    socket.say({"op": "subscribe", "topics": ["u"], "ref": 7})
    reply = (await socket.next("reply"))[0]
    assert reply == {"type": "reply", "ref": 7, "id": bus.cursor(1), "topics": ["t", "u"]}
    await bus.publish([*drafts(1, "u"), *drafts(1)])
    assert [frame["id"] for frame in await socket.next("x", 2)] == [bus.cursor(2), bus.cursor(3)]


@pytest.mark.parametrize("op", ["subscribe", "unsubscribe"])
async def test_a_list_past_its_bound_is_refused_unread_and_the_connection_lives_on(connect: Connect, op: str) -> None:
    socket = await connect()
    socket.say({"op": op, "topics": [f"no topic {n}" for n in range(FILTER_TOPICS_MAX + 1)], "ref": 1})
    refused = (await socket.next("problem"))[0]
    assert (refused["status"], refused["field"], refused["ref"]) == (422, "topic", 1)
    assert refused["detail"] == f"at most {FILTER_TOPICS_MAX} topics in one filter"
    socket.say({"op": op, "topics": [f"t{n}" for n in range(FILTER_TOPICS_MAX - 1)], "ref": 2})
    assert (await socket.next("reply"))[0]["ref"] == 2


async def test_unsubscribe_to_nothing_leaves_the_connection_open(connect: Connect, bus: EventBus) -> None:
    socket = await connect()
    socket.say({"op": "unsubscribe", "topics": ["t"]})
    assert (await socket.next("reply"))[0]["topics"] == []
    await bus.publish(drafts(3))
    socket.say({"op": "subscribe", "topics": ["t"]})
    assert (await socket.next("reply"))[0]["id"] == bus.cursor(3)
    await bus.publish(drafts(1))
    assert [frame["id"] for frame in await socket.next("x")] == [bus.cursor(4)]


async def test_a_filter_changes_between_events_however_fast_they_come(connect: Connect, bus: EventBus) -> None:
    """Each reply's position divides what came with the old filter from what comes with the new one."""
    socket = await connect("topic=t")
    for round in range(20):
        socket.say({"op": ("subscribe", "unsubscribe")[round % 2], "topics": ["u"], "ref": round})
        await bus.publish([*drafts(1), *drafts(1, "u")])
    await socket.next("reply", 20)
    await bus.publish(drafts(1, type="last"))
    await socket.next("last")
    covered, since, found = False, 0, set()
    changes = []
    for frame in socket.frames:
        offset = int(frame.get("id", "-0").rpartition("-")[2])
        if frame["type"] == "reply":
            changes.append((offset, "u" in frame["topics"]))
        elif "topic" in frame:
            assert offset > since
            since = offset
            found.add(offset)
    for offset in range(1, bus.head + 1):
        covered = next((is_on for position, is_on in reversed(changes) if position < offset), False)
        is_t = offset % 2 == 1
        assert (offset in found) == (is_t or covered), offset


@pytest.mark.parametrize("op", ["subscribe", "unsubscribe"])
@pytest.mark.parametrize("topics", [[], None, ["a//b"], [""], ["**/a"], [1], "t", [["t"]]])
async def test_wrong_topics_are_422_and_change_nothing(connect: Connect, bus: EventBus, op: str, topics: Any) -> None:
    socket = await connect()
    answer = await problem(socket, {"op": op, "topics": topics})
    assert answer["status"] == 422
    await bus.publish(drafts(1))
    assert len(await socket.next("x")) == 1


async def test_more_topics_than_a_filter_may_hold_are_422(connect: Connect) -> None:
    socket = await connect()
    socket.say({"op": "subscribe", "topics": [f"a{n}" for n in range(99)]})
    assert len((await socket.next("reply"))[0]["topics"]) == 100
    assert (await problem(socket, {"op": "subscribe", "topics": ["b"], "ref": "r"}))["status"] == 422


# publish


async def test_publish_is_answered_with_its_id_after_the_commit(connect: Connect, bus: EventBus) -> None:
    socket = await connect()
    socket.say('{"op":"publish","topic":"t","type":"x","data":1.0,"ref":"a"}')
    assert await socket.next("reply") == [{"type": "reply", "ref": "a", "id": bus.cursor(1)}]
    event = next(message for message in socket.sent if '"topic":"t"' in message.get("text", ""))
    assert '"data":1.0}' in event["text"], "as it was written"


async def test_a_trace_comes_with_its_event(connect: Connect) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    socket = await connect()
    socket.say({"op": "publish", "topic": "t", "type": "x", "data": 1, "traceparent": trace})
    socket.say({"op": "publish", "topic": "t", "type": "x", "data": 2})
    first, second = await socket.next("x", 2)
    assert first["traceparent"] == trace
    assert "traceparent" not in second


async def test_a_key_returns_the_first_id(connect: Connect, bus: EventBus) -> None:
    socket = await connect()
    for _ in range(2):
        socket.say({"op": "publish", "topic": "t", "type": "x", "data": 1, "key": "k"})
    assert [reply["id"] for reply in await socket.next("reply", 2)] == [bus.cursor(1)] * 2
    assert bus.head == 1


@pytest.mark.parametrize(
    ("fields", "status", "field"),
    [
        ({"type": "x", "data": 1}, 422, "topic"),
        ({"topic": "t", "data": 1}, 422, "type"),
        ({"topic": "t", "type": "x"}, 422, "data"),
        ({"topic": "a/*", "type": "x", "data": 1}, 422, "topic"),
        ({"topic": "t", "type": "pong", "data": 1}, 422, "type"),
        ({"topic": "t", "type": "x", "data": 1, "key": ""}, 422, "key"),
        ({"topic": "t", "type": "x", "data": 1, "traceparent": "00-0-0-0"}, 422, "traceparent"),
        ({"topic": "t", "type": "x", "data": 1, "traceparent": 1}, 422, "traceparent"),
        ({"topic": "t", "type": "x", "data": "a" * DATA_MAX}, 413, "data"),
    ],
)
async def test_an_invalid_publish_names_its_field(
    connect: Connect, bus: EventBus, fields: dict[str, Any], status: int, field: str
) -> None:
    answer = await problem(await connect(), {"op": "publish", "ref": "r", **fields})
    assert (answer["status"], answer["field"], answer["ref"], bus.head) == (status, field, "r", 0)


async def test_publishes_that_follow_each_other_share_a_commit(connect: Connect, bus: EventBus) -> None:
    commits: list[int] = []
    bus._log.follow(lambda events: commits.append(len(events)), lambda topic, floor: None)
    socket = await connect()
    for ref in range(10):
        socket.say({"op": "publish", "topic": "t", "type": "x", "data": ref, "ref": ref})
    assert [reply["ref"] for reply in await socket.next("reply", 10)] == list(range(10))
    assert commits == [10]


async def test_a_publish_right_before_leaving_is_published(connect: Connect, bus: EventBus) -> None:
    socket = await connect()
    socket.say({"op": "publish", "topic": "t", "type": "x", "data": 1})
    socket.leave()
    await socket.ended()
    await asyncio.wait_for(bus.reach(1), 10)


class GatedLog(MemoryEventLog):
    """Commits wait for the gate."""

    def __init__(self) -> None:
        super().__init__(ManualClock())
        self.gate = asyncio.Event()
        self.asked = 0
        self.error: Exception | None = None

    async def append(self, drafts: Sequence[Draft], *rest: Any) -> Receipt:
        self.asked += 1
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return await super().append(drafts, *rest)


async def test_publishes_that_wait_for_their_commit_are_bounded(clock: ManualClock) -> None:
    log = GatedLog()
    bus = memory_bus(log=log)
    house = House.of(bus, clock)
    async with open_sockets() as sockets:
        sockets.append(socket := Socket().open(wire_of(house)))
        for ref in range(2 * PUBLISHING_MAX):
            socket.say({"op": "publish", "topic": "t", "type": "x", "data": 1, "ref": ref})
        await until(lambda: log.asked == PUBLISHING_MAX)
        for _ in range(20):
            await asyncio.sleep(0)
        assert log.asked == PUBLISHING_MAX
        assert socket.inbox.qsize() == PUBLISHING_MAX - 1, "the others wait in the socket"
        log.gate.set()
        replies = await socket.next("reply", 2 * PUBLISHING_MAX)
        assert sorted(reply["ref"] for reply in replies) == list(range(2 * PUBLISHING_MAX))


async def test_a_full_disk_is_a_problem_and_the_connection_lives_on(clock: ManualClock) -> None:
    log = GatedLog()
    log.error = StorageFullError("no space left")
    log.gate.set()
    bus = memory_bus(log=log)
    house = House.of(bus, clock)
    async with open_sockets() as sockets:
        sockets.append(socket := Socket().open(wire_of(house)))
        answer = await problem(socket, {"op": "publish", "topic": "t", "type": "x", "data": 1, "ref": 5})
        assert (answer["status"], answer["ref"]) == (503, 5)
        socket.say({"op": "ping"})
        assert await socket.next("pong")


# How much one may say, and publish


async def test_messages_beyond_the_rate_are_429_and_the_connection_lives_on(bus: EventBus, clock: ManualClock) -> None:
    house = House.of(bus, clock, spending=Spending(clock, Rates(), Rates(messages=Rate(10, 3))))
    async with open_sockets() as sockets:
        sockets.append(socket := Socket().open(wire_of(house)))
        await socket.next("caught_up")
        for ref in range(3):
            socket.say({"op": "ping", "ref": ref})
        await socket.next("pong", 3)
        refused = await problem(socket, {"op": "publish", "topic": "t", "type": "x", "data": 1, "ref": "r"})
        assert (refused["status"], refused["retry"], refused["ref"], bus.head) == (429, 100, "r", 0)
        assert (await problem(socket, '{"op":5,"ref":7}'))["ref"] == 7
        assert house.gate.refused == {(Act.SOCKET, "rate"): 2}
        clock.advance(0.1)
        socket.say({"op": "ping"})
        await socket.next("pong")


async def test_messages_count_before_a_stream_begins(bus: EventBus, clock: ManualClock) -> None:
    house = House.of(bus, clock, spending=Spending(clock, Rates(), Rates(messages=Rate(10, 2))))
    async with open_sockets() as sockets:
        sockets.append(socket := Socket().open(wire_of(house), "filter=later"))
        statuses = [(await problem(socket, text))["status"] for text in ("{", {"op": "ping"}, "{", {"op": "ping"})]
        assert statuses == [400, 409, 429, 429]
        clock.advance(0.1)
        socket.say({"op": "subscribe", "topics": ["t"]})
        await socket.next("connection")


async def test_publishes_beyond_the_rate_are_429_and_nothing_of_them_is_stored(
    bus: EventBus, clock: ManualClock
) -> None:
    house = House.of(bus, clock, spending=Spending(clock, Rates(), Rates(publishes=Rate(20, 2), topics=Rate(1, 1))))
    async with open_sockets() as sockets:
        sockets.append(socket := Socket().open(wire_of(house)))
        for ref, topic in enumerate(("t", "u", "t", "t")):
            socket.say({"op": "publish", "topic": topic, "type": "x", "data": 1, "ref": ref})
        replies = await socket.next("reply", 2)
        assert [one["ref"] for one in replies] == [0, 2]
        await until(lambda: len([one for one in socket.frames if one["type"] == "problem"]) == 2)
        problems = [one for one in socket.frames if one["type"] == "problem"]
        assert [(one["ref"], one["status"], one.get("field")) for one in problems] == [
            (1, 429, "topic"),
            (3, 429, None),
        ]
        assert all(one["retry"] > 0 for one in problems)
        assert bus.head == 2


async def test_a_filter_grows_to_its_bound_and_not_past_it(bus: EventBus, clock: ManualClock) -> None:
    house = House.of(bus, clock, filters=2)
    async with open_sockets() as sockets:
        sockets.append(socket := Socket().open(wire_of(house), "topic=a"))
        socket.say({"op": "subscribe", "topics": ["b"]})
        assert (await socket.next("reply"))[0]["topics"] == ["a", "b"]
        refused = await problem(socket, {"op": "subscribe", "topics": ["c"]})
        assert (refused["status"], refused["field"]) == (422, "topic")
        socket.say({"op": "unsubscribe", "topics": ["a"]})
        await socket.next("reply")
        socket.say({"op": "subscribe", "topics": ["c"]})
        assert (await socket.next("reply"))[0]["topics"] == ["b", "c"]


class Covered(MemoryEventLog):
    """A filter takes longer than one request may."""

    is_done = False

    async def learn(self, topics: TopicFilter, turn: Turn) -> None:
        if not self.is_done:
            raise RateLimitedError("that was not all", field="topic")


async def test_a_filter_that_takes_too_long_is_told_and_may_come_back(clock: ManualClock) -> None:
    log = Covered(clock)
    house = House.of(memory_bus(log=log), clock)
    socket = Socket().open(wire_of(house), "topic=*")
    assert (await socket.next("goodbye"))[0]["reason"] == "limit"
    await socket.ended()
    assert (socket.close_code, house.gate.places) == (1013, 0)
    log.is_done = True
    async with open_sockets() as sockets:
        sockets.append(socket := Socket().open(wire_of(house), "topic=*"))
        await socket.next("caught_up")
        log.is_done = False
        refused = await problem(socket, {"op": "subscribe", "topics": ["a/*"]})
        assert (refused["status"], refused["field"]) == (429, "topic")
        socket.say({"op": "ping"})
        await socket.next("pong")


# ping, auth, and what is none of it


@pytest.mark.parametrize(
    ("message", "pong"),
    [
        ({"op": "ping"}, {"type": "pong"}),
        ({"type": "ping"}, {"type": "pong"}),
        ({"op": "ping", "ref": "a"}, {"type": "pong", "ref": "a"}),
        ({"op": "ping", "ref": 2**63}, {"type": "pong", "ref": 2**63}),
        ({"op": "ping", "ref": 10**4_299}, {"type": "pong", "ref": 10**4_299}),
        ({"op": "ping", "ref": 1.5}, {"type": "pong", "ref": 1.5}),
        ({"op": "ping", "ref": 0}, {"type": "pong", "ref": 0}),
        ({"op": "ping", "ref": "é\n\u2028"}, {"type": "pong", "ref": "é\n\u2028"}),
        ({"op": "ping", "ref": "r" * 1_000}, {"type": "pong", "ref": "r" * REF_MAX}),
        ({"op": "ping", "ignored": [1]}, {"type": "pong"}),
    ],
)
async def test_ping_is_answered_by_pong_with_its_ref(connect: Connect, message: Any, pong: Any) -> None:
    socket = await connect()
    socket.say(message)
    assert (await socket.next("pong"))[0] == pong


async def test_auth_is_not_supported_and_says_so(connect: Connect) -> None:
    assert (await problem(await connect(), {"op": "auth", "token": "x", "ref": 1}))["status"] == 501


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", 400),
        ("{", 400),
        ("hello", 400),
        ("[]", 422),
        ("1", 422),
        ("null", 422),
        ('"ping"', 422),
        ("{}", 422),
        ('{"op":"explode"}', 422),
        ('{"op":5}', 422),
        ('{"op":"ping","ref":{}}', 422),
        ('{"op":"ping","ref":true}', 422),
        ('{"op":"ping","ref":1e999}', 422),
        ('{"op":"ping","ref":' + "1" * 5_000 + "}", 422),
        ('{"op":"ping","ref":"\\ud800"}', 400),
        ('{"type":"x"}', 422),
        ('{"op":"ping"}{"op":"ping"}', 400),
        ("[" * 5_000, 422),
        ('{"data":' + "[" * 5_000, 400),
    ],
)
async def test_anything_else_is_a_problem_and_the_connection_lives_on(connect: Connect, text: str, status: int) -> None:
    socket = await connect()
    answer = await problem(socket, text)
    assert (answer["status"], answer["ref"]) == (status, None)
    assert {"title", "detail"} <= set(answer)
    socket.say({"op": "ping"})
    assert await socket.next("pong")


# The end


@pytest.mark.parametrize("data", [b"\x00", b"", None])
async def test_a_binary_message_closes_with_1003(connect: Connect, data: bytes | None) -> None:
    socket = await connect()
    socket.say_bytes(data)
    await socket.ended()
    assert socket.close_code == 1003


@pytest.mark.parametrize(("filler", "width"), [("a", 1), ("é", 2)])
async def test_a_message_of_the_bound_is_read_and_one_byte_more_closes_with_1009(
    connect: Connect, filler: str, width: int
) -> None:
    socket = await connect()
    bare = len('{"op":"ping","x":""}')
    room = DATA_MAX + ENVELOPE_MAX - bare
    socket.say('{"op":"ping","x":"' + filler * (room // width) + "b" * (room % width) + '"}')
    await socket.next("pong")
    socket.say('{"op":"ping","x":"' + filler * (room // width) + "b" * (room % width + 1) + '"}')
    await socket.ended()
    assert socket.close_code == 1009


async def test_a_restart_says_goodbye_and_closes_with_1012(connect: Connect, hub: StreamHub) -> None:
    socket = await connect()
    await hub.drain(10)
    await socket.ended()
    assert (await socket.next("goodbye"))[0]["reason"] == "restart"
    assert (socket.close_code, [message["type"] for message in socket.sent][-1]) == (1012, "websocket.close")


async def test_a_client_that_leaves_is_not_answered(connect: Connect, hub: StreamHub) -> None:
    socket = await connect()
    socket.leave()
    await socket.ended()
    assert socket.close_code is None
    assert len(hub) == 0


async def test_a_peer_that_takes_nothing_is_given_up_after_the_send_timeout(bus: EventBus, clock: ManualClock) -> None:
    house = House.of(bus, clock, send_timeout=0.05)
    async with open_sockets() as sockets:
        sockets.append(socket := Socket().open(wire_of(house)))
        await socket.next("caught_up")
        socket.gate.clear()
        await bus.publish(drafts(1))
        await until(lambda: len(house.hub) == 0)
        socket.gate.set()
        await socket.ended()
        assert socket.close_code == 1013


async def test_a_rule_that_fails_is_a_problem_and_the_connection_lives_on(house: House) -> None:
    """A rule of an application's may raise anything: a number or a depth that Python can't take, or a fault."""

    def rules(topic: str, type: str) -> Rule | None:
        def check(data: str) -> None:
            if type == "fault":
                raise KeyError("a fault of ours")
            json.loads(data)

        return check

    wire = WebSocketWire(
        house.gate,
        house.opening,
        house.pipes,
        house.frames,
        house.bus,
        DraftReader(100_000, rules),
        house.sending,
        house.saying,
        house.renewal,
        ONE_TURN,
        data_max=100_000,
    )
    async with open_sockets() as sockets:
        sockets.append(socket := Socket().open(wire))
        await socket.next("caught_up")
        for type, data, status in (("fault", "1", 500), ("x", "9" * 5_000, 422), ("x", "[" * 980 + "]" * 980, 422)):
            socket.say(f'{{"op":"publish","topic":"t","type":"{type}","data":{data},"ref":1}}')
            answer = (await socket.next("problem"))[0]
            if status == 500:
                assert answer["status"] == 500
            else:
                assert answer["status"] in (400, 422)
        socket.say({"op": "ping"})
        await socket.next("pong")
    assert house.bus.head == 0
