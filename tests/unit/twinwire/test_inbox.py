import asyncio

import pytest

from twinwire.event import Event
from twinwire.inbox import BYTES_MAX, ITEMS_MAX, Inbox, Position


def event(number: int, raw: str = "{}") -> Event:
    return Event(f"e-{number}", "t", "k", None, raw)


async def test_in_order() -> None:
    inbox = Inbox()
    inbox.put(event(1))
    inbox.put(Position("e-2"))
    inbox.put(Position("e-3"))
    assert await inbox.wait()
    assert [inbox.take(), inbox.take(), inbox.take()] == [event(1), Position("e-3"), None]


async def test_who_waits_is_woken() -> None:
    inbox = Inbox()
    waiting = asyncio.create_task(inbox.wait())
    await asyncio.sleep(0)
    inbox.put(event(1))
    assert await waiting


async def test_it_is_full_and_has_room_again_when_half_of_it_is_gone() -> None:
    inbox = Inbox()
    for number in range(ITEMS_MAX):
        inbox.put(event(number))
    assert inbox.is_full
    waiting = asyncio.create_task(inbox.room())
    await asyncio.sleep(0)
    for _ in range(ITEMS_MAX // 2 - 1):
        inbox.take()
    await asyncio.sleep(0)
    assert not waiting.done()
    inbox.take()
    await asyncio.wait_for(waiting, 5)


async def test_bytes_count_too() -> None:
    inbox = Inbox()
    inbox.put(event(1, "x" * BYTES_MAX))
    assert inbox.is_full
    inbox.take()
    assert not inbox.is_full
    await inbox.room()


async def test_the_end_comes_after_what_was_there() -> None:
    inbox = Inbox()
    inbox.put(event(1))
    inbox.end(ValueError("why"))
    inbox.put(event(2))
    assert await inbox.wait()
    assert inbox.take() == event(1)
    with pytest.raises(ValueError, match="why"):
        await inbox.wait()


async def test_an_end_without_a_reason() -> None:
    inbox = Inbox()
    waiting = asyncio.create_task(inbox.wait())
    await asyncio.sleep(0)
    inbox.end(None)
    assert await waiting is False


async def test_who_waits_for_room_does_not_outlive_it() -> None:
    inbox = Inbox()
    inbox.put(event(1, "x" * BYTES_MAX))
    waiting = asyncio.create_task(inbox.room())
    await asyncio.sleep(0)
    inbox.end(None)
    await asyncio.wait_for(waiting, 5)


async def test_who_was_not_given_what_he_asked_for_asks_again() -> None:
    inbox = Inbox()
    for number in range(5):
        inbox.put(event(number))
    assert inbox.next(0, 3) == inbox.next(0, 3) == [event(0), event(1), event(2)]
    assert inbox.next(2, 9) == [event(2), event(3), event(4)]
    assert len(inbox) == 3
    assert inbox.next(5, 9) == inbox.next(9, 9) == []
