"""Times and bounds of the client, in one place: those of the browser client, in seconds."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

STALL_HEARTBEATS: Final = 2.5
"""Heartbeats of silence after which a connection is stalled."""

PROVING_TIME: Final = 2.0
"""Paths that kill a tunnel do it within half a second: an event before that proves nothing yet."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. `connect`: until a connection has said its first frame; `hedge`: until the next transport is tried
    beside one that has not; `productive`: a connection that lives so long is one that works; `probe`: between looks
    whether a better transport works by now, at first; `poll_wait`: of one long poll; `request`: until an answer, else;
    `publish`: for which publishing is tried again; `lease`: for which a member of a place without a stream says that it
    is there; `pace`: between two things that are said of a member; `settle`: for which whoever was at a place before a
    connection ended is taken to be coming back. `backoff_base`, `backoff_cap`: the n-th delay is
    random(0, min(cap, base * 2^n))."""

    connect: float = 8.0
    hedge: float = 2.0
    productive: float = 10.0
    probe: float = 15.0
    poll_wait: float = 25.0
    request: float = 15.0
    publish: float = 30.0
    lease: float = 30.0
    pace: float = 0.25
    settle: float = 10.0
    backoff_base: float = 1.0
    backoff_cap: float = 30.0


class Backoff:
    """Full jitter: many clients that lost one server come back spread out."""

    def __init__(self, timing: Timing, draw: Callable[[], float] = random.random) -> None:
        """`draw` gives [0, 1)."""
        self._timing = timing
        self._draw = draw
        self.attempt = 0

    def next(self) -> float:
        """The next delay in seconds."""
        ceiling = min(self._timing.backoff_cap, self._timing.backoff_base * 2.0 ** min(self.attempt, 30))
        self.attempt += 1
        return self._draw() * ceiling

    def reset(self) -> None:
        self.attempt = 0
