"""The Server-Sent Events wire on ASGI: what a stream looks like, and what is refused before it begins."""

import asyncio

from service.access.gate import Act
from service.bus.bus import EventBus
from service.core.errors import RateLimitedError
from service.core.topics import TopicFilter
from service.log.base import Page, Turn
from tests.support.clock import ManualClock
from tests.support.memorylog import MemoryEventLog
from tests.support.stream_fixtures import House
from tests.support.wires import Exchange, call, drafts, http_scope, memory_bus, until


def stream(house: House, query: str = "topic=t", headers: dict[str, str] | None = None) -> Exchange:
    return Exchange(house.sse(), http_scope("GET", "/api/sse", query, headers or {}))


async def test_a_stream_opens_catches_up_and_follows(house: House) -> None:
    await house.bus.publish(drafts(2))
    exchange = stream(house, "topic=t&after=earliest")
    body = await exchange.body_holds(b"caught_up")
    assert body.startswith(b": twinwire\nid: ")
    assert body.index(b"event: connection") < body.index(b"event: x") < body.index(b"event: caught_up")
    head = exchange.messages[0]
    assert (head["status"], dict(head["headers"])[b"content-type"]) == (200, b"text/event-stream")
    assert dict(head["headers"])[b"x-accel-buffering"] == b"no"
    await house.bus.publish(drafts(1))
    await exchange.body_holds(b"id: memory-3")
    assert house.gate.places == 1
    exchange.disconnect()
    await until(lambda: exchange.task.done())
    assert house.gate.places == 0
    assert len(house.hub) == 0


async def test_unnamed_frames_have_no_event_line(house: House) -> None:
    exchange = stream(house, "topic=t&named=0")
    assert b"event:" not in await exchange.body_holds(b"caught_up")
    exchange.disconnect()


async def test_head_says_what_get_would_and_opens_nothing(house: House) -> None:
    answer = await call(house.sse(), "HEAD", "/api/sse", "topic=t")
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"", "text/event-stream")
    assert (house.gate.places, house.hub.opened.total()) == (0, 0)


async def test_what_is_wrong_is_told_before_the_stream(house: House) -> None:
    wire = house.sse()
    (await call(wire, "GET", "/api/sse", "topic=a//b")).problem(422, "topic")
    (await call(wire, "GET", "/api/sse", "named=perhaps")).problem(422, "named")
    house.drain.begin()
    refused = await call(wire, "GET", "/api/sse", "topic=t")
    refused.problem(503)
    assert int(refused.headers["retry-after"]) > 0


async def test_who_finds_no_place_keeps_no_connection(bus: EventBus, clock: ManualClock) -> None:
    """It would be one for which there may soon be no descriptor."""
    house = House.of(bus, clock, max_places=1)
    wire = house.sse()
    exchange = stream(house)
    await exchange.body_holds(b"caught_up")
    refused = await call(wire, "GET", "/api/sse", "topic=t")
    refused.problem(503)
    assert refused.headers["connection"] == "close"
    assert "connection" not in (await call(wire, "GET", "/api/sse", "topic=a//b")).headers
    exchange.disconnect()
    await until(lambda: exchange.task.done())


async def test_a_storm_does_not_pass_the_bound_while_the_log_is_slow(clock: ManualClock) -> None:
    """All of them come before the first has found its place in the log."""
    answers = asyncio.Event()

    class Slow(MemoryEventLog):
        async def read(
            self, topics: TopicFilter, after: int, limit: int, max_bytes: int, *, is_short: bool = False
        ) -> Page:
            await answers.wait()
            return await super().read(topics, after, limit, max_bytes)

    house = House.of(memory_bus(log=Slow(clock), tail_events=1), clock, max_places=2)
    await house.bus.publish(drafts(3))
    storm = [stream(house, "topic=t&after=earliest") for _ in range(5)]
    await until(lambda: all(exchange.messages for exchange in storm))
    answers.set()
    assert [exchange.messages[0]["status"] for exchange in storm] == [200, 200, 503, 503, 503]
    assert house.gate.refused == {(Act.STREAM, "full"): 3}
    for exchange in storm[:2]:
        await exchange.body_holds(b"caught_up")
        exchange.disconnect()
    await until(lambda: all(exchange.task.done() for exchange in storm))
    assert house.gate.places == 0


async def test_a_filter_that_takes_too_long_is_told_in_the_stream(clock: ManualClock) -> None:
    class Covered(MemoryEventLog):
        async def learn(self, topics: TopicFilter, turn: Turn) -> None:
            raise RateLimitedError("that was not all", field="topic")

    house = House.of(memory_bus(log=Covered(clock)), clock)
    exchange = stream(house, "topic=*")
    await until(lambda: exchange.task.done())
    assert exchange.messages[0]["status"] == 200
    assert b"event: goodbye" in exchange.body
    assert b'"reason":"limit"' in exchange.body
    assert b"retry: 1000" in exchange.body
    assert house.gate.places == 0
    (await call(house.poll(), "GET", "/api/events", "topic=*")).problem(429, "topic")


async def test_an_allowed_page_may_read_it(house: House) -> None:
    answer = await call(house.sse(), "HEAD", "/api/sse", "topic=t", {"Origin": "https://app.example"})
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    foreign = await call(house.sse(), "HEAD", "/api/sse", "topic=t", {"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in foreign.headers


async def test_a_restart_says_goodbye_and_ends_the_body(house: House) -> None:
    exchange = stream(house)
    await exchange.body_holds(b"caught_up")
    await house.hub.drain(10)
    await until(lambda: exchange.task.done())
    assert b"event: goodbye" in exchange.body
    assert exchange.messages[-1]["more_body"] is False
