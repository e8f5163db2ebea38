"""Events that are not kept (docs/protocol.md, section 10): sent once, since a late one is worth nothing, and told at
once."""

from collections.abc import Callable

import msgspec

from twinwire.encoding import encode
from twinwire.event import Draft, Ephemeral
from twinwire.frames import Frame
from twinwire.http import Http
from twinwire.logs import logger

Heard = Callable[[Ephemeral], object]
"""What a program does with one, as it comes: it must not wait."""


class _Accepted(msgspec.Struct):
    accepted: int


async def send_ephemeral(http: Http, draft: Draft, ttl: float | None) -> None:
    """`ttl` is in seconds. Raises TwinwireError; InvalidError for what is no JSON."""
    body = encode(draft) if ttl is None else encode(draft, ttl=ttl)
    await http.json("POST", http.place.url("ephemeral"), _Accepted, body=body)


def tell(heard: Heard, frame: Frame, raw: str) -> None:
    """A fault of the program's is in the log, and ends nothing."""
    assert frame.topic is not None
    try:
        heard(Ephemeral(frame.topic, frame.type, raw))
    except Exception:
        logger.exception("what was to take an ephemeral event of %s has failed", frame.topic)
