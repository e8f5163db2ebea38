"""Answers that are a page of the log: how large they are, how long they may take, and how they are given."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from service.access.caller import Caller
from service.access.gate import Act, Gate
from service.access.headers import EVERY_ANSWER
from service.core.errors import InvalidError, OverloadedError, TwinwireError
from service.core.limits import OFFSET_MAX, PAGE_DEFAULT, PAGE_MAX
from service.stream.asgi import Header, Receive, Scope, Send
from service.stream.pipe import Pipes
from service.wire.budget import Budget
from service.wire.request import JSON_ANSWER, DisconnectedError, Request, respond_problem
from service.wire.scanning import Scanning, Scans

ANSWER_BYTES: Final = 1 << 20
"""Of data in one answer, about: the rest comes with the next one. A caller that asks and does not read holds it."""

SEARCH_SECONDS: Final = 0.2
"""That one answer's search may take, with its turns: then it says how far it came, and `more`."""

ANSWERS_BYTES: Final = 24 << 20
"""Of all answers that are under way together: what callers who read slowly may hold."""

PIECE_BYTES: Final = 32 * 1024
"""Of an answer, written at a time: a caller is given up that does not take so much in `send_timeout`."""

Look = Callable[[Request, Receive, Scanning, Caller], Awaitable[bytes]]
"""Finds the body. Raises TwinwireError, or DisconnectedError if nobody waits for it any more."""

Ask = Callable[[Request, Receive], Awaitable[None]]
"""Takes what is asked out of a request's body, before it is looked for. Raises likewise."""


class Answers:
    """All that are under way. `send_timeout` is what a caller has to take a piece of its answer, in seconds."""

    def __init__(self, gate: Gate, scans: Scans, pipes: Pipes, send_timeout: float) -> None:
        self._gate = gate
        self.scans: Final = scans
        self.budget: Final = Budget(ANSWERS_BYTES, "too many answers are under way")
        self._pipes = pipes
        self._send_timeout = send_timeout

    async def answer(self, look: Look, scope: Scope, receive: Receive, send: Send, ask: Ask | None = None) -> None:
        """One request that reads, from the door to the last piece, or to the problem that it is answered with."""
        request = Request(scope)
        head = request.method == "HEAD"
        cors = self._gate.cors(request)
        with self.budget.share() as share:
            try:
                caller = self._gate.enter(request, Act.READ).caller
                if ask is not None and request.method == "POST":
                    await ask(request, receive)
                    caller = self._gate.enter(request, Act.READ).caller  # as he is now, and as the body says
                async with self.scans.of(receive, caller) as scan:
                    body = await look(request, receive, scan, caller)
                    share.take(len(body))
            except TwinwireError as error:
                is_last = request.method == "POST" or isinstance(error, OverloadedError)
                await respond_problem(send, error, head=head, cors=cors, is_last=is_last)
                return
            except DisconnectedError:
                return
            await self._give(send, cors, body, head=head)

    async def _give(self, send: Send, headers: Sequence[Header], body: bytes, *, head: bool) -> None:
        """JSON, in pieces: whoever takes them slowly but steadily gets them all."""
        length = (b"content-length", str(len(body)).encode())
        fields = [*JSON_ANSWER, *headers, *EVERY_ANSWER, length]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        if head:
            body = b""
        for start in range(0, max(1, len(body)), PIECE_BYTES):
            end = start + PIECE_BYTES
            piece = {"type": "http.response.body", "body": body[start:end], "more_body": end < len(body)}
            if not await self._pipes.end(send, piece, self._send_timeout):
                return


def page_limit(request: Request) -> int:
    """Events in an answer, by the parameter `limit`. Raises InvalidError."""
    limit = request.number("limit", PAGE_DEFAULT, 1, OFFSET_MAX)
    if limit % 1:
        raise InvalidError("limit is a whole number", field="limit")
    return min(int(limit), PAGE_MAX)
