"""Bodies: what is held is counted and given back, and whoever does not get on is let go."""

import asyncio
from typing import Any

import pytest

from service.core.errors import OverloadedError, RequestTimeoutError, TooLargeError
from service.core.limits import REQUEST_MAX
from service.wire.bodies import PROGRESS_BYTES, Bodies
from service.wire.budget import SMALL
from service.wire.request import DisconnectedError, Request
from tests.support.wires import Exchange, http_scope

MIB = 1 << 20


@pytest.fixture
def bodies() -> Bodies:
    return Bodies(64 * MIB, 20.0)


def request(**headers: str) -> Request:
    return Request(http_scope("POST", "/", "", {name.replace("_", "-"): value for name, value in headers.items()}))


class Inbox:
    """What a client sends, piece by piece."""

    def __init__(self, *pieces: bytes, ends: bool = True) -> None:
        self.messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        for n, piece in enumerate(pieces, 1):
            self.messages.put_nowait({"type": "http.request", "body": piece, "more_body": not ends or n < len(pieces)})

    async def __call__(self) -> dict[str, Any]:
        return await self.messages.get()


async def read(bodies: Bodies, inbox: Inbox, limit: int = REQUEST_MAX, **headers: str) -> bytes:
    with bodies.open() as body:
        return await body.read(request(**headers), inbox, limit)


async def test_a_body_is_its_pieces_and_is_given_back(bodies: Bodies) -> None:
    with bodies.open() as body:
        assert await body.read(request(), Inbox(b"ab", b"", b"c"), 3) == b"abc"
        assert (bodies.budget.held, body.is_complete) == (3, True)
    assert bodies.budget.held == 0
    assert await read(bodies, Inbox(b"")) == b""


async def test_the_bound_of_one_body(bodies: Bodies) -> None:
    with pytest.raises(TooLargeError):
        await read(bodies, Inbox(b"ab", b"c"), 2)
    with pytest.raises(TooLargeError):
        await read(bodies, Inbox(b"abc"), 2)
    with pytest.raises(TooLargeError):
        await read(bodies, Inbox(), 3, content_length="4")
    assert bodies.budget.held == 0


async def test_the_operators_bound_holds_for_whatever_is_sent() -> None:
    bodies = Bodies(64 * MIB, 20.0, 5)
    assert await read(bodies, Inbox(b"ab", b"cde")) == b"abcde"
    for inbox, headers in ((Inbox(b"ab", b"cdef"), {}), (Inbox(), {"content_length": "6"})):
        with pytest.raises(TooLargeError, match="5 bytes"):
            await read(bodies, inbox, **headers)
    with pytest.raises(TooLargeError, match="3 bytes"):
        await read(bodies, Inbox(b"abcd"), 3)

    async def app(*call: Any) -> None:
        await bodies.before(inner, [], *call)

    (await Exchange(app, http_scope("POST", "/"), b"abcdef").answer()).problem(413)


async def test_who_leaves_gives_back(bodies: Bodies) -> None:
    inbox = Inbox(b"ab", ends=False)
    inbox.messages.put_nowait({"type": "http.disconnect"})
    with pytest.raises(DisconnectedError):
        await read(bodies, inbox)
    assert bodies.budget.held == 0


async def test_all_bodies_have_one_budget_of_which_small_ones_have_more() -> None:
    bodies = Bodies(16 * MIB, 20.0)
    with bodies.open() as first, bodies.open() as second, bodies.open() as third:
        await first.read(request(), Inbox(b"a" * 8 * MIB), REQUEST_MAX)
        await second.read(request(), Inbox(b"a" * 4 * MIB), REQUEST_MAX)
        assert bodies.budget.held == 12 * MIB
        with pytest.raises(OverloadedError) as caught:
            await third.read(request(), Inbox(b"a" * (SMALL + 1)), REQUEST_MAX)
        assert caught.value.retry_after
        for _ in range(4 * MIB // SMALL):
            await third.read(request(), Inbox(b"a" * SMALL), REQUEST_MAX)
            third.held = 0  # as if it were another's
        with pytest.raises(OverloadedError):
            await third.read(request(), Inbox(b"a"), REQUEST_MAX)
        third.held = 4 * MIB
    assert bodies.budget.held == 0


async def test_a_body_that_does_not_get_on_is_408() -> None:
    bodies = Bodies(16 * MIB, 0.01)
    for inbox in (Inbox(), Inbox(b"a" * (PROGRESS_BYTES - 1), ends=False), Inbox(b"a" * PROGRESS_BYTES, ends=False)):
        with pytest.raises(RequestTimeoutError):
            await read(bodies, inbox)
    assert bodies.budget.held == 0


async def test_only_enough_bytes_move_the_deadline() -> None:
    bodies, inbox = Bodies(16 * MIB, 3600.0), Inbox()
    with bodies.open() as body:
        reading = asyncio.create_task(body.read(request(), inbox, REQUEST_MAX))
        for size, moved in ((0, False), (PROGRESS_BYTES - 1, False), (1, True)):
            before, held = body.due, body.held
            inbox.messages.put_nowait({"type": "http.request", "body": b"a" * size, "more_body": True})
            while not before or inbox.messages.qsize() or body.held != held + size:
                await asyncio.sleep(0)
                before = before or body.due
            assert (body.due != before) is moved
        inbox.messages.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        assert len(await reading) == PROGRESS_BYTES


async def test_who_is_cancelled_by_somebody_else_is_not_late() -> None:
    bodies = Bodies(16 * MIB, 3600.0)
    with bodies.open() as body:
        reading = asyncio.create_task(body.read(request(), Inbox(), REQUEST_MAX))
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading


async def test_one_that_is_over_is_not_told_later(bodies: Bodies) -> None:
    """Whoever goes on with what a body brought is not cancelled for it."""
    short = Bodies(16 * MIB, 0.01)
    with short.open() as first, short.open() as second:
        assert await first.read(request(), Inbox(b"a"), REQUEST_MAX) == b"a"
        with pytest.raises(RequestTimeoutError):
            await second.read(request(), Inbox(), REQUEST_MAX)
    assert not first.is_late


async def inner(scope: Any, receive: Any, send: Any) -> None:
    """Says back what it is sent, and what it is sent then."""
    message = await receive()
    rest = await receive()
    body = message["body"] + rest["type"].encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def test_what_is_behind_gets_the_body_whole_and_then_what_comes(bodies: Bodies) -> None:
    async def app(*call: Any) -> None:
        await bodies.before(inner, [], *call)

    exchange = Exchange(app, http_scope("POST", "/"), b"abc")
    exchange.disconnect()
    assert (await exchange.answer()).body == b"abchttp.disconnect"
    assert bodies.budget.held == 0


async def test_what_is_behind_is_not_asked_for_what_is_refused(bodies: Bodies) -> None:
    async def app(*call: Any) -> None:
        await bodies.before(inner, [(b"x-cors", b"1")], *call)

    answer = await Exchange(app, http_scope("POST", "/"), b"a" * (REQUEST_MAX + 1)).answer()
    answer.problem(413)
    assert (answer.headers["connection"], answer.headers["x-cors"]) == ("close", "1")
