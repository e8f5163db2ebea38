"""The application behind the doors: a framework's, which takes a millisecond at least and holds its answers whole.

Rule 1: requests wait for a turn. Who has hung up meanwhile, or has closed his side and still reads, waits LEFT_GRACE
seconds more and no longer: else one who asks and hangs up has the service work for him as often as there are
descriptors. What changes something is carried out all the same.

Rule 2: answers that are not taken yet have one budget, as those of the wire have.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from service.core.errors import OverloadedError
from service.log.base import Turn
from service.stream.asgi import ASGI, Message, Receive, Scope, Send
from service.wire.budget import Budget, Share
from service.wire.request import has_left, on_leaving, respond_problem

LEFT_GRACE: Final = 0.1
"""Seconds that a request waits for its turn after its client has left."""

ANSWERS_BYTES: Final = 16 << 20
"""Of all such answers that are under way together; each is in memory twice, as the framework's and on its way."""

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Behind:
    """`ask(scope, receive, send)` is the application, with whatever stands before it."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._answers = Budget(ANSWERS_BYTES, "too many answers are under way")

    @property
    def held(self) -> int:
        """Bytes of answers that are under way."""
        return self._answers.held

    async def answer(self, ask: ASGI, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("method") not in _SAFE:
            await self._turn()
        elif not await self._turn_of(receive):
            await respond_problem(send, OverloadedError("others come first, and you have hung up"))
            return
        with self._answers.share() as share:
            await ask(scope, receive, _Counted(send, share))

    async def _turn_of(self, receive: Receive) -> bool:
        """Whether it came before the client had left for too long."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None) as limit:
                shorten = partial(_shorten, limit, loop)
                if has_left(receive):
                    shorten()
                on_leaving(receive, shorten)
                await self._turn()
        except TimeoutError:
            return False
        finally:
            on_leaving(receive, None)
        return True


def _shorten(limit: asyncio.Timeout, loop: asyncio.AbstractEventLoop) -> None:
    limit.reschedule(loop.time() + LEFT_GRACE)


class _Counted:
    """A `send` that takes an answer's bytes from the budget before it begins, and gives them back as they leave.

    Where there is no room for the first of them, the client is told so instead; an answer that comes in pieces and
    finds none later is cut off.
    """

    def __init__(self, send: Callable[[Message], Awaitable[None]], share: Share) -> None:
        self._send = send
        self._share = share
        self._head: Message | None = None
        self._is_refused = False

    async def __call__(self, message: Message) -> None:
        if self._is_refused:
            return
        if message["type"] == "http.response.start":
            self._head = message
            return
        size = len(message.get("body", b"")) if message["type"] == "http.response.body" else 0
        head, self._head = self._head, None
        try:
            self._share.take(size)
        except OverloadedError as error:
            if head is None:
                raise
            self._is_refused = True
            await respond_problem(self._send, error)
            return
        if head is not None:
            await self._send(head)
        await self._send(message)
        self._share.give(size)
