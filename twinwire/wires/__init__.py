"""The transports: each is one connection's way to bring frames."""

from collections.abc import Callable, Sequence
from functools import partial

from twinwire.chooser import Transport
from twinwire.http import Http
from twinwire.link import Wire
from twinwire.wires.poll import Patience, PollWire
from twinwire.wires.sse import SseWire
from twinwire.wires.websocket import WebSocketWire

Open = Callable[[Http, Sequence[str], str | None], Wire]
"""Makes a transport for these filters, from a cursor on."""


def usual_wires(*, ephemeral: bool = False, presence: bool = False) -> dict[Transport, Open]:
    """Those of the service, which bring events that are not kept too, and who is there; polls of one subscription learn
    together how long they may wait."""
    patience = Patience()
    return {
        "websocket": partial(WebSocketWire, ephemeral=ephemeral, presence=presence),
        "sse": partial(SseWire, ephemeral=ephemeral, presence=presence),
        "poll": lambda http, topics, after: PollWire(
            http, topics, after, patience, ephemeral=ephemeral, presence=presence
        ),
    }
