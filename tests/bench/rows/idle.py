"""Connections that do nothing: memory of each, and what their heartbeats cost."""

import time
from collections.abc import Iterator
from typing import Final

from tests.bench.measure import Context, IncompleteError, Row, Sample, stream_options
from tests.bench.native_tools import Fan

MEMORY_TARGET_KIB: Final = {"ws": 22.0, "sse": 20.0}
HEARTBEAT_TARGET_PERCENT: Final = 3.0
OFFER: Final = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
"""What every browser offers."""


def rows(context: Context) -> Iterator[Row]:
    for mode in ("ws", "sse"):
        rounds = context.rounds(f"idle connections, {mode}")
        memory: list[float] = []
        heartbeats: list[float] = []
        for number in rounds:
            last = number == rounds[-1]
            kib, percent = _round(context, mode, context.scale.heartbeat_seconds if last else 0.0)
            memory.append(kib)
            if last:
                heartbeats.append(percent)
        scale = context.scale
        clients = f"{scale.idle_clients:,} {mode} connections"
        every = f", one each {scale.heartbeat:g} s" if scale.heartbeat else ""
        offering = " that offer permessage-deflate" if mode == "ws" else ""
        yield Row(
            f"idle-memory-{mode}",
            f"idle memory, {clients}{offering}",
            "KiB a connection over the idle process",
            "KiB",
            "at most",
            MEMORY_TARGET_KIB[mode],
            [Sample.alone(kib) for kib in memory],
        )
        yield Row(
            f"heartbeats-{mode}",
            f"idle heartbeats, {clients}{every}, over {scale.heartbeat_seconds:g} s",
            "% of a core",
            "%",
            "at most",
            HEARTBEAT_TARGET_PERCENT,
            [Sample.alone(percent) for percent in heartbeats],
            calibrated=True,
        )


def _round(context: Context, mode: str, heartbeat_seconds: float) -> tuple[float, float]:
    """KiB a connection, and per cent of a core over so many seconds."""
    heartbeat = context.scale.heartbeat
    ours = context.twinwire({"TWINWIRE_HEARTBEAT": f"{heartbeat:g}"} if heartbeat else None)
    clients = context.scale.idle_clients
    options = {**stream_options(ours, mode, clients), "end": "signal", "seconds": 900, "pong": int(mode == "ws")}
    with ours.process as process:
        before = process.memory()
        with Fan(context.tools, options, [OFFER] if mode == "ws" else []) as fan:
            fan.wait_ready()
            time.sleep(context.scale.idle_settle)
            kib = (process.memory() - before) / clients / 1024
            spent = process.cpu_seconds()
            time.sleep(heartbeat_seconds)
            spent = process.cpu_seconds() - spent
            fan.stop()
            received = fan.result()
    if received["lost"]:
        raise IncompleteError(f"{received['lost']} of {clients} idle connections were lost")
    return kib, 100 * spent / heartbeat_seconds if heartbeat_seconds else 0.0
