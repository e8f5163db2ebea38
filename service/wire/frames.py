"""Frames: one JSON text for every wire, and its framing for each (docs/protocol.md, sections 1 and 2).

No I/O and no clock here: the same input is always the same bytes.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from service.core.ephemeral import Ephemeral
from service.core.event import APPEND, FINAL, JOINED, OFFSET, STATE, TYPE, Event, Row, Width, mark_of
from service.core.time import Moments
from service.core.words import ControlType
from service.wire.blocks import ServerSentEvent

POSITIONED: Final[frozenset[ControlType]] = frozenset({"connection", "gap", "state_end", "caught_up", "heartbeat"})
"""Control frames that carry a position; on SSE they get an `id:` line if they do, and `goodbye` does not."""


class EventText:
    """Events as JSON text. Topic, type and trace need no escaping by their alphabets, and `data` is JSON already.

    A page has the columns that its log needs (`Width`); a live event has all of them.
    """

    def __init__(self, epoch: str) -> None:
        self.epoch = epoch
        self._moments = Moments()

    def one(self, event: Event) -> str:
        return self.many((event,))[0]

    def many(self, rows: Sequence[Row]) -> list[str]:
        """One comprehension over the columns: a replay spends its time here. All rows are alike."""
        epoch, moments = self.epoch, self._moments
        found: Any = rows  # whose first one tells the columns, which the type checker can't follow
        if not rows or len(rows[0]) == Width.PLAIN:
            return [
                f'{{"id":"{epoch}-{offset}","topic":"{topic}","type":"{type}",'
                f'"time":"{moments[time]}","prev":"{epoch}-{prev}","data":{data}}}'
                if prev
                else f'{{"id":"{epoch}-{offset}","topic":"{topic}","type":"{type}",'
                f'"time":"{moments[time]}","prev":null,"data":{data}}}'
                for offset, topic, type, time, prev, data in found
            ]
        if len(rows[0]) == Width.TRACED:
            found = [(*row, None, None) for row in found]
        return [
            f'{{"id":"{epoch}-{offset}","topic":"{topic}","type":"{type}",'
            f'"time":"{moments[time]}","prev":"{epoch}-{prev}","data":{data}}}'
            if prev and trace is None and subject is None
            else f'{{"id":"{epoch}-{offset}","topic":"{topic}","type":"{type}",'
            f'"time":"{moments[time]}","prev":{self._cursor(prev)},{_members(trace, subject, mark)}"data":{data}}}'
            for offset, topic, type, time, prev, data, trace, subject, mark in found
        ]

    def ephemeral(self, event: Ephemeral) -> str:
        """One that is not kept: without `id` and `prev`, by which a client tells it."""
        sender = ""
        if event.user is not None or event.member is not None:
            member = "" if event.member is None else f',"member":"{event.member}"'
            sender = f'"from":{{"user":{json.dumps(event.user, ensure_ascii=False)}{member}}},'
        return (
            f'{{"topic":"{event.topic}","type":"{event.type}","time":"{self._moments[event.time]}",'
            f'"after":"{self.epoch}-{event.after}",{sender}"data":{event.data}}}'
        )

    def _cursor(self, offset: int) -> str:
        return f'"{self.epoch}-{offset}"' if offset else "null"


def _members(trace: str | None, subject: str | None, mark: int | None) -> str:
    """Those that few events have."""
    text = "" if trace is None else f'"traceparent":"{trace}",'
    if subject is not None:
        text += f'"subject":{json.dumps(subject, ensure_ascii=False)},'
        if mark:
            text += ('"append":true,' if mark & APPEND else "") + ('"final":true,' if mark & FINAL else "")
            text += '"state":true,' if mark & STATE else ""
            text += f'"joined":{mark // JOINED},' if mark >= JOINED else ""
    return text


def control_json(type: ControlType, fields: Mapping[str, Any]) -> str:
    return json.dumps({"type": type, **fields}, ensure_ascii=False, separators=(",", ":"))


def text_header(size: int) -> bytes:
    """The header of a WebSocket text message, unfragmented and unmasked, as servers send them (RFC 6455, 5.2)."""
    if size < 126:
        return bytes((0x81, size))
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2, "big")
    return b"\x81\x7f" + size.to_bytes(8, "big")


def text_message(payload: bytes) -> bytes:
    """A whole WebSocket text message."""
    return text_header(len(payload)) + payload


class _Headers(dict[int, str]):
    """Message headers by size, as text of which each character is one byte (Latin-1)."""

    def __missing__(self, size: int) -> str:
        text = self[size] = text_header(size).decode("latin-1")
        return text


PING: Final = b"\x89\x00"
"""An empty ping (RFC 6455, 5.5.2): it rides on heartbeats, so that the way back carries traffic too."""


def chunk(payload: bytes) -> bytes:
    """One chunk of a chunked HTTP/1.1 body (RFC 9112, 7.1)."""
    return b"%x\r\n%b\r\n" % (len(payload), payload)


def _sse_pieces(named: bool, has_id: bool) -> tuple[str, str, str, str]:
    """The text around id, type and data, cut out of what sse-starlette frames: encoded once, filled in often."""
    id = "{id}" if has_id else None
    sample = ServerSentEvent("{data}", event="{type}" if named else None, id=id, sep="\n").encode().decode()
    before_id, _, rest = sample.partition("{id}") if has_id else ("", "", sample)
    before_type, _, rest = rest.partition("{type}") if named else ("", "", rest)
    before_data, _, after_data = rest.partition("{data}")
    return before_id, before_type, before_data, after_data


class WebSocketFrames:
    """Raw WebSocket frames, joined into one write; for a connection's transport."""

    name: Final = "websocket"
    transport: Final = "websocket"
    may_be_held_back: Final = False
    is_fed: Final = True

    def __init__(self, text: EventText) -> None:
        self._text = text
        self._headers = _Headers()

    def frame(self, event: Event) -> bytes:
        return text_message(self._text.one(event).encode())

    def ephemeral(self, event: Ephemeral) -> bytes:
        return text_message(self._text.ephemeral(event).encode())

    def presence(self, text: str) -> bytes:
        return text_message(text.encode())

    def join(self, frames: Sequence[bytes]) -> bytes:
        return b"".join(frames)

    def page(self, rows: Sequence[Row]) -> bytes:
        """ASCII text has as many bytes as characters, so headers and texts are joined first and encoded once."""
        texts = self._text.many(rows)
        if not all(map(str.isascii, texts)):
            return b"".join([text_message(text.encode()) for text in texts])
        headers = self._headers
        return "".join([headers[len(text)] + text for text in texts]).encode("latin-1")

    def control(self, type: ControlType, fields: Mapping[str, Any]) -> bytes:
        frame = text_message(control_json(type, fields).encode())
        return frame + PING if type == "heartbeat" else frame

    def opening(self, connection: Mapping[str, Any]) -> bytes:
        return self.control("connection", connection)


class WebSocketMessages:
    """Messages as text, one ASGI event each; for servers whose transport is out of reach."""

    name: Final = "websocket-messages"
    transport: Final = "websocket"
    may_be_held_back: Final = False
    is_fed: Final = False

    def __init__(self, text: EventText) -> None:
        self._text = text

    def frame(self, event: Event) -> bytes:
        return self._text.one(event).encode()

    def ephemeral(self, event: Ephemeral) -> bytes:
        return self._text.ephemeral(event).encode()

    def presence(self, text: str) -> bytes:
        return text.encode()

    def join(self, frames: Sequence[bytes]) -> tuple[bytes, ...]:
        return tuple(frames)

    def page(self, rows: Sequence[Row]) -> tuple[bytes, ...]:
        return tuple([text.encode() for text in self._text.many(rows)])

    def control(self, type: ControlType, fields: Mapping[str, Any]) -> tuple[bytes, ...]:
        return (control_json(type, fields).encode(),)

    def opening(self, connection: Mapping[str, Any]) -> tuple[bytes, ...]:
        return self.control("connection", connection)


class SSEFrames:
    """The event stream format (WHATWG HTML, 9.2.5). `named` False leaves the `event:` line out.

    `chunked` adds the chunk header, for writing to a connection's transport.
    """

    transport: Final = "sse"
    may_be_held_back: Final = True

    def __init__(self, text: EventText, named: bool, chunked: bool) -> None:
        self.name = f"sse{'' if named else '-unnamed'}{'-chunked' if chunked else ''}"
        self._text = text
        self._named = named
        self._chunked = chunked
        self.is_fed: Final = chunked  # without, it is for portable pipes, which take no write
        self._pieces = _sse_pieces(named, has_id=True)
        self._state_pieces = _sse_pieces(named, has_id=False)

    def frame(self, event: Event) -> bytes:
        return self._frames((event,))

    def ephemeral(self, event: Ephemeral) -> bytes:
        """No `id:` line: what an EventSource comes back with stays where it was."""
        _, before_type, before_data, after_data = self._state_pieces
        type = event.type if self._named else ""
        return f"{before_type}{type}{before_data}{self._text.ephemeral(event)}{after_data}".encode()

    def presence(self, text: str) -> bytes:
        """Likewise without an `id:` line."""
        _, before_type, before_data, after_data = self._state_pieces
        return f"{before_type}{'presence' if self._named else ''}{before_data}{text}{after_data}".encode()

    def join(self, frames: Sequence[bytes]) -> bytes:
        body = b"".join(frames)
        return chunk(body) if self._chunked else body

    def page(self, rows: Sequence[Row]) -> bytes:
        body = self._frames(rows)
        return chunk(body) if self._chunked else body

    def _frames(self, rows: Sequence[Row]) -> bytes:
        before_id, before_type, before_data, after_data = self._pieces
        epoch, texts = self._text.epoch, self._text.many(rows)
        if mark_of(rows[0]) & STATE:  # and so have all: nothing of a state is a position
            _, before_type, before_data, after_data = self._state_pieces
            types = [row[TYPE] if self._named else "" for row in rows]
            parts = [
                f"{before_type}{type}{before_data}{text}{after_data}" for type, text in zip(types, texts, strict=True)
            ]
        elif not self._named:
            pairs = zip(rows, texts, strict=True)
            parts = [f"{before_id}{epoch}-{row[OFFSET]}{before_data}{text}{after_data}" for row, text in pairs]
        else:
            parts = [
                f"{before_id}{epoch}-{row[OFFSET]}{before_type}{row[TYPE]}{before_data}{text}{after_data}"
                for row, text in zip(rows, texts, strict=True)
            ]
        return "".join(parts).encode()

    def control(self, type: ControlType, fields: Mapping[str, Any], retry: int | None = None) -> bytes:
        """`retry`, in ms, is for the browser, where `fields` have none for the page."""
        frame = self._control(type, fields, retry=retry)
        return chunk(frame) if self._chunked else frame

    def opening(self, connection: Mapping[str, Any]) -> bytes:
        """`connection`, with a comment before it, so that proxies see a body at once, and this client's own `retry:`.

        In one block: clients that are not strict hand a block without `data:` on as an empty event.
        """
        block = self._control("connection", connection, comment="twinwire", retry=connection["retry"])
        return chunk(block) if self._chunked else block

    def _control(
        self, type: ControlType, fields: Mapping[str, Any], comment: str | None = None, retry: int | None = None
    ) -> bytes:
        """`retry` is in ms."""
        return ServerSentEvent(
            control_json(type, fields),
            event=type if self._named else None,
            id=fields["id"] if type in POSITIONED else None,
            retry=fields["retry"] if retry is None and type == "goodbye" else retry,
            comment=comment,
            sep="\n",
        ).encode()


class PollItems:
    """Array items of a long-poll or history answer."""

    name: Final = "poll"
    transport: Final = "poll"
    is_fed: Final = False

    def __init__(self, text: EventText) -> None:
        self._text = text

    def frame(self, event: Event) -> bytes:
        return self._text.one(event).encode()

    def ephemeral(self, event: Ephemeral) -> bytes:
        return self._text.ephemeral(event).encode()

    def presence(self, text: str) -> bytes:
        return text.encode()

    def join(self, frames: Sequence[bytes]) -> bytes:
        return b",".join(frames)

    def page(self, rows: Sequence[Row]) -> bytes:
        return ",".join(self._text.many(rows)).encode()


class Frames:
    """The encodings of one log: made once, shared by all streams."""

    def __init__(self, epoch: str) -> None:
        text = EventText(epoch)
        self.websocket = WebSocketFrames(text)
        self.websocket_messages = WebSocketMessages(text)
        self.poll = PollItems(text)
        self._sse = {
            (named, chunked): SSEFrames(text, named, chunked) for named in (True, False) for chunked in (True, False)
        }

    def sse(self, named: bool, chunked: bool) -> SSEFrames:
        return self._sse[named, chunked]
