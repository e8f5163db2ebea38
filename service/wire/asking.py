"""What would stand in a URL, in a body instead: lists of topics may outgrow what a proxy takes of a request line.

`POST /api/sse` and `POST /api/events/read` take a JSON object whose members are named as the parameters of the query,
`topics` for all of its `topic`; one that may come several times may be a list. It is as if they had stood behind those
of the URL.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from service.core.errors import InvalidError, MalformedError, MediaTypeError
from service.core.parameters import Parameters
from service.stream.asgi import Receive
from service.wire.bodies import Body
from service.wire.request import VERSION, Request

ASKED_MAX: Final = 64 * 1024
"""Bytes of such a body: a hundred topics, as long as they may be, are a third of it."""

_LIST: Final = "topics"
_SEVERAL: Final = (VERSION,)
"""Parameters that may come several times."""


async def take_asked(request: Request, receive: Receive, body: Body, parameters: Parameters) -> None:
    """Read the body, and put what it asks into the request.

    Raises MediaTypeError, MalformedError, InvalidError that names the member, or what `Body.read` raises.
    """
    media_type = (request.header(b"content-type") or "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise MediaTypeError("what is asked comes as application/json", field="Content-Type")
    whole = await body.read(request, receive, ASKED_MAX)
    try:
        found = msgspec.json.decode(whole)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"the body is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise InvalidError('what is asked is an object, such as {"topics":["a"],"after":"earliest"}')
    is_named, topics = _LIST in found, found.pop(_LIST, None)
    if is_named and not (isinstance(topics, list) and topics and all(isinstance(one, str) for one in topics)):
        raise InvalidError("topics is a list of at least one topic filter; all topics are **", field=_LIST)
    parameters.check(found)
    if "topic" in found:
        raise InvalidError("in a body it is topics, a list", field="topic")
    request.add([("topic", topic) for topic in topics or ()] + list(_pairs(found)))


def _pairs(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in found.items():
        for one in value if isinstance(value, list) and name in _SEVERAL else (value,):
            yield name, _text(name, one)


def _text(name: str, value: Any) -> str:
    """As it would stand in a URL. A truth is a word, and no number: `limit` is not 1 because it is true."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise InvalidError(f"{name} is a text or a number", field=name)
