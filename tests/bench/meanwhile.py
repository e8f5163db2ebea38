"""How others do while something large goes on: a subscriber of another topic who is live, and who asks for health.

Both come at a steady rate, and their latencies are from the time at which an event, or a request, was due: one that a
busy server has let wait counts with its whole wait.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from tests.bench.measure import Context, IncompleteError, stream_options
from tests.bench.native_tools import Fan, Program, Result
from tests.bench.servers import Twinwire

T = TypeVar("T")

TOPIC: Final = "others"
RATE: Final = 200
"""Events a second, and as many requests: 2,000 of each in ten seconds, so that a p99 is the 20th longest."""

CONNECTIONS: Final = 16
"""That may wait for an answer at a time, before a request goes out later than it was due."""

_MOST: Final = 2_000_000
"""Events and requests in a window at most: it is ended from here."""

_LAST: Final = 0.3
"""Seconds for the last event to its subscriber, after its publisher was answered."""


@dataclass(frozen=True, slots=True)
class Others:
    """What the two saw."""

    live: Result
    health: Result

    @property
    def live_p99_ms(self) -> float:
        return float(self.live["p99_ms"])

    @property
    def health_p99_ms(self) -> float:
        return float(self.health["p99_ms"])

    def summary(self) -> dict[str, Any]:
        names = ("p50_ms", "p99_ms", "max_ms")
        return {
            "live": {name: self.live[name] for name in names} | {"events": self.live["messages"]},
            "health": {name: self.health[name] for name in names} | {"requests": self.health["requests"]},
        }


def meanwhile(context: Context, ours: Twinwire, work: Callable[[], T]) -> tuple[T, Others]:
    """What `work` returns, and how others did in the meantime. Raises IncompleteError if an event did not arrive."""
    ours.process.settle()
    port, tools = ours.process.port, context.tools
    listening = {**stream_options(ours, "ws", 1, TOPIC), "expect": _MOST, "end": "signal", "seconds": 3_600}
    steadily = {"port": port, "conns": CONNECTIONS, "rate": RATE, "total": _MOST}
    with ExitStack() as stack:
        fan = stack.enter_context(Fan(tools, listening))
        fan.wait_ready()
        publisher = stack.enter_context(Program(tools, "publish", {**steadily, "path": "/api/events", "topic": TOPIC}))
        asker = stack.enter_context(Program(tools, "publish", {**steadily, "path": "/api/health", "get": 1}))
        found = work()
        publisher.stop()
        asker.stop()
        published, health = publisher.result(), asker.result()
        time.sleep(_LAST)
        fan.stop()
        live = fan.result()
    wrong = {name: live[name] for name in ("duplicates", "foreign", "lost", "failed") if live[name]}
    if wrong or live["messages"] != published["published"]:
        raise IncompleteError(f"{live['messages']} of {published['published']} events came to others: {wrong}")
    return found, Others(live, health)


def undisturbed(context: Context, ours: Twinwire) -> Others:
    """For reference: the same while nothing else goes on."""
    _, others = meanwhile(context, ours, lambda: time.sleep(context.scale.large_seconds))
    return others


def again_and_again(seconds: float, work: Callable[[], T]) -> list[T]:
    """What it returns each time, until so many seconds have passed; once at least."""
    until = time.monotonic() + seconds
    found = [work()]
    while time.monotonic() < until:
        found.append(work())
    return found
