"""docs/protocol.md, section 4: `GET /api/events`, as long poll and as history."""

import asyncio
import time
from typing import Any

import pytest

from tests.support import api
from tests.support.http import request

FIELDS = ["events", "cursor", "head", "floor", "more", "gap"]


def ids_of(answer: dict[str, Any]) -> list[str]:
    return [event["id"] for event in answer["events"]]


async def test_4_the_answer_has_the_fields_of_the_contract(url: str) -> None:
    """4, `GET /api/events`: events, cursor, head, floor, more, gap; it is JSON that no cache may keep."""
    topic = api.unique("shape")
    ids = await api.publish_many(url, topic, range(3))
    head = await api.publish(url, api.unique("other"))
    response = await api.read_response(url, topic=topic, after="earliest")
    answer = response.json()
    assert list(answer) == FIELDS
    assert (ids_of(answer), answer["head"], answer["more"], answer["gap"]) == (ids, head, False, None)
    assert answer["floor"] is None
    assert api.offset(ids[-1]) <= api.offset(answer["cursor"]) <= api.offset(head)
    assert (response.header("content-type") or "").startswith("application/json")
    assert "no-store" in (response.header("cache-control") or "")


async def test_4_without_a_start_it_starts_from_now(url: str) -> None:
    """4: without any of the aliases and without `before` it starts from now: nothing old, and a cursor to go
    on.
    """
    topic = api.unique("now")
    await api.publish_many(url, topic, range(3))
    answer = await api.read(url, topic=topic)
    assert (answer["events"], answer["cursor"]) == ([], answer["head"])
    cursor = await api.publish(url, topic)
    assert ids_of(await api.read(url, topic=topic, after=answer["cursor"])) == [cursor]


async def test_4_a_poll_answers_at_once_if_there_is_something(url: str) -> None:
    """4, long poll: at once if something after the cursor matches."""
    topic = api.unique("atonce")
    ids = await api.publish_many(url, topic, range(3))
    started = time.monotonic()
    answer = await api.read(url, topic=topic, after=ids[0], wait=25)
    assert ids_of(answer) == ids[1:]
    assert time.monotonic() - started < 5


async def test_4_a_poll_answers_at_once_if_there_is_a_gap(url: str) -> None:
    """4, long poll: at once if there is a gap, though nothing matches."""
    started = time.monotonic()
    answer = await api.read(url, topic=api.unique("gap"), after="not a cursor", wait=25)
    assert answer["gap"]["reason"] == "malformed"
    assert answer["gap"]["requested"] == "not a cursor"
    assert answer["events"] == []
    assert time.monotonic() - started < 5


async def test_4_a_poll_waits_for_an_event(url: str) -> None:
    """4, long poll: else it waits; the event ends the wait, an event on another topic does not."""
    topic = api.unique("wait")
    start = await api.publish(url, topic)
    poll = asyncio.create_task(api.read(url, topic=topic, after=start, wait=25))
    await _until_a_poll_waits(url, topic)
    await api.publish(url, api.unique("other"))
    assert not poll.done()
    cursor = await api.publish(url, topic)
    answer = await poll
    assert ids_of(answer) == [cursor]
    assert answer["cursor"] == cursor


async def test_4_a_poll_from_now_waits_too(url: str) -> None:
    """4, long poll: `wait` without a cursor waits for what comes next."""
    topic = api.unique("fresh")
    await api.publish(url, topic, "old")
    poll = asyncio.create_task(api.read(url, topic=topic, wait=25))
    await _until_a_poll_waits(url, topic)
    cursor = await api.publish(url, topic)
    assert ids_of(await poll) == [cursor]


async def test_4_a_poll_ends_after_its_wait(url: str) -> None:
    """4, long poll: up to `wait` seconds, then an empty answer whose cursor goes on."""
    topic = api.unique("silent")
    start = (await api.read(url, topic=topic))["cursor"]
    other = await api.publish(url, api.unique("other"))
    started = time.monotonic()
    answer = await api.read(url, topic=topic, after=start, wait=1)
    assert 0.9 <= time.monotonic() - started < 5
    assert (answer["events"], answer["more"], answer["gap"]) == ([], False, None)
    assert answer["cursor"] == answer["head"] == other


@pytest.mark.parametrize("wait", ["0", "0.2", "60"])
async def test_4_wait_within_its_range(url: str, wait: str) -> None:
    """4, `wait`: 0 to 60 seconds, fractions too."""
    topic = api.unique("range")
    await api.publish(url, topic)
    answer = await api.read(url, topic=topic, after="earliest", wait=wait)
    assert len(answer["events"]) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("wait", "x"),
        ("wait", "-1"),
        ("wait", "nan"),
        ("limit", "x"),
        ("limit", "-1"),
        ("limit", "0"),
        ("order", "sideways"),
        ("from", "yesterday"),
        ("to", "2026-13-01T00:00:00Z"),
        ("type", "a b"),
        ("before", "not a cursor"),
    ],
)
async def test_4_a_bad_parameter_is_422(url: str, name: str, value: str) -> None:
    """4: a parameter that cannot be read is 422 and named; only a bad start never is an error."""
    response = await request(url, "GET", "/api/events", query={"topic": "a", name: value})
    assert response.problem(422)["field"] == name


async def test_4_limit_is_500_by_default_and_1000_at_most(url: str) -> None:
    """4, `limit`: 500 by default, more than 1,000 is capped; `more` and `cursor` lead on."""
    topic = api.unique("limit")
    ids = await api.publish_many(url, topic, range(1001))
    for limit, count in ((None, 500), (1, 1), (999, 999), (1000, 1000), (1001, 1000), (10**9, 1000)):
        query: dict[str, Any] = {} if limit is None else {"limit": limit}
        answer = await api.read(url, topic=topic, after="earliest", **query)
        assert (ids_of(answer), answer["more"]) == (ids[:count], True)
        assert answer["cursor"] == ids[count - 1]
    rest = await api.read(url, topic=topic, after=ids[999], limit=1000)
    assert (ids_of(rest), rest["more"]) == (ids[1000:], False)


async def test_4_more_is_exact_at_the_end(url: str) -> None:
    """4, `more`: false if the page ends with the last event."""
    topic = api.unique("more")
    ids = await api.publish_many(url, topic, range(4))
    page = await api.read(url, topic=topic, after="earliest", limit=4)
    assert (ids_of(page), page["more"]) == (ids, False)


async def test_4_desc_pages_backwards(url: str) -> None:
    """4, `order=desc`: newest first; `cursor` is the next `before`; the pages are the whole, without
    overlap.
    """
    topic = api.unique("desc")
    ids = await api.publish_many(url, topic, range(10))
    seen: list[str] = []
    query: dict[str, Any] = {}
    more = True
    while more:
        page = await api.read(url, topic=topic, order="desc", limit=3, **query)
        assert len(page["events"]) <= 3
        seen += ids_of(page)
        query, more = {"before": page["cursor"]}, page["more"]
    assert seen == ids[::-1]
    assert ids_of(await api.read(url, topic=topic, order="desc", **query)) == []


async def test_4_before_excludes_its_cursor(url: str) -> None:
    """4, `before`: what comes before the cursor, in log order, or newest first with `order=desc`."""
    topic = api.unique("before")
    ids = await api.publish_many(url, topic, range(6))
    assert ids_of(await api.read(url, topic=topic, before=ids[3], order="desc")) == ids[2::-1]
    assert set(ids_of(await api.read(url, topic=topic, before=ids[3]))) == set(ids[:3])


async def test_4_after_and_before_are_a_range(url: str) -> None:
    """4: `after` with `before` is a range, open at both ends, in either order."""
    topic = api.unique("between")
    ids = await api.publish_many(url, topic, range(8))
    query: dict[str, Any] = {"topic": topic, "after": ids[1], "before": ids[6]}
    assert ids_of(await api.read(url, **query)) == ids[2:6]
    assert ids_of(await api.read(url, order="desc", **query)) == ids[5:1:-1]
    page = await api.read(url, limit=2, **query)
    assert (ids_of(page), page["more"]) == (ids[2:4], True)
    rest = await api.read(url, **{**query, "after": page["cursor"]})
    assert (ids_of(rest), rest["more"]) == (ids[4:6], False)
    assert ids_of(await api.read(url, topic=topic, after=ids[3], before=ids[4])) == []


async def test_4_filter_by_type(url: str) -> None:
    """4, `type`: only events of that type; the pages stay complete."""
    topic = api.unique("bytype")
    ids = [await api.publish(url, topic, n, type="odd" if n % 2 else "even") for n in range(8)]
    page = await api.read(url, topic=topic, after="earliest", type="odd", limit=3)
    assert (ids_of(page), page["more"]) == ([ids[1], ids[3], ids[5]], True)
    rest = await api.read(url, topic=topic, after=page["cursor"], type="odd")
    assert (ids_of(rest), rest["more"]) == ([ids[7]], False)
    assert ids_of(await api.read(url, topic=topic, order="desc", type="even")) == ids[6::-2]


async def test_4_filter_by_time(url: str) -> None:
    """4, `from`, `to`: RFC 3339 times, both included, in any offset."""
    topic = api.unique("bytime")
    ids = [await api.publish(url, topic, n) for n in range(4)]
    events = (await api.read(url, topic=topic, after="earliest"))["events"]
    times = [event["time"] for event in events]
    since = [event["id"] for event in events if event["time"] >= times[2]]
    until = [event["id"] for event in events if event["time"] <= times[1]]
    assert ids_of(await api.read(url, topic=topic, after="earliest", from_=times[2])) == since
    assert ids_of(await api.read(url, topic=topic, after="earliest", to=times[1])) == until
    exactly = await api.read(url, topic=topic, after="earliest", from_=times[0], to=times[3])
    assert ids_of(exactly) == ids
    assert ids_of(await api.read(url, topic=topic, after="earliest", from_="2999-01-01T00:00:00Z")) == []
    offset = times[2].replace("Z", "+00:00")
    assert ids_of(await api.read(url, topic=topic, after="earliest", from_=offset)) == since


async def test_4_a_before_of_another_epoch_has_an_answer(url: str) -> None:
    """4, `before`: a page that pages backwards while the database is replaced gets no error."""
    topic = api.unique("foreign")
    await api.publish(url, topic)
    answer = await api.read(url, topic=topic, before="0therep0ch-5", order="desc")
    assert list(answer) == FIELDS


async def _until_a_poll_waits(url: str, topic: str) -> None:
    """Ask until the service itself says that a poll waits on `topic`, which must have an event."""
    async with asyncio.timeout(20):
        waiting = 0
        while not waiting:
            topics = (await request(url, "GET", "/api/topics")).json()["topics"]
            (waiting,) = [item["subscribers"]["poll"] for item in topics if item["topic"] == topic]
