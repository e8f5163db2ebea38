"""Serving: our own listening socket, Hypercorn behind it, and a shutdown that sends streams away politely.

Hypercorn's own shutdown closes the listeners, tells streams nothing for its grace period and then cuts them. So
the trigger that it waits for is ours: it drains first, and returns when the streams are gone.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, cast

import click
import structlog
from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config

from service.assembly import Assembly, named_apps
from service.core.errors import ConfigError, StorageError
from service.core.limits import ENVELOPE_MAX
from service.server.garbage import Collector
from service.settings import Settings
from service.web.app import TwinwireApp, create_app

try:
    import uvloop as _uvloop
except ImportError:  # no wheel for this platform
    _uvloop = None  # type: ignore[assignment]
uvloop: Any = _uvloop

SEND_BUFFER: Final = 128 * 1024
"""Bytes that the kernel may hold for a peer (Linux takes them twice). Without a bound, one that stopped reading
swallows megabytes first; and memory that the kernel has to fetch for it is time that the others wait."""

KEEPALIVE_IDLE: Final = 60
KEEPALIVE_INTERVAL: Final = 15
"""Seconds until the kernel asks a silent peer, and between its questions."""

WATCHDOG_EXTRA: Final = 2.0
"""Seconds beyond the grace period after which a stop that hangs is ended for good."""

logger = structlog.get_logger(__name__)


def load_config(path: Path) -> Config:
    """Hypercorn's configuration from TOML. Raises ConfigError for unknown keys, which Hypercorn would ignore."""
    import tomllib

    try:
        with path.open("rb") as file:
            values: dict[str, Any] = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    attributes = {name for name in dir(Config) if not callable(getattr(Config, name))} | set(Config.__annotations__)
    unknown = sorted(set(values) - {name for name in attributes if not name.startswith("_")})
    if unknown:
        raise ConfigError(f"{path}: unknown key {', '.join(unknown)}", field=unknown[0])
    if values.get("workers", 1) != 1:
        raise ConfigError(
            f"{path}: workers is {values['workers']}, but the embedded database belongs to one process: use 1",
            field="workers",
        )
    for harmful in ("read_timeout", "max_requests"):
        if values.get(harmful) is not None:
            raise ConfigError(f"{path}: {harmful} would cut streams: leave it out", field=harmful)
    config = Config.from_mapping(values)
    config.errorlog = logging.getLogger("hypercorn.error")  # not a handler of its own beside ours
    return config


def listen(host: str, port: int, backlog: int, send_timeout: float) -> socket.socket:
    """A listening socket whose connections inherit what kills dead and stalled peers. Raises ConfigError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        for name, value in (
            ("TCP_USER_TIMEOUT", int(send_timeout * 1000)),
            ("TCP_KEEPIDLE", KEEPALIVE_IDLE),
            ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL),
        ):
            if hasattr(socket, name):  # Linux has them all
                listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        listener.bind((host, port))
        listener.listen(backlog)
    except OSError as error:
        listener.close()
        raise ConfigError(f"can't listen on {host} port {port}: {error.strerror or error}") from error
    listener.setblocking(False)
    return listener


def run(settings: Settings, config_file: Path) -> None:
    """Serve until SIGTERM or SIGINT. Raises ConfigError, StorageError or MigrationError if it can't start."""
    config = load_config(config_file)
    config.websocket_max_message_size = 2 * (settings.limits.data_max + ENVELOPE_MAX)  # ours answers first
    config.graceful_timeout = min(config.graceful_timeout, settings.server.grace)
    listener = listen(settings.server.host, settings.server.port, config.backlog, settings.stream.send_timeout)
    config.bind = [f"fd://{listener.fileno()}"]
    use_uvloop = settings.server.loop == "uvloop" or (settings.server.loop == "auto" and uvloop is not None)
    if use_uvloop and uvloop is None:
        raise ConfigError("uvloop is not installed: set TWINWIRE_LOOP=asyncio", field="loop")
    factory: Callable[[], asyncio.AbstractEventLoop] | None = uvloop.new_event_loop if use_uvloop else None
    try:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(_serve(settings, config, listener))
    finally:
        listener.detach()  # Hypercorn has made the descriptor its own, and closed it


async def _serve(settings: Settings, config: Config, listener: socket.socket) -> None:
    asyncio.get_running_loop().set_exception_handler(_ignore_lost_connections)
    stop = _stop_signal()
    app = create_app(settings)
    # Opened here and not in the lifespan, where a framework would wrap and log what goes wrong.
    assembly = await Assembly.open(settings)
    app.attach(assembly)
    host, port = listener.getsockname()[:2]

    async def trigger() -> None:
        """Called by Hypercorn once it accepts connections; it shuts down when this returns."""
        collector = Collector()
        collector.start()
        collecting = asyncio.create_task(
            collector.run(assembly.hub.turnover, lambda: assembly.bus.published), name="collector"
        )
        click.echo(f"Twinwire is at http://{f'[{host}]' if ':' in host else host}:{port}/")
        sys.stdout.flush()
        await stop.wait()
        collecting.cancel()
        logger.info("stopping")
        _arm_watchdog(app, settings.server.grace + config.graceful_timeout + WATCHDOG_EXTRA)
        await assembly.drain()

    # The front door itself: Quart's own `__call__` would be one more frame for each stream.
    try:
        await hypercorn_serve(cast(Any, app.front), config, shutdown_trigger=trigger, mode="asgi")
    except Exception as error:  # of connections that Hypercorn had to cancel; the lifespan is over by then
        if not stop.is_set():
            raise
        logger.warning("connections_cut", reason=str(error))


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def _arm_watchdog(app: TwinwireApp, seconds: float) -> None:
    """A connection that can't be closed must not keep the next start waiting: close the log, then leave."""
    loop = asyncio.get_running_loop()

    def give_up() -> None:
        logger.error("stop_forced", seconds=seconds)
        try:
            if app.assembly is not None:
                asyncio.run_coroutine_threadsafe(app.assembly.close(), loop).result(WATCHDOG_EXTRA)
        except Exception:
            logger.exception("log_not_closed")
            os._exit(1)
        os._exit(0)

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()


def _ignore_lost_connections(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A peer that the kernel gave up raises ETIMEDOUT, which Hypercorn lets through."""
    error = context.get("exception")
    if isinstance(error, BaseExceptionGroup):
        error = None if error.split(OSError)[1] is None else error
        if error is None:
            return
    if isinstance(error, (OSError, asyncio.CancelledError)):  # the second: how Python 3.11 reports a cut connection
        return
    logger.error("loop_error", message=context.get("message"), exc_info=error)


def check(settings: Settings, config_file: Path) -> list[str]:
    """What `twinwire check` tells: one line each; raises what `run` would raise before it listens."""
    from service.log.sqlite.database import driver, library_is_affected
    from service.log.sqlite.migrate import load
    from service.resources import resource

    load_config(config_file)
    apps = named_apps(settings.apps.apps)
    migrations = load(resource("migrations"))
    folder = settings.log.database.absolute().parent
    if not os.access(folder, os.W_OK):
        raise StorageError(f"the database's folder {folder} can't be written")
    fixed = "has the WAL-reset bug, 3.51.3 fixes it" if library_is_affected(driver.sqlite_version_info) else "fine"
    return [
        f"configuration {config_file}: fine",
        f"settings: fine (database {settings.log.database}, {settings.server.host} port {settings.server.port})",
        f"applications: {', '.join(app.name for app in apps) or 'none'}",
        f"migrations: {len(migrations)}, up to {migrations[-1].number:04}_{migrations[-1].name}",
        f"SQLite {driver.sqlite_version}: {fixed}",
        f"event loop: {'uvloop' if uvloop is not None and settings.server.loop != 'asyncio' else 'asyncio'}",
    ]
