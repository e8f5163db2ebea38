"""Answers that are a page of the log: how large they are, how long they may take, and how they are given."""

from collections.abc import Sequence
from typing import Final

from service.access.headers import EVERY_ANSWER
from service.stream.asgi import Header, Send
from service.stream.pipe import Pipes
from service.wire.budget import Budget, Share
from service.wire.request import JSON_ANSWER

ANSWER_BYTES: Final = 1 << 20
"""Of data in one answer, about: the rest comes with the next one. A caller that asks and does not read holds it."""

SEARCH_SECONDS: Final = 0.2
"""That one answer's search may take, with its turns: then it says how far it came, and `more`."""

ANSWERS_BYTES: Final = 24 << 20
"""Of all answers that are under way together: what callers who read slowly may hold."""

PIECE_BYTES: Final = 32 * 1024
"""Of an answer, written at a time: a caller is given up that does not take so much in `send_timeout`."""


class Answers:
    """All that are under way. `send_timeout` is what a caller has to take a piece of its answer, in seconds."""

    def __init__(self, pipes: Pipes, send_timeout: float) -> None:
        self.budget: Final = Budget(ANSWERS_BYTES, "too many answers are under way")
        self._pipes = pipes
        self._send_timeout = send_timeout

    def share(self) -> Share:
        """Of the bytes that all of them may hold; a context manager around one of them."""
        return self.budget.share()

    async def give(self, send: Send, headers: Sequence[Header], body: bytes, *, head: bool = False) -> None:
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
