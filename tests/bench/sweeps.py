"""Curves: deliveries against the number of subscribers, and latency against the rate of events."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Final

from tests.bench.measure import Context, FanOut, IncompleteError, fan_out
from tests.bench.native_tools import Options
from tests.bench.rows.fanout import floor_fan_out
from tests.bench.servers import Floor, Nchan, StreamServer

SUBSCRIBERS: Final = (5, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)
IN_FLIGHT: Final = (8, 32)
RATES: Final = (20, 50, 100, 200, 300, 400, 600, 800, 1_200)
RATE_SUBSCRIBERS: Final = 500
RATE_CONNECTIONS: Final = 64
"""Publishes that may be in flight before an event is sent later than it was due; its stamp is the due time."""

_HOPELESS_MS: Final = 400.0
"""Median latency from which a server no longer keeps up: higher rates would only measure the length of the run."""

Points = list[dict[str, float]]


def measure(context: Context) -> dict[str, Any]:
    """By curve, by series: a list of points, `x` and what was measured there."""
    return {"subscribers": _by_subscribers(context), "rate": _by_rate(context)}


def _by_subscribers(context: Context) -> dict[str, Points]:
    deliveries = 200_000 if context.scale.quick else 1_000_000
    curves: dict[str, Points] = {}
    with ExitStack() as stack:
        servers = list(_servers(context, stack))
        floor = Floor(context.folder, context.tools)
        stack.enter_context(floor.process)
        for subscribers in SUBSCRIBERS[2:7] if context.scale.quick else SUBSCRIBERS:
            context.note(f"sweep, {subscribers} subscribers")
            events = min(20_000, max(100, deliveries // subscribers))
            for server in servers:
                for in_flight in IN_FLIGHT:
                    try:
                        found = fan_out(context, server, "ws", subscribers, events, {"conns": in_flight})
                    except IncompleteError as error:  # no point there: nchan keeps 10,000 messages
                        context.note(str(error))
                        continue
                    curves.setdefault(f"{server.name} {in_flight}", []).append({"x": subscribers, **found.summary()})
            bare = floor_fan_out(context, floor, "ws", subscribers, events)
            curves.setdefault("floor", []).append({"x": subscribers, "deliveries_per_s": bare["per_s"]})
    return curves


def _by_rate(context: Context) -> dict[str, Points]:
    seconds = min(5.0, context.scale.latency_seconds)
    curves: dict[str, Points] = {}
    with ExitStack() as stack:
        for server in _servers(context, stack):
            for rate in RATES[::2] if context.scale.quick else RATES:
                context.note(f"sweep, {server.name}, {rate} events/s")
                publishing: Options = {"conns": RATE_CONNECTIONS, "rate": rate}
                try:
                    found: FanOut = fan_out(context, server, "ws", RATE_SUBSCRIBERS, int(rate * seconds), publishing)
                except IncompleteError as error:
                    context.note(str(error))
                    continue
                curves.setdefault(server.name, []).append({"x": rate, **found.summary()})
                if found.p50_ms > _HOPELESS_MS:
                    break
    return curves


def _servers(context: Context, stack: ExitStack) -> Iterator[StreamServer]:
    servers: list[StreamServer] = [context.twinwire()]
    if context.has_nchan:
        servers.append(Nchan(context.folder))
    for server in servers:
        stack.enter_context(server.process)
        yield server
