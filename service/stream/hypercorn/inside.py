"""The way from an ASGI `send` into Hypercorn: whose it is, and which connection's."""

import asyncio
from types import MethodType
from typing import Any

from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.protocol.ws_stream import WSStream

from service.stream.asgi import Send
from service.stream.hypercorn.http1 import GuardedHTTP1
from service.stream.hypercorn.http2 import GuardedHTTP2
from service.stream.hypercorn.server import GuardedServer
from service.stream.hypercorn.websocket import GuardedWebSocket


def owner(method: object, *kinds: type) -> Any | None:
    """The object that a bound method belongs to, if its type is exactly one of `kinds`."""
    if type(method) is not MethodType or type(method.__self__) not in kinds:
        return None
    return method.__self__


def stream_of(send: Send) -> Any | None:
    """Hypercorn's stream behind a `send`, of HTTP or WebSocket; None if it is neither."""
    return owner(send, HTTPStream, WSStream, GuardedWebSocket)


def http2_of(stream: Any) -> Any | None:
    """The HTTP/2 protocol that a stream belongs to, if it does."""
    return owner(stream.send, H2Protocol, GuardedHTTP2)


def protocol_of(stream: Any) -> Any | None:
    """The protocol that a stream belongs to, of HTTP/1.1 or HTTP/2."""
    return owner(stream.send, H11Protocol, GuardedHTTP1, H2Protocol, GuardedHTTP2)


def server_of(protocol: Any) -> Any | None:
    """The connection's server, if it is Hypercorn's for asyncio."""
    return owner(protocol.send, TCPServer, GuardedServer)


def find_response_writer(send: Send) -> asyncio.StreamWriter | None:
    """The writer of the HTTP/1.1 connection behind a request's `send`, or None if there is none that we know."""
    return find_writer(owner(send, HTTPStream))


def find_websocket_writer(send: Send) -> asyncio.StreamWriter | None:
    """The same behind a WebSocket's `send`."""
    return find_writer(owner(send, WSStream, GuardedWebSocket))


def find_writer(stream: Any | None) -> asyncio.StreamWriter | None:
    protocol = owner(stream.send, H11Protocol, GuardedHTTP1) if stream is not None else None
    server = server_of(protocol) if protocol is not None else None
    writer = getattr(server, "writer", None)
    return writer if type(writer) is asyncio.StreamWriter else None
