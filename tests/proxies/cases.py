"""Every mode of the rig as a case: how it is brought into force, how it shows that it was met, how it may end."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from tests.proxies import modes
from tests.proxies.modes import Both, StripUpgrade
from tests.proxies.rig import Mode

WEBSOCKET: Final = frozenset({"websocket"})
SSE: Final = frozenset({"sse"})
POLL: Final = frozenset({"poll"})
ANY: Final = WEBSOCKET | SSE | POLL

LONG: Final = 1.0
"""A run then outlasts every limit of the rig."""
SHORT: Final = 0.3
"""For faults that are met at once."""
QUICK: Final = 0.1
"""For faults of silent paths: a server of their own, on which nobody else makes a noise."""


@dataclass(frozen=True, slots=True)
class Case:
    """`make` gives the mode; `ends_on` the transports on which a stream may end."""

    name: str
    make: Callable[[], Mode]
    ends_on: frozenset[str]
    met: tuple[str, int] = ("requests", 1)
    """What the rig must have counted at the end, and how often: a fault that was never met proves nothing."""
    before: bool = False
    """Nothing is published before it was met: it acts on silence, or soon after the start."""
    pace: float = SHORT
    """Seconds of each of a run's twelve stages."""
    outage: bool = False
    """The path is good at first, bad from the first events on until the fault was met, then good again."""
    late: bool = False
    """The path is bad from the moment on that the page has loaded over a good one."""
    forward: bool = False
    """The browser is configured for the rig as its proxy, and asks it for CONNECT."""

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


def without_upgrade(make: Callable[[], Mode]) -> Callable[[], Mode]:
    return lambda: Both(StripUpgrade(), make())


def cases() -> tuple[Case, ...]:
    """One for each mode, and for those that meet every transport another one in which there is no WebSocket."""
    idle, old, reset = partial(modes.CutIdle, 5), partial(modes.CutAll, 10), partial(modes.ResetMidFrame, 6_000)
    slow = partial(modes.Slow, 0.5, 64_000)
    return (
        Case("no fault", Mode, WEBSOCKET),
        Case("strips Upgrade", StripUpgrade, SSE),
        Case("refuses Upgrade with 403", modes.RefuseUpgrade, SSE, ("refused", 1)),
        Case("refuses CONNECT with 403", modes.RefuseUpgrade, SSE, ("refused", 1), forward=True),
        *(
            Case(
                f"kills WebSocket after {ms} ms",
                partial(modes.KillAfterUpgrade, ms / 1_000),
                SSE,
                ("cut", 3),
                before=True,
            )
            for ms in (100, 300, 500)
        ),
        Case("swallows WebSocket frames", modes.SwallowFrames, SSE, ("websockets", 1)),
        Case("black-holes the handshake", modes.BlackHole, SSE),
        Case("buffers the SSE body", modes.BufferBody, POLL),
        Case("holds the last SSE event back", modes.HoldLastEvent, SSE | POLL),
        Case("gzips SSE", modes.Gzip, POLL),
        Case("cuts idle after 5 s", idle, WEBSOCKET, ("cut", 2), before=True, pace=QUICK),
        Case("cuts idle after 5 s, no Upgrade", without_upgrade(idle), SSE | POLL, ("cut", 2), before=True, pace=QUICK),
        Case("cuts all after 10 s", old, ANY, ("cut", 1), pace=LONG),
        Case("cuts all after 10 s, no Upgrade", without_upgrade(old), SSE | POLL, ("cut", 1), pace=LONG),
        Case("answers 502 for a while", modes.BadGateway, WEBSOCKET, ("refused", 6), outage=True, pace=LONG),
        Case("captive portal for a while", modes.CaptivePortal, WEBSOCKET, ("refused", 6), outage=True, pace=LONG),
        Case("HTTP/1.0", modes.HTTP10, SSE),
        Case("RST in mid-frame", reset, ANY, ("cut", 1)),
        Case("RST in mid-frame, no Upgrade", without_upgrade(reset), SSE | POLL, ("cut", 1)),
        Case("500 ms and 64 kbit/s", slow, WEBSOCKET, late=True, pace=LONG),
        Case("500 ms and 64 kbit/s, no Upgrade", without_upgrade(slow), SSE, late=True, pace=LONG),
    )
