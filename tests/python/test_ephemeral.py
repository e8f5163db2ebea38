"""Events that are not kept, sent and heard by the client, over each transport of a real server."""

import asyncio

import pytest

from tests.python.conftest import QUICK
from tests.python.taking import data_of
from tests.support.api import history, unique
from tests.support.server import ServerProcess
from twinwire import AsyncTwinwire, Ephemeral, Event, InvalidError, Transport, Twinwire, TwinwireError
from twinwire.passing import Heard, tell


class Ear:
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[Ephemeral] = []
        self._news = asyncio.Event()

    def __call__(self, event: Ephemeral) -> None:
        self.heard.append(event)
        self._news.set()

    async def until(self, data: object) -> Ephemeral:
        """The one with this data, once it is here."""
        async with asyncio.timeout(20):
            while True:
                for event in self.heard:
                    if event.data == data:
                        return event
                self._news.clear()
                await self._news.wait()


async def keep_sending(live: AsyncTwinwire, topic: str, data: object) -> None:
    """A poll hears only while it waits: so it is sent until somebody has heard it."""
    while True:
        await live.ephemeral(topic, "cursor", data, key="k", ttl=1)
        await asyncio.sleep(0.05)


async def test_they_come_beside_stored_ones_and_move_no_cursor(
    live: AsyncTwinwire, server: ServerProcess, transport: Transport
) -> None:
    topic, ear = unique("ephemeral"), Ear()
    async with live.subscribe(topic, ephemeral=ear) as events:
        id = await live.publish(topic, "note", 1)
        assert await data_of(events, 1) == [1]
        following = asyncio.create_task(anext(events))
        sending = asyncio.create_task(keep_sending(live, topic, {"x": 1}))
        event = await ear.until({"x": 1})
        sending.cancel()
        assert events.transport == transport
        assert (event.topic, event.type, event.user, event.after) == (topic, "cursor", None, id)
        assert event.time.tzinfo is not None
        last = await live.publish(topic, "note", 2)
        found = await following
        assert isinstance(found, Event)
        assert (found.id, found.prev) == (last, id)
    assert [one["data"] for one in await history(server.url, [topic])] == [1, 2]


async def test_who_did_not_ask_hears_none_and_more_topics_than_fit_a_url_are_heard(live: AsyncTwinwire) -> None:
    base, ear = unique("ephemeral"), Ear()
    topics = [f"{base}/{n}-{'x' * 120}" for n in range(90)]
    async with live.subscribe(topics[-1]) as quiet, live.subscribe(*topics, ephemeral=ear) as events:
        following = asyncio.create_task(anext(events))
        sending = asyncio.create_task(keep_sending(live, topics[-1], "far"))
        await ear.until("far")
        sending.cancel()
        await live.publish(topics[-1], "note", "kept")
        assert await data_of(quiet, 1) == ["kept"]
        await following


async def test_what_is_refused_is_told_and_not_tried_again(any_live: AsyncTwinwire) -> None:
    with pytest.raises(TwinwireError) as refused:
        await any_live.ephemeral("a//b", "cursor", 1)
    assert (refused.value.status, refused.value.field) == (422, "topic")
    with pytest.raises(TwinwireError) as refused:
        await any_live.ephemeral("a", "cursor", 1, ttl=0)
    assert refused.value.field == "ttl"
    with pytest.raises(InvalidError):
        await any_live.ephemeral("a", "cursor", float("nan"))
    with pytest.raises(InvalidError, match="ttl can't be sent as JSON"):
        await any_live.ephemeral("a", "cursor", 1, ttl=float("nan"))


def test_a_program_without_a_loop_has_them_too(server: ServerProcess) -> None:
    topic, heard = unique("ephemeral"), list[object]()
    with (
        Twinwire(server.url, transports=["websocket"], timing=QUICK) as live,
        live.subscribe(topic, ephemeral=lambda event: heard.append(event.data)) as events,
    ):
        while events.state != "live":
            live.history(topic)
        live.ephemeral(topic, "cursor", [1, 2], key="k")
        live.publish(topic, "note", 1)
        assert next(events)
        while not heard:
            live.history(topic)
    assert heard == [[1, 2]]


def test_a_fault_of_the_program_is_in_the_log_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    from twinwire.frames import decode

    heard: Heard = lambda event: event.data["missing"]  # noqa: E731
    text = '{"topic":"t","type":"x","time":"2026-11-23T05:50:09.123Z","after":"e-1","from":{"user":"ada"},"data":{}}'
    tell(heard, decode(text), text)
    assert "has failed" in caplog.text
    assert Ephemeral("t", "x", text).user == "ada"
