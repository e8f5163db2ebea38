"""What a connection has read for its application, and the applications' tasks.

In Hypercorn 0.18 both ends of that queue can be left alone with it. An application that has answered without reading
its request's body leaves the reader waiting for room that nobody makes; and then waits itself, to put the news of its
own end into the same full queue. Neither ends when the peer leaves.

Rule 1: `http.disconnect` and `websocket.disconnect` are always taken; everything before them is still read first.
Rule 2: once the application is over, everything is taken, and thrown away.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from hypercorn.asyncio.task_group import TaskGroup
from hypercorn.config import Config
from hypercorn.typing import AppWrapper

from service.stream.asgi import Message, Scope

_LAST: Final = frozenset({"http.disconnect", "websocket.disconnect"})


BYTES_MAX: Final = 32 * 1024
"""Of a connection's messages that wait: one more is taken as long as they are less."""


def message_size(message: Message) -> int:
    """Bytes, or characters of a text."""
    return len(message.get("body") or message.get("bytes") or message.get("text") or b"")


class Inbox:
    """A queue of `bound` messages, as `asyncio.Queue` but for the rules above, and half its size while it is empty."""

    __slots__ = ("_bound", "_bytes", "_is_over", "_messages", "_readers", "_writers", "told")

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._messages: list[Message] = []
        self._bytes = 0
        """Of what is in them."""
        self.told: Callable[[], None] | None = None
        """Called once, when the client's end is put."""
        self._readers: list[asyncio.Future[None]] = []
        """Waiting in `get`; all are woken together, and look again."""
        self._writers: list[asyncio.Future[None]] = []
        """Waiting in `put`, likewise."""
        self._is_over = False

    @property
    def has_end(self) -> bool:
        """Whether the client's end is among what is to be read."""
        return any(message["type"] in _LAST for message in self._messages)

    async def get(self) -> Message:
        while not self._messages:
            await _wait_in(self._readers)
        message = self._messages.pop(0)
        self._bytes -= message_size(message)
        _wake(self._writers)
        return message

    async def put(self, message: Message) -> None:
        is_last = message["type"] in _LAST
        while self._is_full and not self._is_over and not is_last:
            await _wait_in(self._writers)
        if not self._is_over:
            self._messages.append(message)
            self._bytes += message_size(message)
            _wake(self._readers)
            if is_last and self.told is not None:
                self.told()

    @property
    def _is_full(self) -> bool:
        return len(self._messages) >= self._bound or self._bytes >= BYTES_MAX

    def close(self) -> None:
        """Nobody reads any more."""
        self._is_over = True
        self.told = None
        self._messages.clear()
        self._bytes = 0
        _wake(self._writers)


async def _wait_in(waiting: list[asyncio.Future[None]]) -> None:
    future = asyncio.get_running_loop().create_future()
    waiting.append(future)
    try:
        await future
    finally:
        waiting.remove(future)


def _wake(waiting: list[asyncio.Future[None]]) -> None:
    for future in waiting:
        if not future.done():
            future.set_result(None)


class GuardedTaskGroup(TaskGroup):
    """Hypercorn's tasks of one connection, with an `Inbox` for each application."""

    async def spawn_app(
        self, app: AppWrapper, config: Config, scope: Any, send: Callable[[Any], Awaitable[None]]
    ) -> Callable[[Any], Awaitable[None]]:
        inbox = Inbox(config.max_app_queue_size)
        self.spawn(self._run_app, inbox, app, config, scope, send)
        return inbox.put

    async def _run_app(
        self, inbox: Inbox, app: AppWrapper, config: Config, scope: Scope, send: Callable[[Any], Awaitable[None]]
    ) -> None:
        try:
            await app(scope, inbox.get, send, partial(self._loop.run_in_executor, None), _no_threads)  # type: ignore[arg-type]
        except Exception:
            await config.log.exception("Error in ASGI Framework")
        finally:
            inbox.close()
            await send(None)


def _no_threads(*args: object) -> None:
    raise RuntimeError("only WSGI applications call back from threads")
