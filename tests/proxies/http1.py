"""As much of HTTP/1.1 (RFC 9112) as a proxy needs: heads, and the three ways to frame a body."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Final

HEAD_END: Final = b"\r\n\r\n"
READ: Final = 64 * 1024
"""Bytes of one read: the stream reader's own bound."""
HOP_BY_HOP: Final = ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade")
"""Fields that are meant for the next hop only (RFC 9110, 7.6.1)."""
BODILESS: Final = (101, 204, 304)


@dataclass(frozen=True, slots=True)
class Head:
    """A start line and fields, in the order of the wire."""

    start: str
    fields: tuple[tuple[str, str], ...] = ()

    @classmethod
    async def read(cls, reader: asyncio.StreamReader) -> "Head":
        """Raises asyncio.IncompleteReadError if the peer ends before the head does."""
        lines = (await reader.readuntil(HEAD_END)).decode("latin-1").rstrip("\r\n").split("\r\n")
        pairs = (line.split(":", 1) for line in lines[1:])
        return cls(lines[0], tuple((name, value.strip()) for name, value in pairs))

    def encode(self) -> bytes:
        lines = [self.start, *(f"{name}: {value}" for name, value in self.fields)]
        return "\r\n".join(lines).encode("latin-1") + HEAD_END

    def get(self, name: str) -> str:
        """The values of a field in lower case, joined; empty if there is none."""
        return ", ".join(value for key, value in self.fields if key.lower() == name).lower()

    def without(self, *names: str) -> "Head":
        return replace(self, fields=tuple(pair for pair in self.fields if pair[0].lower() not in names))

    def having(self, name: str, value: str) -> "Head":
        """With this field, and no other of its name."""
        kept = self.without(name.lower())
        return replace(kept, fields=(*kept.fields, (name, value)))

    # requests

    @property
    def method(self) -> str:
        return self.start.split(" ")[0]

    @property
    def target(self) -> str:
        return self.start.split(" ")[1]

    @property
    def wants_websocket(self) -> bool:
        return self.get("upgrade") == "websocket"

    # answers

    @property
    def status(self) -> int:
        return int(self.start.split(" ")[1])

    @property
    def is_event_stream(self) -> bool:
        return self.get("content-type").startswith("text/event-stream")

    @property
    def is_stream(self) -> bool:
        """Whether what follows lasts: frames of a WebSocket, or an event stream."""
        return self.status == 101 or self.is_event_stream


def page(status: str, text: str, version: str = "1.1") -> bytes:
    """A complete answer of a proxy's own: a page for people."""
    return html(status, f"<!doctype html><title>{status}</title><p>{text}", version)


def html(status: str, text: str, version: str = "1.1") -> bytes:
    """A complete answer with this document."""
    body = text.encode()
    fields = (("Content-Type", "text/html"), ("Content-Length", str(len(body))), ("Connection", "close"))
    return Head(f"HTTP/{version} {status}", fields).encode() + body


async def raw(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Bytes until the peer ends."""
    while data := await reader.read(READ):
        yield data


async def chunked(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """A chunked body (RFC 9112, 7.1), decoded, each chunk by itself. Raises IncompleteReadError if it is cut."""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        yield await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")  # Twinwire sends no trailers


async def counted(reader: asyncio.StreamReader, length: int) -> AsyncIterator[bytes]:
    """A body of `length` bytes. Raises IncompleteReadError if it is cut."""
    while length > 0:
        data = await reader.read(min(length, READ))
        if not data:
            raise asyncio.IncompleteReadError(data, length)
        length -= len(data)
        yield data


def body(reader: asyncio.StreamReader, head: Head, *, answers: str | None = None) -> AsyncIterator[bytes]:
    """What follows `head`, decoded. `answers`: the method of the request; None if `head` is a request."""
    if answers == "HEAD" or (answers is not None and head.status in BODILESS and head.status != 101):
        return counted(reader, 0)
    if answers is not None and head.status == 101:
        return raw(reader)
    if head.get("transfer-encoding") == "chunked":
        return chunked(reader)
    if head.get("content-length"):
        return counted(reader, int(head.get("content-length")))
    return counted(reader, 0) if answers is None else raw(reader)
