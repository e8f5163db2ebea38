"""Bodies under way: all of them together have a budget in bytes, and each has to get on.

Whatever a request brings, to a wire or to a resource behind the front door, is read here. What is held is counted,
from its first byte until whoever reads it is done with it; a client that sends much too slowly is told so and let go.
"""

import asyncio
from typing import Any, Final

from service.core.errors import RequestTimeoutError, TooLargeError, TwinwireError
from service.core.limits import REQUEST_MAX
from service.stream.asgi import ASGI, Header, Message, Receive, Scope, Send
from service.wire.budget import Budget, Share
from service.wire.request import DisconnectedError, Request, respond_problem

PROGRESS_BYTES: Final = 64 * 1024
"""A body that is not complete has to bring so much in each `seconds`: 2 KiB a second, which any line can."""


LOOKS: Final = 10
"""Of all bodies in the time in which one has to get on: so much later than that may one be told."""


class Bodies:
    """`budget` is the bytes of all bodies together, `seconds` the time in which one has to get on, `most` the bytes of
    one.

    One timer looks after all of them, while there are any: one for each would be the dearest part of a small publish.
    """

    def __init__(self, budget: int, seconds: float, most: int = REQUEST_MAX) -> None:
        self.budget: Final = Budget(budget, "too much is being sent at the moment")
        self.seconds: Final = seconds
        self.most: Final = most
        self._coming: dict[Body, asyncio.Task[Any]] = {}
        """Bodies that are being read, each by its task."""
        self._looks = False
        """`_look` is called in a while."""

    def watch(self, body: "Body") -> None:
        """Tell `body` when its time is over, until `leave`. Called in the task that reads it."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        self._coming[body] = task
        body.due = loop.time() + self.seconds
        if not self._looks:
            self._look_later(loop)

    def leave(self, body: "Body") -> None:
        self._coming.pop(body, None)

    def _look_later(self, loop: asyncio.AbstractEventLoop) -> None:
        self._looks = True
        loop.call_later(self.seconds / LOOKS, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        late = [body for body in self._coming if body.due <= now]
        for body in late:
            body.is_late = True
            self._coming.pop(body).cancel()
        self._looks = False
        if self._coming:
            self._look_later(loop)

    def open(self) -> "Body":
        """Room for one body: a context manager, which gives back what it took."""
        return Body(self)

    async def before(self, inner: ASGI, cors: list[Header], scope: Scope, receive: Receive, send: Send) -> None:
        """Call `inner`, an application that bounds nothing by itself, with the body already there."""
        request = Request(scope)
        with self.open() as body:
            try:
                whole = await body.read(request, receive)
            except TwinwireError as error:
                await respond_problem(send, error, head=request.method == "HEAD", cors=cors, is_last=True)
                return
            except DisconnectedError:
                return
            await inner(scope, _Read(whole, receive), send)


class _Read:
    """A `receive` of which the body was read before."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._message: Message | None = {"type": "http.request", "body": body, "more_body": False}
        self._receive = receive

    async def __call__(self) -> Message:
        message, self._message = self._message, None
        return await self._receive() if message is None else message


class Body(Share):
    """See `Bodies.open`. `is_complete` tells whether nothing of it is left unread."""

    __slots__ = ("_bodies", "due", "is_complete", "is_late")

    def __init__(self, bodies: Bodies) -> None:
        super().__init__(bodies.budget)
        self._bodies = bodies
        self.due = 0.0
        """Until when it has to get on, on the loop's clock."""
        self.is_late = False
        """It did not, and its task was cancelled for it."""
        self.is_complete = False

    async def read(self, request: Request, receive: Receive, limit: int = REQUEST_MAX) -> bytes:
        """The whole body.

        Raises TooLargeError as soon as it exceeds `limit` bytes or those of any body, OverloadedError beyond the
        budget, RequestTimeoutError if it does not get on, DisconnectedError if it never ends.
        """
        limit = min(limit, self._bodies.most)
        declared = request.header(b"content-length")
        if declared is not None and declared.isdigit() and int(declared) > limit:
            raise TooLargeError(f"a request has at most {limit} bytes")
        self._bodies.watch(self)
        try:
            return await self._collect(receive, limit)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self.is_late or task is None or task.uncancel():
                raise  # by somebody else, too
            raise RequestTimeoutError(
                f"a request brings {PROGRESS_BYTES // 1024} KiB in {self._bodies.seconds:g} seconds, or its end"
            ) from None
        finally:
            self._bodies.leave(self)

    async def _collect(self, receive: Receive, limit: int) -> bytes:
        """In one buffer: a list of pieces would be twenty times as large if each is a few bytes."""
        found: bytes | bytearray = b""
        due = PROGRESS_BYTES
        while (message := await receive())["type"] == "http.request":
            piece: bytes = message.get("body", b"")
            if len(found) + len(piece) > limit:
                raise TooLargeError(f"a request has at most {limit} bytes")
            self.take(len(piece))
            self.is_complete = not message.get("more_body", False)
            if self.is_complete and not found:
                return piece
            found = found or bytearray()
            found += piece
            if self.is_complete:
                return bytes(found)
            if len(found) >= due:
                due = len(found) + PROGRESS_BYTES
                self.due = asyncio.get_running_loop().time() + self._bodies.seconds
        raise DisconnectedError
