"""`GET /api/health`: whether the event loop still answers (docs/protocol.md, section 7).

On plain ASGI, as it is asked most when the service has the least time: a framework's request is a millisecond, and some
turns of a loop that is busy.
"""

from typing import Final

from service.access.gate import Act, Gate
from service.core.errors import TwinwireError
from service.stream.asgi import Receive, Scope, Send
from service.wire.request import JSON_ANSWER, Request, respond, respond_problem

_BODY: Final = b'{"status":"ok"}'


class HealthWire:
    """An ASGI application for GET and HEAD."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        head = request.method == "HEAD"
        cors = self._gate.cors(request)
        try:
            self._gate.enter(request, Act.READ, is_open=True)
        except TwinwireError as error:
            await respond_problem(send, error, head=head, cors=cors)
            return
        await respond(send, 200, [*JSON_ANSWER, *cors], _BODY, head=head)
