"""docs/protocol.md, section 3: where a stream starts."""

from typing import Any

import pytest

from tests.e2e.conftest import Serve
from tests.support import api
from tests.support.clients import STREAMING, TRANSPORTS, Transport, open_stream

ADDED = ["lastEventId", "lastEventID", "last_event_id", "Last-Event-ID", "evs_last_event_id"]
MALFORMED = ["x", "-", "1042", "k7f3q2-", "k7f3q2:1042", "k7f3q2--1", "ä-1", "k7f3q2-1 ", "a" * 100, "null"]


async def ids_after(
    url: str,
    transport: Transport,
    topics: str | list[str],
    last: str,
    *,
    after: str | None = None,
    headers: dict[str, str] | None = None,
    query: dict[str, Any] | None = None,
) -> tuple[list[str], dict[str, Any] | None]:
    """The ids that a stream delivers up to `last`, and its gap."""
    async with open_stream(url, transport, topics, after=after, headers=headers, query=query) as stream:
        events = await stream.events_until(last)
        gaps = [frame.value for frame in stream.gaps]
        assert len(gaps) <= 1
        return [event.id for event in events], gaps[0] if gaps else None


@pytest.mark.parametrize("name", ["after", *ADDED])
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_3_each_name_is_a_start(url: str, transport: Transport, name: str) -> None:
    """3: query `after`, and what clients add."""
    topic = api.unique("name")
    ids = await api.publish_many(url, topic, range(4))
    seen, gap = await ids_after(url, transport, topic, ids[-1], query={name: ids[1]})
    assert (seen, gap) == (ids[2:], None)


@pytest.mark.parametrize("name", ADDED)
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_3_what_a_client_adds_beats_what_the_page_began_with(url: str, transport: Transport, name: str) -> None:
    """3: a polyfill adds its position to the page's own URL, which says `earliest`, `latest` or a cursor."""
    topic = api.unique("added")
    ids = await api.publish_many(url, topic, range(4))
    for start in ("earliest", "latest", ids[0], "malformed"):
        seen = await ids_after(url, transport, topic, ids[-1], after=start, query={name: ids[2]})
        assert seen == (ids[3:], None)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_3_the_header_is_a_start_and_beats_the_query(url: str, transport: Transport) -> None:
    """3: the `Last-Event-ID` header is newer than the URL with which an EventSource reconnects."""
    topic = api.unique("header")
    ids = await api.publish_many(url, topic, range(4))
    header = {"Last-Event-ID": ids[2]}
    assert await ids_after(url, transport, topic, ids[-1], headers=header) == (ids[3:], None)
    for start in (ids[0], "earliest", "latest", "malformed"):
        seen = await ids_after(url, transport, topic, ids[-1], headers=header, after=start)
        assert seen == (ids[3:], None)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("after", [None, "latest"])
async def test_3_from_now_is_live_only(url: str, transport: Transport, after: str | None) -> None:
    """3: without a start, and with `latest`: nothing old."""
    topic = api.unique("now")
    await api.publish_many(url, topic, range(3))
    async with open_stream(url, transport, topic, after=after) as stream:
        live = await api.publish(url, topic, "live")
        assert [event.id for event in await stream.events(1)] == [live]
        assert stream.gaps == []


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_3_earliest_is_all_that_is_kept(url: str, transport: Transport) -> None:
    """3, `earliest`: everything kept, and never a gap, not even after a trim."""
    topic = api.unique("earliest")
    ids = await api.publish_many(url, topic, range(5))
    assert await ids_after(url, transport, topic, ids[-1], after="earliest") == (ids, None)
    assert await api.trim(url, topic, 2) == 3
    assert await ids_after(url, transport, topic, ids[-1], after="earliest") == (ids[3:], None)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_3_every_cursor_of_the_log_resumes_there(url: str, transport: Transport) -> None:
    """3: a cursor is good wherever it came from; one of another topic is a place in the same log."""
    topic, other = api.unique("resume"), api.unique("other")
    ids, others = [], []
    for n in range(4):
        ids.append(await api.publish(url, topic, n))
        others.append(await api.publish(url, other, n))
    for n in range(3):
        assert await ids_after(url, transport, topic, ids[-1], after=ids[n]) == (ids[n + 1 :], None)
        assert await ids_after(url, transport, topic, ids[-1], after=others[n]) == (ids[n + 1 :], None)


async def test_3_at_the_head_is_a_clean_resume_though_all_is_trimmed(serve: Serve) -> None:
    """3: a cursor equal to the head has no gap, even when nothing is left, before and after a restart."""
    server = serve()
    head = (await api.publish_many(server.url, "a", range(5)))[-1]
    assert await api.trim(server.url, "**", 0) == 5
    for transport in TRANSPORTS:
        async with open_stream(server.url, transport, "a", after=head) as stream:
            live = await api.publish(server.url, "a", "live")
            assert [event.id for event in await stream.events(1)] == [live]
            assert stream.gaps == []
            assert transport == "poll" or stream.connection["resumed"] is True
        head = live
        await api.trim(server.url, "**", 0)
        server.kill9()
        server.start()


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_3_an_old_cursor_above_the_floor_of_its_topics_is_clean(url: str, transport: Transport) -> None:
    """3: however old; what retention took from other topics does not count."""
    topic, loud = api.unique("quiet"), api.unique("loud")
    cursor = await api.publish(url, topic)
    louds = await api.publish_many(url, loud, range(50))
    last = await api.publish(url, topic)
    assert await api.trim(url, loud, 1) == 49
    assert await ids_after(url, transport, topic, last, after=cursor) == ([last], None)
    assert await ids_after(url, transport, loud, louds[-1], after=louds[-2]) == (louds[-1:], None)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_3_below_the_floor_is_a_gap_and_then_what_is_kept(url: str, transport: Transport) -> None:
    """3 and 2, `gap` with `trimmed`: requested, id (just before the first kept event) and floor."""
    topic = api.unique("trimmed")
    ids = await api.publish_many(url, topic, range(10))
    assert await api.trim(url, topic, 4) == 6
    async with open_stream(url, transport, topic, after=ids[1]) as stream:
        gap = await stream.gap()
        assert gap is not None
        assert {name: gap[name] for name in ("requested", "reason", "id", "floor")} == {
            "requested": ids[1],
            "reason": "trimmed",
            "id": api.moved(ids[6], -1),
            "floor": ids[5],
        }
        events = await stream.events_until(ids[-1])
        assert [event.id for event in events] == ids[6:]
        assert transport == "poll" or stream.connection["resumed"] is False
    assert await ids_after(url, transport, topic, ids[-1], after=ids[5]) == (ids[6:], None)
    assert await ids_after(url, transport, topic, ids[-1], after=gap["id"]) == (ids[6:], None)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_3_below_the_floor_with_nothing_kept(url: str, transport: Transport) -> None:
    """3 and 2, `gap.id`: the head if no matching event is kept after the cursor."""
    topic = api.unique("empty")
    ids = await api.publish_many(url, topic, range(3))
    head = await api.publish(url, api.unique("other"))
    await api.trim(url, topic, 0)
    async with open_stream(url, transport, topic, after=ids[0]) as stream:
        gap = await stream.gap()
        assert gap is not None
        assert (gap["reason"], gap["id"], gap["floor"]) == ("trimmed", head, ids[-1])
        live = await api.publish(url, topic)
        assert [event.id for event in await stream.events(1)] == [live]
        assert live != head


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_3_another_epoch(url: str, transport: Transport) -> None:
    """3: `gap` with `epoch`, then everything kept; floor is null while nothing was trimmed."""
    topic = api.unique("epoch")
    ids = await api.publish_many(url, topic, range(3))
    foreign = "0therep0ch-2"
    async with open_stream(url, transport, topic, after=foreign) as stream:
        gap = await stream.gap()
        assert gap is not None
        assert (gap["requested"], gap["reason"]) == (foreign, "epoch")
        assert (gap["id"], gap["floor"]) == (api.moved(ids[0], -1), None)
        events = await stream.events_until(ids[-1])
    assert [event.id for event in events] == ids
    assert len(stream.gaps) == 1


async def test_3_a_replaced_database_has_another_epoch(serve: Serve) -> None:
    """3: a cursor of the file before gets `gap` with `epoch`, never a silent wrong place."""
    server = serve()
    topic = api.unique("replaced")
    old = await api.publish_many(server.url, topic, range(3))
    assert server.stop() == 0
    for path in server.directory.glob(f"{server.database.name}*"):
        path.unlink()
    server.start()
    new = await api.publish_many(server.url, topic, range(5))
    assert set(old).isdisjoint(new)
    seen, gap = await ids_after(server.url, "sse", topic, new[-1], after=old[1])
    assert gap is not None
    assert (seen, gap["reason"]) == (new, "epoch")


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("ahead", [1, 1_000_000])
async def test_3_beyond_the_head(url: str, transport: Transport, ahead: int) -> None:
    """3: `gap` with `ahead`, then live. What comes next is not hidden by the cursor from the future."""
    topic = api.unique("ahead")
    head = await api.publish(url, topic)
    future = api.moved(head, ahead)
    async with open_stream(url, transport, topic, after=future) as stream:
        gap = await stream.gap()
        assert gap is not None
        assert (gap["requested"], gap["reason"], gap["id"]) == (future, "ahead", head)
        live = await api.publish(url, topic)
        assert [event.id for event in await stream.events(1)] == [live]
    assert len(stream.gaps) == 1


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("cursor", MALFORMED)
async def test_3_not_a_cursor(url: str, transport: Transport, cursor: str) -> None:
    """3: `gap` with `malformed`, `requested` cut to 64 bytes, then live. Never an HTTP error."""
    topic = api.unique("malformed")
    head = await api.publish(url, topic)
    async with open_stream(url, transport, topic, after=cursor) as stream:
        gap = await stream.gap()
        assert gap is not None
        assert (gap["reason"], gap["id"]) == ("malformed", head)
        assert cursor.startswith(gap["requested"])
        assert len(gap["requested"].encode()) == min(64, len(cursor.encode()))
        live = await api.publish(url, topic)
        assert [event.id for event in await stream.events(1)] == [live]


@pytest.mark.parametrize("transport", STREAMING)
async def test_3_a_bad_cursor_in_the_header_is_a_gap_too(url: str, transport: Transport) -> None:
    """3: the header is what an EventSource sends, and every status but 200 would end it for good."""
    topic = api.unique("badheader")
    async with open_stream(url, transport, topic, headers={"Last-Event-ID": "?" * 80}) as stream:
        gap = await stream.gap()
        assert gap is not None
        assert (gap["reason"], gap["requested"]) == ("malformed", "?" * 64)


@pytest.mark.parametrize("transport", STREAMING)
async def test_3_gap_comes_right_after_connection(url: str, transport: Transport) -> None:
    """2 and 3: connection, gap, the events, caught_up, in this order; a plain EventSource can read it."""
    topic = api.unique("order")
    ids = await api.publish_many(url, topic, range(2))
    async with open_stream(url, transport, topic, after="0therep0ch-9") as stream:
        await stream.control("caught_up")
    kinds = [frame.type for frame in stream.frames]
    assert kinds == ["connection", "gap", "log", "log", "caught_up"]
    gap = stream.frames[1]
    assert "topic" not in gap.value
    assert gap.position == gap.id == stream.connection["id"]
    assert api.offset(gap.id) < api.offset(ids[0])


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_3_several_topics_of_which_one_was_trimmed(url: str, transport: Transport) -> None:
    """3: what is kept is delivered; `prev` proves that nothing beyond `floor` is missing."""
    kept, cut = api.unique("kept"), api.unique("cut")
    start = await api.publish(url, kept, "start")
    ids: dict[str, list[str]] = {kept: [], cut: []}
    for n in range(6):
        for topic in (kept, cut):
            ids[topic].append(await api.publish(url, topic, n))
    await api.trim(url, cut, 2)
    async with open_stream(url, transport, [kept, cut], after=start) as stream:
        gap = await stream.gap()
        events = await stream.events_until(ids[cut][-1])
    assert gap is not None
    assert (gap["reason"], gap["floor"]) == ("trimmed", ids[cut][3])
    assert api.offset(start) <= api.offset(gap["id"]) < api.offset(ids[kept][0])
    expected = sorted(ids[kept] + ids[cut][4:], key=api.offset)
    assert [event.id for event in events] == expected
    last = {kept: start, cut: gap["floor"]}
    for event in events:
        topic = event.value["topic"]
        assert event.value["prev"] == last[topic]
        last[topic] = event.id


async def test_3_a_client_may_change_the_transport_in_mid_stream(url: str) -> None:
    """3: one cursor for all transports; a reader that changes with each event sees each once."""
    topic = api.unique("change")
    ids = await api.publish_many(url, topic, range(9))
    cursor, seen = "earliest", []
    for n in range(9):
        transport = TRANSPORTS[n % 3]
        query = {"limit": 1} if transport == "poll" else None
        async with open_stream(url, transport, topic, after=cursor, query=query) as stream:
            seen += [event.id for event in await stream.events(1)]
            assert stream.gaps == []
            assert stream.cursor is not None
            cursor = stream.cursor
    assert seen == ids
