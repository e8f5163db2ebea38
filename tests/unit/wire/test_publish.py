"""docs/protocol.md, section 5: publishing over HTTP."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from service.access.gate import Act
from service.access.spending import Spending
from service.bus.bus import EventBus
from service.core.errors import OverloadedError, StorageError, StorageFullError
from service.core.event import Draft, Rule
from service.core.limits import BATCH_MAX, REQUEST_MAX
from service.core.rates import Rate, Rates
from service.core.topics import TopicFilter
from service.log.base import Receipt
from service.wire.drafts import NDJSON
from service.wire.publish import PublishWire
from tests.support.clock import ManualClock
from tests.support.memorylog import MemoryEventLog
from tests.support.stream_fixtures import House
from tests.support.wires import Answer, Exchange, call, http_scope, memory_bus

ONE = b'{"topic":"t","type":"x","data":1}'


def wire_of(bus: EventBus, *origins: str) -> PublishWire:
    return House.of(bus, ManualClock(), origins=origins).publish()


@pytest.fixture
def wire(house: House) -> PublishWire:
    return house.publish()


async def post(wire: PublishWire, body: bytes = ONE, **headers: str) -> Answer:
    named = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return await call(wire, "POST", "/api/events", "", named, body)


async def test_one_object_answers_with_its_id(wire: PublishWire, bus: EventBus) -> None:
    answer = await post(wire)
    assert (answer.status, answer.json()) == (201, {"id": bus.cursor(1)})
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("body", "media_type"),
    [(b"[" + ONE + b"," + ONE + b"]", "application/json"), (ONE + b"\n" + ONE, NDJSON)],
)
async def test_several_answer_with_their_ids_in_order(
    wire: PublishWire, bus: EventBus, body: bytes, media_type: str
) -> None:
    answer = await post(wire, body, content_type=media_type)
    assert (answer.status, answer.json()) == (201, {"ids": [bus.cursor(1), bus.cursor(2)]})


async def test_an_array_of_one_answers_as_an_array(wire: PublishWire, bus: EventBus) -> None:
    assert (await post(wire, b"[" + ONE + b"]")).json() == {"ids": [bus.cursor(1)]}


async def test_all_or_nothing(wire: PublishWire, bus: EventBus) -> None:
    (await post(wire, b"[" + ONE + b',{"topic":"t","type":"gap","data":1}]')).problem(422, "1.type")
    assert bus.head == 0


# Idempotency keys


def keyed(key: str) -> bytes:
    return ONE[:-1] + f',"key":"{key}"}}'.encode()


async def test_a_repeated_key_is_200_with_the_first_id(wire: PublishWire, bus: EventBus) -> None:
    assert (await post(wire, keyed("k"))).status == 201
    again = await post(wire, keyed("k"))
    assert (again.status, again.json(), bus.head) == (200, {"id": bus.cursor(1)}, 1)


async def test_a_repeat_within_one_request_counts_and_something_new_is_201(wire: PublishWire, bus: EventBus) -> None:
    answer = await post(wire, b"[" + keyed("k") + b"," + keyed("k") + b"]")
    assert (answer.status, answer.json()) == (201, {"ids": [bus.cursor(1), bus.cursor(1)]})
    mixed = await post(wire, b"[" + keyed("k") + b"," + ONE + b"]")
    assert (mixed.status, mixed.json()) == (201, {"ids": [bus.cursor(1), bus.cursor(2)]})
    assert (await post(wire, b"[" + keyed("k") + b"," + keyed("k") + b"]")).status == 200


@pytest.mark.parametrize("header", ["k", '"k"', " k "])
async def test_the_header_is_the_key_of_a_single_publish(wire: PublishWire, bus: EventBus, header: str) -> None:
    await post(wire, keyed("k"))
    assert (await post(wire, idempotency_key=header)).status == 200
    assert (await post(wire, b"[" + ONE + b"]", idempotency_key=header)).status == 201, "not of an array"


@pytest.mark.parametrize(
    ("key", "header"),
    [
        ("voilà", "voilà".encode()),
        ("voilà", '"voilà"'.encode()),
        ("voilà", "voilà".encode("latin-1")),
        (r"a\"b", b'"a\\"b"'),
        (r"a\\b", b'"a\\\\b"'),
        (r"a\\b", rb"a\b"),
    ],
)
async def test_a_key_is_the_same_text_in_the_header_and_in_a_body(wire: PublishWire, key: str, header: bytes) -> None:
    """A publisher that tries again another way would have published twice."""
    await post(wire, keyed(key))
    assert (await post(wire, idempotency_key=header.decode("latin-1"))).status == 200


async def test_a_key_in_the_body_beats_the_header(wire: PublishWire, bus: EventBus) -> None:
    await post(wire, keyed("body"), idempotency_key="header")
    assert (await post(wire, keyed("body"))).status == 200
    assert (await post(wire, keyed("header"))).status == 201


@pytest.mark.parametrize("header", ["", '""', "k" * 129, "a\x80b"])
async def test_a_header_that_is_no_key_is_422(wire: PublishWire, bus: EventBus, header: str) -> None:
    (await post(wire, idempotency_key=header)).problem(422, "Idempotency-Key")
    assert bus.head == 0


# Traces

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def traces(bus: EventBus) -> list[str | None]:
    return [event.traceparent for event in (await bus._log.read(TopicFilter.all(), 0, 100, 1 << 20)).events]


async def test_every_event_of_a_request_carries_its_trace(wire: PublishWire, bus: EventBus) -> None:
    assert (await post(wire, b"[" + ONE + b"," + ONE + b"]", traceparent=TRACE)).status == 201
    assert (await post(wire)).status == 201
    assert await traces(bus) == [TRACE, TRACE, None]


async def test_a_trace_that_is_not_valid_or_comes_twice_is_none(wire: PublishWire, bus: EventBus) -> None:
    assert (await post(wire, traceparent=TRACE.upper())).status == 201
    scope = http_scope("POST", "/api/events", "", {"Content-Type": "application/json"})
    scope["headers"] += 2 * [(b"traceparent", TRACE.encode())]
    assert (await Exchange(wire, scope, ONE).answer()).status == 201
    assert await traces(bus) == [None, None]


# Refusals


async def test_what_can_be_wrong_with_a_body(wire: PublishWire, bus: EventBus) -> None:
    (await post(wire, b"{")).problem(400)
    (await post(wire, b"\xff")).problem(400)
    (await post(wire, b"[]")).problem(422)
    (await post(wire, content_type="text/plain")).problem(415, "Content-Type")
    problem = (await post(wire, ONE + b"\n{}", content_type=NDJSON)).problem(422, "topic")
    assert problem["line"] == 2
    (await post(wire, b'{"topic":"t","type":"x","data":"%s"}' % (b"a" * 1024))).problem(413, "data")
    assert bus.head == 0


async def feed(wire: PublishWire, messages: list[dict[str, Any]], headers: dict[str, str]) -> list[dict[str, Any]]:
    """Call with these messages; receiving beyond them fails."""
    sent: list[dict[str, Any]] = []
    inbox = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(inbox)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await wire(http_scope("POST", "/api/events", "", headers), receive, send)
    return sent


async def test_a_declared_length_beyond_the_bound_is_refused_unread(wire: PublishWire) -> None:
    sent = await feed(wire, [], {"Content-Length": str(REQUEST_MAX + 1)})
    assert (sent[0]["status"], (b"connection", b"close") in sent[0]["headers"]) == (413, True)


@pytest.mark.parametrize("more", [True, False])
async def test_a_body_that_grows_beyond_the_bound_is_refused_at_once(wire: PublishWire, more: bool) -> None:
    half = {"type": "http.request", "body": b" " * (REQUEST_MAX // 2), "more_body": True}
    last = {"type": "http.request", "body": b" ", "more_body": more}
    sent = await feed(wire, [half, half, last], {})
    assert sent[0]["status"] == 413
    whole = {"type": "http.request", "body": b" " * (REQUEST_MAX + 1), "more_body": False}
    assert (await feed(wire, [whole], {}))[0]["status"] == 413


async def test_the_operators_bound_of_a_body_holds_declared_and_in_chunks(bus: EventBus) -> None:
    wire = House.of(bus, ManualClock(), body_max=5_000).publish()
    (await post(wire, ONE + b" " * (5_001 - len(ONE)))).problem(413)
    sent = await feed(wire, [], {"Content-Length": "5001"})
    assert sent[0]["status"] == 413
    half = {"type": "http.request", "body": b" " * 2_500, "more_body": True}
    assert (await feed(wire, [half, half, {"type": "http.request", "body": b" ", "more_body": True}], {}))[0][
        "status"
    ] == 413
    assert bus.head == 0
    assert (await post(wire, ONE + b" " * (5_000 - len(ONE)), content_type=NDJSON)).status == 201


# How much one may publish


def limited(bus: EventBus, clock: ManualClock) -> House:
    rates = Rates(publishes=Rate(20, 20), topics=Rate(1, 3))
    return House.of(bus, clock, spending=Spending(clock, Rates(), rates))


async def test_a_burst_is_published_and_one_more_is_429_with_a_time(bus: EventBus, clock: ManualClock) -> None:
    house = limited(bus, clock)
    wire = house.publish()
    for _ in range(20):
        assert (await post(wire)).status == 201
    refused = await post(wire)
    refused.problem(429)
    assert refused.headers["retry-after"] == "1"
    assert (bus.head, house.gate.refused) == (20, {(Act.CHANGE, "rate"): 1})
    clock.advance(0.05)
    assert (await post(wire)).status == 201
    (await post(wire)).problem(429)


async def test_a_batch_is_all_or_nothing_and_nothing_is_spent_for_what_is_refused(
    bus: EventBus, clock: ManualClock
) -> None:
    wire = limited(bus, clock).publish()
    assert (await post(wire, b"[" + b",".join([ONE] * 15) + b"]")).status == 201
    (await post(wire, b"[" + b",".join([ONE] * 6) + b"]")).problem(429)
    new = b",".join(ONE.replace(b'"t"', b'"new/%d"' % n) for n in range(3))
    (await post(wire, b"[" + new + b"]")).problem(429, "topic")
    (await post(wire, b"[" + b",".join([ONE] * 21) + b"]")).problem(413)
    (await post(wire, b"[" + ONE + b",1]")).problem(422, "1")
    assert bus.head == 15
    assert (await post(wire, b"[" + b",".join([ONE] * 5) + b"]")).status == 201
    (await post(wire)).problem(429)


async def test_what_the_log_refuses_is_given_back(clock: ManualClock) -> None:
    log = FailingLog(StorageFullError("full"))
    wire = limited(memory_bus(log=log), clock).publish()
    for _ in range(30):
        (await post(wire)).problem(503)


async def test_where_nothing_is_counted_nothing_is_asked(house: House, bus: EventBus) -> None:
    """Ten thousand new topics in one request from one address."""
    assert house.gate.spending is None
    body = b"\n".join(ONE.replace(b'"t"', b'"new/%d"' % n) for n in range(BATCH_MAX))
    assert (await post(house.publish(), body, content_type=NDJSON)).status == 201
    assert bus.head == BATCH_MAX


async def test_a_client_that_leaves_in_mid_body_publishes_nothing(wire: PublishWire, bus: EventBus) -> None:
    part = {"type": "http.request", "body": ONE, "more_body": True}
    assert await feed(wire, [part, {"type": "http.disconnect"}], {}) == []
    assert bus.head == 0


async def test_pages_of_other_origins_may_not_publish(wire: PublishWire, bus: EventBus) -> None:
    (await post(wire, origin="https://evil.example", host="twinwire.example")).problem(403, "Origin")
    (await post(wire, origin="null", host="twinwire.example")).problem(403, "Origin")
    assert bus.head == 0
    assert (await post(wire, origin="https://twinwire.example", host="twinwire.example")).status == 201
    allowed = await post(wire, origin="https://app.example", host="twinwire.example")
    assert (allowed.status, allowed.headers["access-control-allow-origin"]) == (201, "https://app.example")


async def test_draining_is_503_with_a_time_to_come_back(wire: PublishWire, house: House, bus: EventBus) -> None:
    house.drain.begin()
    answer = await post(wire)
    answer.problem(503)
    assert int(answer.headers["retry-after"]) > 0
    assert bus.head == 0


class FailingLog(MemoryEventLog):
    def __init__(self, error: Exception) -> None:
        super().__init__(ManualClock())
        self._error = error

    async def append(self, drafts: Sequence[Draft], *rest: Any) -> Receipt:
        raise self._error


@pytest.mark.parametrize(
    ("error", "status", "again"),
    [(StorageFullError("full"), 503, True), (OverloadedError("busy"), 503, True), (StorageError("broken"), 500, False)],
)
async def test_a_failing_log_is_a_problem_with_its_status(error: Exception, status: int, again: bool) -> None:
    answer = await post(wire_of(memory_bus(log=FailingLog(error))))
    answer.problem(status)
    assert ("retry-after" in answer.headers) is again


async def test_a_client_that_leaves_while_it_commits_does_not_undo_it(wire: PublishWire, bus: EventBus) -> None:
    publishing = asyncio.create_task(post(wire))
    while not bus._log._waiting:  # type: ignore[attr-defined]  # the append is under way, not yet committed
        await asyncio.sleep(0)
    publishing.cancel()
    await asyncio.wait([publishing])
    await bus.reach(1)
    assert bus.head == 1


async def test_a_fault_of_a_rule_is_a_problem_and_nothing_of_the_batch_is_stored(house: House) -> None:
    def rules(topic: str, type: str) -> Rule:
        def check(data: str) -> None:
            if data == "2":
                raise KeyError("a fault of ours")

        return check

    wire = house.publish(rules=rules)
    two = ONE.replace(b":1}", b":2}")
    (await post(wire, b"[" + ONE + b"," + two + b"]")).problem(500)
    assert house.bus.head == 0
    assert (await post(wire)).status == 201


@pytest.mark.parametrize("topic", ["twinwire/x", "mercure", "mercure/x", "streams/x"])
async def test_reserved_topics_are_refused_with_all_of_their_batch(
    wire: PublishWire, bus: EventBus, topic: str
) -> None:
    bad = ONE.replace(b'"t"', f'"{topic}"'.encode())
    (await post(wire, bad)).problem(403, "topic")
    (await post(wire, b"[" + ONE + b"," + bad + b"]")).problem(403, "1.topic")
    refused = await post(wire, ONE + b"\n" + bad, Content_Type=NDJSON)
    assert refused.problem(403, "topic")["line"] == 2
    assert bus.head == 0


async def test_a_body_that_does_not_get_on_is_408_and_the_end_of_the_connection(bus: EventBus) -> None:
    wire = House.of(bus, ManualClock(), send_timeout=0.01).publish()
    inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    inbox.put_nowait({"type": "http.request", "body": ONE, "more_body": True})
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await wire(http_scope("POST", "/api/events", "", {}), inbox.get, send)
    assert (sent[0]["status"], (b"connection", b"close") in sent[0]["headers"]) == (408, True)
    assert (bus.head, wire._bodies.budget.held) == (0, 0)


async def test_bodies_beyond_the_budget_are_503_until_it_is_given_back(wire: PublishWire, bus: EventBus) -> None:
    wire._bodies.budget.held = wire._bodies.budget.total
    answer = await post(wire)
    answer.problem(503)
    assert (int(answer.headers["retry-after"]) > 0, answer.headers["connection"]) == (True, "close")
    wire._bodies.budget.held = 0
    assert (await post(wire)).status == 201
    assert wire._bodies.budget.held == 0
