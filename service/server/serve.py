"""Serving: our own listening socket, Hypercorn behind it, and a shutdown that sends streams away politely.

Hypercorn's own shutdown closes the listeners, tells streams nothing for its grace period and then cuts them. So
the trigger that it waits for is ours: it says that it is not ready any more and gives a balancer the time to notice,
drains, and returns when the streams are gone.
"""

import asyncio
import contextlib
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any, Final, cast

import structlog
from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config

from service.access.descriptors import raise_limit
from service.assembly import Assembly
from service.core.limits import ENVELOPE_MAX
from service.server.config import load_config
from service.server.garbage import GarbageKeeper
from service.server.listen import check_open, listen
from service.server.loop import ignore_lost_connections, loop_factory
from service.server.watchdog import arm_watchdog
from service.settings import Settings
from service.web.app import create_app

ACCEPTS: Final = 8
"""Connections that are accepted in one turn of the event loop: one by each listener, all of the same socket.

libuv takes one of each and no more (its change "don't accept() connections in a loop", 1.46), so that a new connection
would wait for as many turns of a busy loop as there are others before it.
"""

SWITCH: Final = 0.001
"""Seconds for which the event loop keeps the interpreter from the log's thread, which wants it for a few microseconds
around each commit. With Python's five a publish waits longer for it than for the disk, while much goes on."""

logger = structlog.get_logger(__name__)


def run(settings: Settings, config_file: Path) -> None:
    """Serve until SIGTERM or SIGINT. Raises ConfigError, StorageError or MigrationError if it can't start."""
    raise_limit()
    sys.setswitchinterval(SWITCH)
    config = load_config(config_file)
    config.websocket_max_message_size = 2 * (settings.limits.data_max + ENVELOPE_MAX)  # ours answers first
    config.graceful_timeout = min(config.graceful_timeout, settings.server.grace)
    access = settings.access
    check_open(settings.server.host, has_keys=bool(access.token_keys.get_secret_value()), is_meant=access.open)
    factory = loop_factory(settings.server.loop)
    listener = listen(settings.server.host, settings.server.port, config.backlog, settings.stream.send_timeout)
    listeners = [listener, *(listener.dup() for _ in range(ACCEPTS - 1))]
    config.bind = [f"fd://{one.fileno()}" for one in listeners]
    try:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(_serve(settings, config, listener))
    finally:
        for one in listeners:
            one.detach()  # Hypercorn has made the descriptor its own, and closed it


async def _serve(settings: Settings, config: Config, listener: socket.socket) -> None:
    asyncio.get_running_loop().set_exception_handler(ignore_lost_connections)
    stop, hurry = _stop_signals()
    app = create_app(settings)
    # Opened here and not in the lifespan, where a framework would wrap and log what goes wrong.
    assembly = await Assembly.open(settings)
    app.attach(assembly)
    host, port = listener.getsockname()[:2]

    async def close() -> None:
        if app.assembly is not None:  # else the lifespan has closed it, or is about to
            await app.assembly.close()

    async def trigger() -> None:
        """Called by Hypercorn once it accepts connections; it shuts down when this returns."""
        keeper = GarbageKeeper()
        keeper.start()
        keeping = asyncio.create_task(
            keeper.run(assembly.hub.turnover, lambda: assembly.bus.published), name="garbage-keeper"
        )
        announce(f"Twinwire is at http://{f'[{host}]' if ':' in host else host}:{port}/")
        await stop.wait()
        logger.info("stopping")
        server = settings.server
        arm_watchdog(server.drain_delay + server.grace + config.graceful_timeout, close)
        await assembly.announce_drain(hurry)
        keeping.cancel()
        await assembly.drain()

    # The front door itself: Quart's own `__call__` would be one more frame for each stream.
    try:
        await hypercorn_serve(cast(Any, app.front), config, shutdown_trigger=trigger, mode="asgi")
    except Exception as error:  # of connections that Hypercorn had to cancel; the lifespan is over by then
        if not stop.is_set():
            raise
        logger.warning("connections_cut", reason=str(error))


def announce(line: str) -> None:
    """On standard output, if anybody takes it: closed, broken or full, it is no reason not to serve."""

    def write() -> None:
        with contextlib.suppress(OSError, ValueError):
            print(line, flush=True)

    if sys.stdout is not None:
        threading.Thread(target=write, name="announce", daemon=True).start()


def _stop_signals() -> tuple[asyncio.Event, asyncio.Event]:
    """Set by the first signal, and by the second: whoever presses Ctrl-C twice does not want to wait for balancers."""
    stop, hurry = asyncio.Event(), asyncio.Event()

    def signalled() -> None:
        (hurry if stop.is_set() else stop).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signalled)
    return stop, hurry
