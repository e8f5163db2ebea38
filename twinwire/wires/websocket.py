"""WebSocket, by `websockets`: one text message is one frame.

A proxy that lets no tunnel through refuses the handshake with a page of its own, whatever its status says; so only a
problem of the service counts as its answer, and everything else sends us to the next transport. So does its 426, which
says that it was asked without an Upgrade.
"""

import contextlib
import logging
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidProxy, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from twinwire.encoding import as_json
from twinwire.errors import Fault
from twinwire.frames import Frame
from twinwire.http import AGENT, Http, problem_of, seconds, words
from twinwire.link import WireError, read_frame
from twinwire.place import URL_MAX

MESSAGE_MAX: Final = 64 << 20
"""Bytes of one message; of an event there are about 64 KiB, if the service is not told otherwise."""

QUEUE: Final = 256
"""Frames that wait to be read, beside what the socket holds."""

PING: Final = 20.0
"""Seconds between pings that keep a path open. That a pong is late proves nothing where the reader is: we judge by
silence."""

CLOSE: Final = 2.0
"""Seconds until a peer that does not close is left alone."""

PROTOCOL: Final = Subprotocol("twinwire.v1")

_logger: Final = logging.getLogger("twinwire.websockets")
_logger.setLevel(logging.INFO)  # at DEBUG the library tells every field of a handshake, and the token is one


class WebSocketWire:
    """`topics`: filters; none for all. `after` as for a stream; `ephemeral`: events that are not kept, too; `presence`:
    who is there, too."""

    def __init__(
        self, http: Http, topics: Sequence[str], after: str | None, *, ephemeral: bool = False, presence: bool = False
    ) -> None:
        self._http = http
        self._topics = topics
        beside = ("ephemeral", 1 if ephemeral else None), ("presence", 1 if presence else None)
        self._start = ("after", after), *beside
        self._socket: ClientConnection | None = None

    async def frames(self) -> AsyncGenerator[tuple[Frame, str], None]:
        socket = await self._connect()
        try:
            while True:
                text = await socket.recv()
                if isinstance(text, bytes):
                    raise WireError(Fault("protocol", "a binary message"))
                yield read_frame(text), text
        except ConnectionClosed as error:
            raise WireError(_closed(error)) from error

    async def _connect(self) -> ClientConnection:
        place = self._http.place
        url = place.websocket([*(("topic", topic) for topic in self._topics), *self._start])
        is_later = len(url) > URL_MAX  # then the topics follow in a message (docs/protocol.md, section 4)
        if is_later:
            url = place.websocket([("filter", "later"), *self._start])
        try:
            socket = self._socket = await _Connect(
                url,
                subprotocols=[PROTOCOL],
                additional_headers=self._http.token.headers,
                user_agent_header=AGENT,
                compression=None,
                proxy=None if place.is_loopback else True,
                open_timeout=None,  # whoever opened it has a time of his own
                ping_interval=PING,
                ping_timeout=None,
                close_timeout=CLOSE,
                max_size=MESSAGE_MAX,
                max_queue=QUEUE,
                logger=_logger,
            )
        except InvalidStatus as error:
            raise WireError(self._refused(error)) from error
        except (OSError, EOFError, ImportError, InvalidHandshake, InvalidProxy, InvalidURI, ValueError) as error:
            raise WireError(self._http.fault(error)) from error
        if is_later:
            await socket.send(as_json({"op": "subscribe", "topics": list(self._topics)}).decode())
        return socket

    def _refused(self, error: InvalidStatus) -> Fault:
        answer = error.response
        problem = problem_of(answer.headers.get("Content-Type", ""), bytes(answer.body or b""))
        if problem is not None and problem.status == 426:  # something on the way has taken the Upgrade out
            return Fault("unsupported", words(answer.status_code, problem))
        if problem is None:
            return Fault("network", words(answer.status_code, None))
        wait = seconds(answer.headers.get("Retry-After"), answer.headers.get("Date"))
        detail = self._http.token.without(words(answer.status_code, problem))
        return Fault("http", detail, answer.status_code, problem, wait)

    async def send(self, text: str) -> bool:
        if self._socket is None:
            return False
        try:
            await self._socket.send(text)
        except ConnectionClosed:
            return False
        return True

    async def close(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(Exception):
                await self._socket.close()


class _Connect(connect):
    """Follows no redirect: the token goes to nobody else."""

    def process_redirect(self, exc: Exception) -> Any:
        return exc


def _closed(error: ConnectionClosed) -> Fault:
    close = error.rcvd
    if close is None:
        return Fault("network", "the connection was cut", code=1006)
    return Fault("closed", close.reason or f"closed with {close.code}", code=int(close.code))
