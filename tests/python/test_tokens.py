"""Tokens: a text or a function, refreshed on the live stream, and refusals in words."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.python.conftest import QUICK
from tests.python.taking import become, data_of, take
from tests.support.api import unique
from tests.support.bearers import KEYS, LIFETIME, revoke, token
from tests.support.server import ServerProcess
from twinwire import AsyncTwinwire, RefusedError, Transport, TwinwireError

PUBLISHER = token("pat", subscribe=["**"], publish=["**"])


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    env = {"TWINWIRE_TOKEN_KEYS": KEYS, "TWINWIRE_APPS": "none"}
    with ServerProcess(tmp_path_factory.mktemp("guarded"), env=env) as server:
        yield server


async def test_a_token_comes_along(
    guarded: ServerProcess, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = unique("token")
    monkeypatch.setenv("TWINWIRE_URL", guarded.url)
    monkeypatch.setenv("TWINWIRE_TOKEN", PUBLISHER)
    async with AsyncTwinwire(transports=[transport]) as live, live.subscribe(topic) as events:
        await live.publish(topic, "k", 1)
        assert await data_of(events, 1) == [1]


async def test_without_one_it_is_refused_in_words(guarded: ServerProcess, transport: Transport) -> None:
    async with AsyncTwinwire(guarded.url, transports=[transport]) as live:
        with pytest.raises(RefusedError) as raised:
            await take(live.subscribe("a"), 1)
        assert (raised.value.status, raised.value.reason) == (401, "invalid")
        with pytest.raises(RefusedError):
            await live.publish("a", "k")


async def test_without_the_right(guarded: ServerProcess, transport: Transport) -> None:
    mine = token("ada", subscribe=["mine"])
    async with AsyncTwinwire(guarded.url, token=mine, transports=[transport]) as live:
        with pytest.raises(RefusedError) as raised:
            await take(live.subscribe("other"), 1)
        assert (raised.value.status, raised.value.reason) == (403, "forbidden")
        with pytest.raises(RefusedError) as raised:
            await live.publish("mine", "k")
        assert raised.value.status == 403


async def test_a_function_is_asked_again_when_one_is_refused(guarded: ServerProcess, transport: Transport) -> None:
    topic = unique("again")
    given = iter([token("pat", ttl=-60), PUBLISHER])
    async with (
        AsyncTwinwire(guarded.url, token=lambda: next(given), transports=[transport]) as live,
        live.subscribe(topic) as events,
    ):
        await live.publish(topic, "k", 1)
        assert await data_of(events, 1) == [1]


async def test_publishing_asks_again_too(guarded: ServerProcess) -> None:
    given = iter([token("pat", ttl=-60), PUBLISHER])
    async with AsyncTwinwire(guarded.url, token=lambda: next(given)) as live:
        assert await live.publish(unique("again"), "k")


@pytest.mark.parametrize("transport", ["websocket", "sse"])
async def test_a_live_stream_gets_another_in_place(guarded: ServerProcess, transport: Transport) -> None:
    """The first ends within fifteen seconds, so its stream is warned at once; it outlives it without a reconnect."""
    topic = unique("renew")
    asked: list[str] = []

    async def ask() -> str:
        asked.append(token("pat", subscribe=["**"], publish=["**"], ttl=8 if not asked else LIFETIME))
        return asked[-1]

    async with (
        AsyncTwinwire(guarded.url, token=ask, transports=[transport], timing=QUICK) as live,
        live.subscribe(topic) as events,
    ):
        assert events._connection is not None
        link = events._connection._link
        await become(lambda: len(asked) == 2)
        await asyncio.sleep(8.5)
        await live.publish(topic, "k", 1)
        assert await data_of(events, 1) == [1]
        assert events._connection._link is link
    assert len(asked) == 2


async def test_polls_ask_for_another_when_one_ends(guarded: ServerProcess) -> None:
    topic = unique("poll")
    given = iter([token("pat", subscribe=["**"], ttl=2), PUBLISHER])
    async with (
        AsyncTwinwire(guarded.url, token=lambda: next(given), transports=["poll"], timing=QUICK) as live,
        live.subscribe(topic) as events,
        AsyncTwinwire(guarded.url, token=PUBLISHER) as other,
    ):
        await asyncio.sleep(2.5)
        await other.publish(topic, "k", 1)
        assert await data_of(events, 1) == [1]


async def test_a_revoked_one_ends_it(guarded: ServerProcess, transport: Transport) -> None:
    gone = token("gone", subscribe=["a"], ttl=60)
    async with (
        AsyncTwinwire(guarded.url, token=gone, transports=[transport], timing=QUICK) as live,
        live.subscribe("a") as events,
    ):
        await revoke(guarded.url, sub="gone")
        with pytest.raises(RefusedError):
            await take(events, 1)


async def test_what_is_told_of_a_token_does_not_hold_it(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)  # that is never started
    with caplog.at_level(logging.DEBUG, "twinwire"):
        async with AsyncTwinwire("http://live.invalid", token=PUBLISHER, retry_for=0) as live:
            with pytest.raises(TwinwireError) as raised:
                await live.publish("a", "k")
        async with AsyncTwinwire(server.url, token=PUBLISHER, timing=QUICK) as live:
            waiting = asyncio.create_task(take(live.subscribe("a"), 1))
            await asyncio.sleep(0.3)
            waiting.cancel()
    assert PUBLISHER not in caplog.text + str(raised.value)
    assert "over plain http" in caplog.text


async def test_two_that_share_a_function_that_remembers_both_live_on(
    guarded: ServerProcess, transport: Transport
) -> None:
    """The second is refused with the old token after the first was given another."""
    topic = unique("share")
    now = [token("pat", subscribe=["**"], publish=["**"], ttl=5)]

    async def ask() -> str:
        await asyncio.sleep(0)
        return now[0]

    async with (
        AsyncTwinwire(guarded.url, token=ask, transports=[transport], timing=QUICK) as live,
        live.subscribe(topic) as one,
        live.subscribe(topic) as other,
    ):
        now[0] = PUBLISHER
        await asyncio.sleep(5.5)
        await live.publish(topic, "k", 1)
        assert await data_of(one, 1) == await data_of(other, 1) == [1]


async def test_a_function_that_fails_is_asked_again(guarded: ServerProcess) -> None:
    topic = unique("fails")
    failures = iter([ConnectionError("no backend"), OSError("still none")])

    def ask() -> str:
        for failure in failures:
            raise failure
        return PUBLISHER

    async with AsyncTwinwire(guarded.url, token=ask, timing=QUICK) as live:
        events = live.subscribe(topic, after="earliest")
        await live.publish(topic, "k", 1)
        assert await data_of(events, 1) == [1]
