"""docs/protocol.md, section 4: long polling and history on `/api/events`."""

import asyncio
import contextlib
from typing import Any

import pytest

from service.access.reads import SCANS, Reads
from service.access.shares import Most
from service.bus.bus import EventBus
from service.bus.fanout import SLICE
from service.core.limits import PAGE_DEFAULT, PAGE_MAX
from service.core.topics import TopicFilter
from service.log.base import Page, Search, Turn
from service.wire.answers import ANSWER_BYTES, PIECE_BYTES
from service.wire.poll import PollWire, Waiter
from service.wire.scanning import FREE_STEPS
from tests.support.clock import ManualClock
from tests.support.memorylog import MemoryEventLog
from tests.support.stream_fixtures import House
from tests.support.turns import counted_turns
from tests.support.wires import Answer, Exchange, call, drafts, http_scope, memory_bus, until

T = TopicFilter(("t",))


@pytest.fixture
async def wire(bus: EventBus, house: House) -> PollWire:
    return house.poll()


async def get(wire: PollWire, query: str = "", **headers: str) -> Any:
    answer = await call(wire, "GET", "/api/events", query, {k.replace("_", "-"): v for k, v in headers.items()})
    assert answer.status == 200, answer.body
    return answer.json()


async def parked(wire: PollWire, bus: EventBus, query: str) -> Exchange:
    """A poll that waits."""
    before = bus.subscriptions()["poll"]
    exchange = Exchange(wire, http_scope("GET", "/api/events", query))
    await until(lambda: bus.subscriptions()["poll"] > before or exchange.task.done())
    assert not exchange.task.done(), exchange.body
    return exchange


def ids(answer: dict[str, Any]) -> list[int]:
    return [int(event["id"].partition("-")[2]) for event in answer["events"]]


# Answers at once


async def test_without_a_start_it_starts_from_now(wire: PollWire, bus: EventBus) -> None:
    await bus.publish(drafts(3))
    answer = await get(wire)
    assert answer == {
        "events": [],
        "cursor": bus.cursor(3),
        "head": bus.cursor(3),
        "floor": None,
        "more": False,
        "gap": None,
    }


async def test_what_is_after_the_cursor_comes_at_once_also_with_a_wait(wire: PollWire, bus: EventBus) -> None:
    await bus.publish([*drafts(2), *drafts(1, "u"), *drafts(1)])
    answer = await get(wire, f"topic=t&after={bus.cursor(1)}&wait=60")
    assert (ids(answer), answer["cursor"], answer["more"]) == ([2, 4], bus.cursor(4), False)


@pytest.mark.parametrize("name", ["after", "lastEventID", "last_event_id", "lastEventId"])
async def test_the_cursor_has_many_names_and_the_header_beats_them(wire: PollWire, bus: EventBus, name: str) -> None:
    await bus.publish(drafts(3))
    assert ids(await get(wire, f"{name}={bus.cursor(1)}")) == [2, 3]
    assert ids(await get(wire, f"{name}={bus.cursor(1)}", last_event_id=bus.cursor(2))) == [3]


async def test_the_first_of_two_cursors_counts_and_an_empty_one_is_none(wire: PollWire, bus: EventBus) -> None:
    await bus.publish(drafts(3))
    assert ids(await get(wire, f"after={bus.cursor(1)}&after={bus.cursor(2)}")) == [2, 3]
    assert ids(await get(wire, f"after=&lastEventID={bus.cursor(2)}")) == [3]


async def test_a_limit_pages_through_with_more(wire: PollWire, bus: EventBus) -> None:
    await bus.publish(drafts(5))
    answer = await get(wire, "after=earliest&limit=2")
    seen = ids(answer)
    while answer["more"]:
        answer = await get(wire, f"after={answer['cursor']}&limit=2")
        seen += ids(answer)
    assert seen == [1, 2, 3, 4, 5]
    exact = await get(wire, "after=earliest&limit=5")
    assert (len(exact["events"]), exact["more"]) == (5, False)


async def test_the_default_limit_and_the_cap(wire: PollWire, bus: EventBus) -> None:
    await bus.publish(drafts(PAGE_MAX + 1))
    assert len((await get(wire, "after=earliest"))["events"]) == PAGE_DEFAULT
    for limit in (PAGE_MAX, PAGE_MAX + 1, 10**17):
        answer = await get(wire, f"after=earliest&limit={limit}")
        assert (len(answer["events"]), answer["more"]) == (PAGE_MAX, True)


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_an_answer_is_bounded_by_bytes_too(wire: PollWire, bus: EventBus, order: str) -> None:
    data = '"' + "a" * (ANSWER_BYTES // 4) + '"'
    await bus.publish([*drafts(1, data='"' + "a" * ANSWER_BYTES * 2 + '"'), *drafts(7, data=data)])
    answer = await get(wire, f"after=earliest&order={order}")
    seen, rounds = ids(answer), 1
    while answer["more"]:
        query = f"after={answer['cursor']}" if order == "asc" else f"before={answer['cursor']}"
        answer = await get(wire, query)
        assert len(answer["events"]) <= 4
        seen += ids(answer)
        rounds += 1
    assert seen == (list(range(1, 9)) if order == "asc" else list(range(8, 0, -1)))
    assert rounds == (3 if order == "asc" else 2), "the event that reaches the bound is the last one"


async def test_history_backwards(wire: PollWire, bus: EventBus) -> None:
    await bus.publish(drafts(5))
    newest = await get(wire, "order=desc&limit=2")
    assert (ids(newest), newest["more"]) == ([5, 4], True)
    assert ids(await get(wire, f"before={newest['cursor']}")) == [3, 2, 1]
    assert ids(await get(wire, f"after={bus.cursor(1)}&before={bus.cursor(4)}")) == [2, 3]
    assert ids(await get(wire, f"after={bus.cursor(1)}&before={bus.cursor(4)}&order=desc")) == [3, 2]
    assert ids(await get(wire, "before=latest")) == [5, 4, 3, 2, 1]
    assert ids(await get(wire, "before=earliest")) == []


async def test_a_type_filters_and_the_cursor_moves_past_what_it_left_out(wire: PollWire, bus: EventBus) -> None:
    await bus.publish([*drafts(2, type="a"), *drafts(2, type="b")])
    answer = await get(wire, "after=earliest&type=a")
    assert (ids(answer), answer["cursor"]) == ([1, 2], bus.cursor(4))


@pytest.mark.parametrize(
    ("reason", "start"),
    [("malformed", "%25%25"), ("ahead", "memory-99"), ("epoch", "other-1"), ("trimmed", "memory-1")],
)
async def test_a_gap_is_said_at_once_and_never_an_error(wire: PollWire, bus: EventBus, reason: str, start: str) -> None:
    await bus.publish(drafts(5))
    await bus.trim(T, 2)
    answer = await get(wire, f"topic=t&after={start}&wait=60")
    assert answer["gap"]["reason"] == reason
    assert set(answer["gap"]) == {"requested", "reason", "id", "floor"}
    assert ids(answer) == ([4, 5] if reason in ("trimmed", "epoch") else [])
    assert answer["cursor"] == bus.cursor(5)


# Errors name their parameter


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("topic=a//b", "topic"),
        ("topic=", "topic"),
        ("topic=**/a", "topic"),
        ("&".join(f"topic=t{n}" for n in range(101)), "topic"),
        ("wait=61", "wait"),
        ("wait=-1", "wait"),
        ("wait=abc", "wait"),
        ("wait=nan", "wait"),
        ("wait=", "wait"),
        ("wait=1e1", "wait"),
        ("limit=0", "limit"),
        ("limit=-5", "limit"),
        ("limit=x", "limit"),
        ("limit=1.5", "limit"),
        ("order=up", "order"),
        ("before=zzz", "before"),
        ("type=a%20b", "type"),
        ("type=heartbeat", "type"),
        ("type=", "type"),
        ("from=yesterday", "from"),
        ("from=2026-13-01T00:00:00Z", "from"),
        ("from=2026-01-01", "from"),
        ("to=2026-01-01T00:00:00", "to"),
        ("to=0001-01-01T00:00:00%2B14:00", "to"),
        ("from=9999-12-31T23:59:59-14:00", "from"),
    ],
)
async def test_a_wrong_parameter_is_422_and_named(wire: PollWire, query: str, field: str) -> None:
    (await call(wire, "GET", "/api/events", query)).problem(422, field)


async def test_more_parameters_than_anyone_needs_are_422(wire: PollWire) -> None:
    (await call(wire, "GET", "/api/events", "&".join(["a=1"] * 501))).problem(422)


@pytest.mark.parametrize(
    "time", ["2026-11-23T05:50:09.123Z", "2026-11-23t05:50:09z", "2026-11-23T05:50:09+01:00", "2026-11-23%2005:50:09Z"]
)
async def test_times_are_rfc_3339(wire: PollWire, bus: EventBus, time: str) -> None:
    await bus.publish(drafts(1))  # the log's clock stands in January 2027
    assert ids(await get(wire, f"after=earliest&from={time}")) == [1]
    assert ids(await get(wire, f"after=earliest&to={time}")) == []


async def test_head_has_the_headers_of_get_and_never_waits(wire: PollWire, bus: EventBus) -> None:
    get_answer = await call(wire, "GET", "/api/events", "after=latest")
    head = await call(wire, "HEAD", "/api/events", "after=latest&wait=60")
    assert (head.status, head.body, head.headers) == (200, b"", get_answer.headers)
    assert head.headers["cache-control"] == "no-store"


async def test_pages_of_an_allowed_origin_may_read_the_answer(wire: PollWire) -> None:
    answer = await call(wire, "GET", "/api/events", "", {"Origin": "https://app.example"})
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    answer = await call(wire, "GET", "/api/events", "", {"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in answer.headers


# Waiting


async def test_a_waiting_poll_is_woken_by_a_match_only(wire: PollWire, bus: EventBus) -> None:
    exchange = await parked(wire, bus, "topic=t&wait=60")
    await bus.publish(drafts(5, "other"))
    await asyncio.sleep(0)
    assert not exchange.task.done()
    await bus.publish(drafts(2))
    answer = (await exchange.answer()).json()
    assert (ids(answer), answer["cursor"]) == ([6, 7], bus.cursor(7))


async def test_a_match_of_another_type_does_not_end_the_wait(wire: PollWire, bus: EventBus) -> None:
    exchange = await parked(wire, bus, "topic=t&type=wanted&wait=60")
    for _ in range(3):
        await bus.publish(drafts(1, type="other"))
        await until(lambda: bus.subscriptions()["poll"] == 1)
    assert not exchange.task.done()
    await bus.publish(drafts(1, type="wanted"))
    assert ids((await exchange.answer()).json()) == [4]


async def test_a_wait_that_ends_without_a_match_says_how_far_it_looked(wire: PollWire, bus: EventBus) -> None:
    answer = await get(wire, "topic=t&wait=0.01")
    assert (answer["events"], answer["cursor"]) == ([], bus.cursor(0))


async def test_a_client_that_leaves_frees_its_place(wire: PollWire, bus: EventBus) -> None:
    exchange = await parked(wire, bus, "topic=t&wait=60")
    exchange.disconnect()
    await asyncio.wait_for(exchange.task, 10)
    assert exchange.messages == []
    assert bus.subscriptions()["poll"] == 0


@pytest.mark.parametrize("how", ["woken", "left", "sent away"])
async def test_a_crowd_that_is_done_at_once_holds_no_step_of_the_loop(
    wire: PollWire, bus: EventBus, house: House, how: str
) -> None:
    tasks = len(asyncio.all_tasks())
    crowd = [Exchange(wire, http_scope("GET", "/api/events", "topic=t&wait=60")) for _ in range(600)]
    await until(lambda: bus.subscriptions()["poll"] == len(crowd))
    assert len(asyncio.all_tasks()) == tasks + len(crowd), "one task each, the request's own"
    if how == "woken":
        await bus.publish(drafts(1))
    elif how == "left":
        for exchange in crowd:
            exchange.disconnect()
    else:
        house.drain.begin(len(crowd))
    done = most = 0
    while done < len(crowd):
        await asyncio.sleep(0)
        before, done = done, sum(exchange.task.done() for exchange in crowd)
        most = max(most, done - before)
    assert how == "left" or most <= SLICE, "answers in one step; who has left gets none"
    assert bus.subscriptions()["poll"] == house.gate.places == 0
    if how == "woken":
        assert all([ids((await exchange.answer()).json()) == [1] for exchange in crowd])


async def test_a_cancelled_poll_frees_its_place_and_its_tasks(wire: PollWire, bus: EventBus) -> None:
    before = asyncio.all_tasks()
    exchange = await parked(wire, bus, "topic=t&wait=60")
    exchange.task.cancel()
    await asyncio.wait([exchange.task])
    assert exchange.task.cancelled()
    await until(lambda: asyncio.all_tasks() == before)
    assert bus.subscriptions()["poll"] == 0


async def test_draining_answers_everyone_who_waits(wire: PollWire, bus: EventBus, house: House) -> None:
    exchanges = [await parked(wire, bus, "wait=60") for _ in range(5)]
    house.drain.begin()
    answers: list[Answer] = [await exchange.answer() for exchange in exchanges]
    assert [answer.status for answer in answers] == [200] * 5
    assert (await get(wire, "wait=60"))["events"] == [], "nor does a new one wait"


async def test_a_poll_that_was_still_looking_when_draining_began_is_answered_too(clock: ManualClock) -> None:
    class Slow(MemoryEventLog):
        async def search(self, search: Search, turn: Turn | None = None) -> Page:
            page = await super().search(search, turn)
            house.drain.begin()
            return page

    house = House.of(memory_bus(log=Slow(clock)), clock)
    assert (await get(house.poll(), "wait=60"))["events"] == []
    assert not house.gate.refused


async def test_retention_while_waiting_does_not_wake_and_is_no_gap(wire: PollWire, bus: EventBus) -> None:
    await bus.publish(drafts(5))
    exchange = await parked(wire, bus, f"topic=t&after={bus.cursor(5)}&wait=60")
    await bus.trim(T, 0)
    await asyncio.sleep(0)
    assert not exchange.task.done()
    await bus.publish(drafts(1))
    answer = (await exchange.answer()).json()
    assert (ids(answer), answer["gap"]) == ([6], None)


async def test_what_comes_and_is_trimmed_before_it_was_read_is_a_gap(wire: PollWire, bus: EventBus) -> None:
    exchange = await parked(wire, bus, "topic=t&wait=60")
    publishing = asyncio.ensure_future(bus.publish(drafts(3)))
    await until(lambda: bus.head == 3)
    await bus.trim(T, 1)  # before the woken poll had its turn
    await publishing
    answer = (await exchange.answer()).json()
    assert answer["gap"] == {
        "requested": bus.cursor(0),
        "reason": "trimmed",
        "id": bus.cursor(2),
        "floor": bus.cursor(2),
    }
    assert ids(answer) == [3]


@pytest.mark.parametrize("query", ["to=2000-01-01T00:00:00Z", "topic=t&to=2000-01-01T00:00:00Z", "before=latest"])
async def test_a_range_that_can_never_match_is_answered_and_does_not_hold_the_loop(
    wire: PollWire, bus: EventBus, query: str
) -> None:
    await bus.publish(drafts(5))
    async with counted_turns() as turns:
        exchange = Exchange(wire, http_scope("GET", "/api/events", f"after=earliest&wait=60&{query}"))
        answer = await exchange.answer()
    assert answer.status == 200
    assert turns.count < 1_000, "it did not wait for anything"


async def test_waiting_from_a_time_to_come(wire: PollWire, bus: EventBus) -> None:
    await bus.publish(drafts(2))
    exchange = await parked(wire, bus, "topic=t&after=earliest&from=2027-06-01T00:00:00Z&wait=60")
    exchange.disconnect()
    await asyncio.wait_for(exchange.task, 10)


async def test_a_poll_holds_a_place_while_it_waits_and_no_longer(bus: EventBus, clock: ManualClock) -> None:
    house = House.of(bus, clock, max_places=1)
    wire = house.poll()
    exchange = await parked(wire, bus, "topic=t&wait=60")
    assert house.gate.places == 1
    refused = await call(wire, "GET", "/api/events", "topic=t&wait=60")
    refused.problem(503)
    assert int(refused.headers["retry-after"]) > 0
    assert refused.headers["connection"] == "close"
    assert (await get(wire, "topic=t"))["events"] == [], "who does not wait needs no place"
    await bus.publish(drafts(1))
    assert (await exchange.answer()).status == 200
    assert house.gate.places == 0


async def test_waiting_polls_have_a_bound_in_all_and_for_one_caller(bus: EventBus, clock: ManualClock) -> None:
    for most, status in ((Most(polls=1), 503), (Most(caller_polls=1), 429), (Most(address_streams=1), 429)):
        house = House.of(bus, clock, most=most)
        wire = house.poll()
        exchange = await parked(wire, bus, "topic=t&wait=60")
        refused = await call(wire, "GET", "/api/events", "topic=t&wait=60")
        refused.problem(status)
        assert int(refused.headers["retry-after"]) > 0
        exchange.disconnect()
        await until(exchange.task.done)
        again = await parked(wire, bus, "topic=t&wait=60")
        again.disconnect()
        await until(again.task.done)
        assert (house.gate.places, house.gate.shares.polls) == (0, 0)


# Searches that go on


class Endless(MemoryEventLog):
    """A search takes steps until its caller leaves; `steps` counts them."""

    steps = 0

    async def search(self, search: Search, turn: Turn | None = None) -> Page:
        assert turn is not None
        while True:
            await turn()
            self.steps += 1
            await asyncio.sleep(0)


async def test_a_search_ends_with_its_caller(clock: ManualClock) -> None:
    log = Endless(clock)
    wire = House.of(memory_bus(log=log), clock).poll()
    exchange = Exchange(wire, http_scope("GET", "/api/events", "type=never&after=earliest"))
    await until(lambda: log.steps > 3 * FREE_STEPS)
    assert wire._answers.scans.reads.scans == 1
    exchange.disconnect()
    await until(exchange.task.done)
    assert (exchange.messages, wire._answers.scans.reads.scans) == ([], 0)


async def test_one_caller_has_so_many_long_searches(clock: ManualClock) -> None:
    wire = House.of(memory_bus(log=Endless(clock)), clock, reads=Reads(of_caller=1)).poll()
    going_on = Exchange(wire, http_scope("GET", "/api/events", "type=never"))
    await until(lambda: wire._answers.scans.reads.scans == 1)
    refused = await call(wire, "GET", "/api/events", "type=never")
    refused.problem(429)
    assert refused.headers["retry-after"] == "1"
    going_on.disconnect()
    await until(going_on.task.done)
    assert wire._answers.scans.reads.scans == 0


async def test_only_so_many_searches_go_on_at_a_time(clock: ManualClock) -> None:
    wire = House.of(memory_bus(log=Endless(clock)), clock).poll()
    going_on = [Exchange(wire, http_scope("GET", "/api/events", "type=never")) for _ in range(SCANS)]
    await until(lambda: wire._answers.scans.reads.scans == SCANS)
    refused = await call(wire, "GET", "/api/events", "type=never")
    refused.problem(503)
    assert refused.headers["retry-after"] == "1"
    for exchange in going_on:
        exchange.disconnect()
    await until(lambda: wire._answers.scans.reads.scans == 0)


# Answers


async def test_an_answer_goes_out_in_pieces_and_counts_until_it_is_taken(wire: PollWire, bus: EventBus) -> None:
    await bus.publish(drafts(3, data='"' + "a" * PIECE_BYTES + '"'))
    exchange = Exchange(wire, http_scope("GET", "/api/events", "after=earliest"))
    answer = await exchange.answer()
    assert len(answer.json()["events"]) == 3
    assert int(answer.headers["content-length"]) == len(answer.body)
    pieces = [len(message["body"]) for message in exchange.messages[1:]]
    assert max(pieces) == PIECE_BYTES
    assert sum(pieces) == len(answer.body)
    assert wire._answers.budget.held == 0


async def test_a_caller_that_takes_no_piece_in_time_gets_no_more(bus: EventBus, clock: ManualClock) -> None:
    wire = House.of(bus, clock, send_timeout=0.01).poll()
    await bus.publish(drafts(3, data='"' + "a" * PIECE_BYTES + '"'))
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)
        if len(sent) == 3:
            assert wire._answers.budget.held > 3 * PIECE_BYTES
            await asyncio.Event().wait()

    await wire(http_scope("GET", "/api/events", "after=earliest"), asyncio.Queue[dict[str, Any]]().get, send)
    assert (len(sent), wire._answers.budget.held) == (3, 0)


async def test_answers_beyond_what_all_may_hold_are_503(wire: PollWire, bus: EventBus) -> None:
    await bus.publish(drafts(3, data='"' + "a" * PIECE_BYTES + '"'))
    wire._answers.budget.held = wire._answers.budget.total
    (await call(wire, "GET", "/api/events", "after=earliest")).problem(503)
    wire._answers.budget.held = 0
    assert (await call(wire, "GET", "/api/events", "after=earliest")).status == 200


async def test_a_full_page_leaves_no_cursor_below_a_floor(wire: PollWire, bus: EventBus) -> None:
    """Two kept, one trimmed: from a cursor at the second, a gap would be told in which nothing is missing."""
    await bus.publish([*drafts(2), *drafts(1, "gone")])
    await bus.trim(TopicFilter(("gone",)), 0)
    answer = await get(wire, "after=earliest&limit=2")
    assert (ids(answer), answer["more"], answer["gap"]) == ([1, 2], False, None)
    assert answer["cursor"] == bus.cursor(3)
    again = await get(wire, f"after={answer['cursor']}&limit=2")
    assert (again["events"], again["gap"]) == ([], None)


async def test_a_wait_whose_time_is_up_may_be_ended_again_by_whoever_writes() -> None:
    """Its task has not had its turn yet; the fan-out, which tells it, must not fail for it."""
    told = list[bool]()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0) as limit:
            waiter = Waiter(limit)

            def too_late() -> None:
                told.append(limit.expired())
                waiter.soon()
                waiter.behind()
                waiter.behind()
                told.append(True)

            asyncio.get_running_loop().call_soon(too_late)
            await asyncio.get_running_loop().create_future()
    assert told == [True, True]
