"""Frames: one JSON text for every wire, and its framing for each (PROTOCOL.md, sections 1 and 2).

No I/O and no clock here: the same input is always the same bytes.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from sse_starlette import ServerSentEvent

from service.core.event import Event

POSITIONED: Final = frozenset({"connection", "gap", "caught_up", "heartbeat"})
"""Control frames that carry a position; on SSE they get an `id:` line, and `goodbye` does not."""


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def rfc3339(unix_ms: int) -> str:
    """RFC 3339, UTC, with milliseconds."""
    return f"{_second(unix_ms // 1000)}.{unix_ms % 1000:03}Z"


def event_json(epoch: str, event: Event) -> str:
    """The event frame. Topic and type need no escaping by their alphabets, and `data` is JSON already."""
    offset, topic, type, time, prev, data = event
    before = f'"{epoch}-{prev}"' if prev else "null"
    return (
        f'{{"id":"{epoch}-{offset}","topic":"{topic}","type":"{type}",'
        f'"time":"{rfc3339(time)}","prev":{before},"data":{data}}}'
    )


def control_json(type: str, fields: Mapping[str, Any]) -> str:
    return json.dumps({"type": type, **fields}, ensure_ascii=False, separators=(",", ":"))


def text_message(payload: bytes) -> bytes:
    """A WebSocket text message, unfragmented and unmasked, as servers send them (RFC 6455, 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


PING: Final = b"\x89\x00"
"""An empty ping (RFC 6455, 5.5.2): it rides on heartbeats, so that the way back carries traffic too."""


def chunk(payload: bytes) -> bytes:
    """One chunk of a chunked HTTP/1.1 body (RFC 9112, 7.1)."""
    return b"%x\r\n%b\r\n" % (len(payload), payload)


def _sse_pieces(named: bool) -> tuple[str, str, str, str]:
    """The text around id, type and data, cut out of what sse-starlette frames: encoded once, filled in often."""
    sample = ServerSentEvent("{data}", event="{type}" if named else None, id="{id}", sep="\n").encode().decode()
    before_id, _, rest = sample.partition("{id}")
    before_type, _, rest = rest.partition("{type}") if named else ("", "", rest)
    before_data, _, after_data = rest.partition("{data}")
    return before_id, before_type, before_data, after_data


class WebSocketFrames:
    """Raw WebSocket frames, joined into one write; for a connection's transport."""

    name: Final = "websocket"
    transport: Final = "websocket"

    def __init__(self, epoch: str) -> None:
        self._epoch = epoch

    def frame(self, event: Event) -> bytes:
        return text_message(event_json(self._epoch, event).encode())

    def join(self, frames: Sequence[bytes]) -> bytes:
        return b"".join(frames)

    def control(self, type: str, fields: Mapping[str, Any]) -> bytes:
        frame = text_message(control_json(type, fields).encode())
        return frame + PING if type == "heartbeat" else frame


class WebSocketMessages:
    """Messages as text, one ASGI event each; for servers whose transport is out of reach."""

    name: Final = "websocket-messages"
    transport: Final = "websocket"

    def __init__(self, epoch: str) -> None:
        self._epoch = epoch

    def frame(self, event: Event) -> bytes:
        return event_json(self._epoch, event).encode()

    def join(self, frames: Sequence[bytes]) -> tuple[bytes, ...]:
        return tuple(frames)

    def control(self, type: str, fields: Mapping[str, Any]) -> tuple[bytes, ...]:
        return (control_json(type, fields).encode(),)


class SSEFrames:
    """The event stream format (WHATWG HTML, 9.2.5). `named` False leaves the `event:` line out.

    `chunked` adds the chunk header, for writing to a connection's transport.
    """

    transport: Final = "sse"

    def __init__(self, epoch: str, named: bool, chunked: bool) -> None:
        self.name = f"sse{'' if named else '-unnamed'}{'-chunked' if chunked else ''}"
        self._epoch = epoch
        self._named = named
        self._chunked = chunked
        self._pieces = _sse_pieces(named)

    def frame(self, event: Event) -> bytes:
        before_id, before_type, before_data, after_data = self._pieces
        type = event.type if self._named else ""
        text = event_json(self._epoch, event)
        return (f"{before_id}{self._epoch}-{event.offset}{before_type}{type}{before_data}{text}{after_data}").encode()

    def join(self, frames: Sequence[bytes]) -> bytes:
        body = b"".join(frames)
        return chunk(body) if self._chunked else body

    def control(self, type: str, fields: Mapping[str, Any]) -> bytes:
        frame = self._control(type, fields)
        return chunk(frame) if self._chunked else frame

    def opening(self, retry: int, connection: Mapping[str, Any]) -> bytes:
        """A comment, so that proxies see a body at once, this client's own `retry:` in ms, then `connection`."""
        prelude = ServerSentEvent(comment="twinwire", retry=retry, sep="\n").encode()
        body = prelude + self._control("connection", connection)
        return chunk(body) if self._chunked else body

    def _control(self, type: str, fields: Mapping[str, Any]) -> bytes:
        return ServerSentEvent(
            control_json(type, fields),
            event=type if self._named else None,
            id=str(fields["id"]) if type in POSITIONED else None,
            retry=fields["retry"] if type == "goodbye" else None,
            sep="\n",
        ).encode()


class PollItems:
    """Array items of a long-poll or history answer."""

    name: Final = "poll"
    transport: Final = "poll"

    def __init__(self, epoch: str) -> None:
        self._epoch = epoch

    def frame(self, event: Event) -> bytes:
        return event_json(self._epoch, event).encode()

    def join(self, frames: Sequence[bytes]) -> bytes:
        return b",".join(frames)


class Frames:
    """The encodings of one log: made once, shared by all streams."""

    def __init__(self, epoch: str) -> None:
        self.websocket = WebSocketFrames(epoch)
        self.websocket_messages = WebSocketMessages(epoch)
        self.poll = PollItems(epoch)
        self._sse = {
            (named, chunked): SSEFrames(epoch, named, chunked) for named in (True, False) for chunked in (True, False)
        }

    def sse(self, named: bool, chunked: bool) -> SSEFrames:
        return self._sse[named, chunked]
