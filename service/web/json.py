"""JSON in and out of Quart's resources, the applications' among them: one way to answer, one way to read a body."""

from typing import Any, Final, TypeVar

import msgspec
from quart import Response, request

from service.core.errors import MediaTypeError, TooLargeError
from service.core.limits import REQUEST_MAX
from service.openapi import JSON
from service.wire.drafts import decode_utf8, explain_decoding

T = TypeVar("T")

PLAIN: Final = "text/plain"


def answer(value: Any, status: int = 200) -> Response:
    """`value` as JSON, never to be kept: what a client loads again, it gets as it is now."""
    return answer_text(as_text(value), status)


def as_text(value: Any) -> str:
    """`value` as JSON, as short as it can be."""
    return msgspec.json.encode(value).decode()


def answer_text(text: str, status: int = 200) -> Response:
    """The same for what is JSON text already."""
    return fresh(Response(text.encode(), status, content_type=JSON))


def nothing() -> Response:
    """204, of no media type."""
    response = Response(b"", 204)
    del response.headers["Content-Type"]
    return response


def fresh(response: Response) -> Response:
    """`response`, not to be kept by anybody."""
    response.headers["Cache-Control"] = "no-store"
    return response


async def read_text(limit: int = REQUEST_MAX) -> str:
    """The body of a JSON request as text. Raises MediaTypeError, TooLargeError over `limit` bytes, MalformedError."""
    if request.mimetype != JSON:
        raise MediaTypeError(f"send {JSON}", field="Content-Type")
    return await _body(limit)


async def _body(limit: int) -> str:
    too_large = TooLargeError(f"a request has at most {limit:,} bytes here")
    if (request.content_length or 0) > limit:
        raise too_large
    body: bytes = await request.get_data(False, False, False)  # as bytes, kept nowhere, no form
    if len(body) > limit:
        raise too_large
    return decode_utf8(body)


async def read_any(kind: type[T], limit: int = REQUEST_MAX) -> T:
    """The same of a body that may be called plain text, as pages send what they send when they go."""
    if request.mimetype not in (JSON, PLAIN):
        raise MediaTypeError(f"send {PLAIN} or {JSON}", field="Content-Type")
    return _decoded(await _body(limit), kind)


async def read(kind: type[T], limit: int = REQUEST_MAX) -> T:
    """The body as a `kind` of msgspec's. Raises what `read_text` raises, and InvalidError that names the field."""
    return _decoded(await read_text(limit), kind)


def _decoded(text: str, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise explain_decoding(error) from error
