import asyncio
from typing import Any

import pytest
from hypercorn.config import Config

from service.stream.hypercorn.inbox import BYTES_MAX, GuardedTaskGroup, Inbox

LAST = {"type": "http.disconnect"}


def piece(number: int) -> dict[str, Any]:
    return {"type": "http.request", "body": b"%d" % number}


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_messages_come_in_order_and_are_waited_for() -> None:
    inbox = Inbox(3)
    waiting = asyncio.create_task(inbox.get())
    await turns()
    assert not waiting.done()
    for number in range(3):
        await inbox.put(piece(number))
    assert [await waiting, await inbox.get(), await inbox.get()] == [piece(number) for number in range(3)]


async def test_a_full_one_holds_its_writer_until_there_is_room() -> None:
    inbox = Inbox(2)
    await inbox.put(piece(0))
    await inbox.put(piece(1))
    writing = asyncio.create_task(inbox.put(piece(2)))
    await turns()
    assert not writing.done()
    assert await inbox.get() == piece(0)
    await asyncio.wait_for(writing, 10)
    assert [await inbox.get(), await inbox.get()] == [piece(1), piece(2)]


@pytest.mark.parametrize("kind", ["http.disconnect", "websocket.disconnect"])
async def test_the_end_is_always_taken_and_comes_last(kind: str) -> None:
    inbox = Inbox(1)
    await inbox.put(piece(0))
    async with asyncio.timeout(10):
        await inbox.put({"type": kind})
    assert [(await inbox.get())["type"], (await inbox.get())["type"]] == ["http.request", kind]


async def test_nobody_is_held_when_nobody_reads_any_more() -> None:
    inbox = Inbox(1)
    await inbox.put(piece(0))
    writing = asyncio.create_task(inbox.put(piece(1)))
    await turns()
    inbox.close()
    await asyncio.wait_for(writing, 10)
    async with asyncio.timeout(10):
        for number in range(100):
            await inbox.put(piece(number))


async def test_who_is_cancelled_while_waiting_takes_nothing_along() -> None:
    inbox = Inbox(1)
    reading = asyncio.create_task(inbox.get())
    await turns()
    await inbox.put(piece(0))
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert await asyncio.wait_for(inbox.get(), 10) == piece(0)


# The tasks of a connection


async def run(app: Any, pieces: int) -> list[Any]:
    """What an application's connection is sent, if so many messages come and then its end."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    config = Config()
    config.errorlog = None  # type: ignore[assignment]
    async with asyncio.timeout(10), GuardedTaskGroup(asyncio.get_running_loop()) as group:
        put = await group.spawn_app(app, config, {}, send)
        for number in range(pieces):
            await put(piece(number))
        await put(LAST)
    return sent


async def test_an_application_that_reads_nothing_ends_and_lets_its_reader_go() -> None:
    async def app(scope: Any, receive: Any, send: Any, sync_spawn: Any, call_soon: Any) -> None:
        await send("answer")

    assert await run(app, 1_000) == ["answer", None]


async def test_an_application_reads_all_and_then_the_end() -> None:
    read: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any, sync_spawn: Any, call_soon: Any) -> None:
        while not read or read[-1] != LAST:
            read.append(await receive())

    assert await run(app, 50) == [None]
    assert read == [*(piece(number) for number in range(50)), LAST]


async def test_what_an_application_raises_ends_it_alone() -> None:
    async def app(scope: Any, receive: Any, send: Any, sync_spawn: Any, call_soon: Any) -> None:
        raise ValueError("a fault")

    assert await run(app, 20) == [None]


async def test_bytes_that_wait_are_bounded() -> None:
    """One more message is taken as long as there are less than the bound."""
    inbox = Inbox(10)
    large = {"type": "websocket.receive", "bytes": None, "text": "a" * (BYTES_MAX - 1)}
    await inbox.put(large)
    await inbox.put(large)
    waiting = asyncio.create_task(inbox.put(large))
    await turns()
    assert not waiting.done()
    await inbox.get()
    await asyncio.wait_for(waiting, 10)


async def test_the_clients_end_is_told_at_once() -> None:
    inbox, told = Inbox(10), list[str]()
    inbox.told = lambda: told.append("gone")
    await inbox.put(piece(0))
    assert (told, inbox.has_end) == ([], False)
    await inbox.put(LAST)
    assert (told, inbox.has_end) == (["gone"], True)
