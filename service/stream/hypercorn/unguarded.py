"""The least that is done for a WebSocket where the guards are not in place: with another Hypercorn than theirs."""

from typing import Any

from hypercorn.protocol.ws_stream import FrameTooLargeError, WebsocketBuffer, WSStream

from service.stream.asgi import Send
from service.stream.hypercorn.inside import owner


class _BoundedBuffer(WebsocketBuffer):
    """A message in the making that stops growing at its bound.

    Hypercorn 0.18 answers a message beyond the bound with Close 1009 and goes on collecting its fragments, so that a
    client that never ends a message fills the memory.
    """

    def extend(self, event: Any) -> None:
        if self.length > self.max_length:
            raise FrameTooLargeError
        try:
            super().extend(event)
        except FrameTooLargeError:
            self.value = None  # `length` stays: nothing more is taken in
            raise


def harden_websocket(send: Send) -> None:
    """Bound the message buffer of this WebSocket and switch permessage-deflate off; call before accepting it.

    Hypercorn accepts whatever compression a browser offers: about 100 KiB a connection, CPU for each message and
    client, and frames that can't be shared.
    """
    stream = owner(send, WSStream)
    if stream is not None:
        stream.handshake.extensions = None
        stream.buffer = _BoundedBuffer(stream.buffer.max_length)
