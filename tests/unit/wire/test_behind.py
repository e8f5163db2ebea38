"""The application behind the doors: who has left does not wait for it, and its answers have a budget."""

import asyncio
from typing import Any

import pytest

from service.stream.asgi import Message, Receive, Scope, Send
from service.stream.hypercorn.inbox import Inbox
from service.wire import behind
from service.wire.behind import Behind

GONE: Message = {"type": "http.disconnect"}
DEADLINE = 10


class Turn:
    """Nobody has one until it is given."""

    def __init__(self) -> None:
        self.given = asyncio.Event()

    async def __call__(self) -> None:
        await self.given.wait()


class Application:
    """Answers with so many bytes, in pieces, and says for whom."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces
        self.asked = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number, piece in enumerate(self.pieces, 1):
            await send({"type": "http.response.body", "body": piece, "more_body": number < len(self.pieces)})


class Client:
    """Takes what it is sent, or waits with it for as long as it is told to."""

    def __init__(self, method: str = "GET") -> None:
        self.inbox = Inbox(10)
        self.scope = {"type": "http", "method": method, "headers": [], "path": "/"}
        self.sent: list[Message] = []
        self.takes = asyncio.Event()
        self.takes.set()

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        await self.takes.wait()

    async def asks(self, service: Behind, application: Application) -> None:
        async with asyncio.timeout(DEADLINE):
            await service.answer(application, self.scope, self.inbox.get, self.send)

    @property
    def status(self) -> Any:
        return self.sent[0]["status"]


@pytest.mark.parametrize("is_gone_before", [True, False])
async def test_who_has_left_does_not_wait_for_long(is_gone_before: bool) -> None:
    turn, application, client = Turn(), Application(b"a"), Client()
    if is_gone_before:
        await client.inbox.put(GONE)
    asking = asyncio.create_task(client.asks(Behind(turn), application))
    await asyncio.sleep(0)
    await client.inbox.put(GONE)
    await asking
    assert application.asked == 0
    assert client.status == 503
    assert client.inbox.told is None


async def test_who_closes_his_side_and_reads_has_his_answer() -> None:
    turn, client = Turn(), Client()
    turn.given.set()
    await client.inbox.put(GONE)
    await client.asks(Behind(turn), Application(b"a"))
    assert client.status == 200


async def test_what_changes_something_is_carried_out() -> None:
    turn, application, client = Turn(), Application(b"a"), Client("POST")
    await client.inbox.put(GONE)
    asking = asyncio.create_task(client.asks(Behind(turn), application))
    await asyncio.sleep(2 * behind.LEFT_GRACE)
    turn.given.set()
    await asking
    assert application.asked == 1


async def test_answers_that_are_not_taken_have_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behind, "ANSWERS_BYTES", 400_000)
    turn = Turn()
    turn.given.set()
    service, application = Behind(turn), Application(b"a" * 200_000)
    slow = Client()
    slow.takes.clear()
    asking = asyncio.create_task(slow.asks(service, application))
    while service.held == 0:
        await asyncio.sleep(0)
        slow.takes.set() if slow.sent[-1:] and slow.sent[-1]["type"] == "http.response.start" else slow.takes.clear()
    refused = Client()
    await refused.asks(service, application)
    assert refused.status == 503
    assert sum(message["type"] == "http.response.start" for message in refused.sent) == 1
    small = Client()
    await small.asks(service, Application(b"a", b"b"))
    assert (small.status, [message.get("body") for message in small.sent[1:]]) == (200, [b"a", b"b"])
    assert service.held == 200_000
    slow.takes.set()
    await asking
    assert service.held == 0
