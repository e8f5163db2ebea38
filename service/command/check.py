"""What `twinwire check` tells: whether the service would start, without starting anything."""

import os
from pathlib import Path

from service.access.keys import KeyRing
from service.clock import SystemClock
from service.command.variables import unknown_variables
from service.core.errors import StorageError
from service.log.sqlite.drivers import driver, library_is_affected
from service.log.sqlite.files import real_path
from service.log.sqlite.lock import FileLock
from service.log.sqlite.migrate import load, unapplied
from service.named import apps_of
from service.operations.spans import open_spans
from service.resources import resource
from service.server.config import load_config
from service.server.listen import check_open, is_free
from service.server.loop import loop_factory
from service.settings import Settings
from twinwire.command.output import harmless


def check(settings: Settings, config_file: Path) -> list[str]:
    """What `twinwire check` tells: one line each; raises what `run` would raise before it listens."""
    load_config(config_file)
    loop = "asyncio" if loop_factory(settings.server.loop) is None else "uvloop"
    apps = apps_of(settings.apps)
    spans = open_spans(settings.operations.traces)
    migrations = load(resource("migrations"))
    keys = KeyRing.read(
        settings.access.token_keys.get_secret_value(), SystemClock(), audience=settings.access.token_audience
    )
    host, port = settings.server.host, settings.server.port
    check_open(host, has_keys=bool(settings.access.token_keys.get_secret_value()), is_meant=settings.access.open)
    listening = "fine" if is_free(host, port) else "taken at the moment, by this service or by another program"
    database = real_path(settings.log.database)
    folder = database.parent
    if not os.access(folder, os.W_OK):
        raise StorageError(f"the database's folder {folder} can't be written")
    is_taken = FileLock(database).is_taken()
    if database.exists():
        waiting = unapplied(database, resource("migrations"))
        found = f"there, {waiting} migrations are not applied yet" if waiting else "there, and up to date"
        found += "; a running Twinwire has it" if is_taken else ""
    else:
        found = "will be made"
    fixed = "has the WAL-reset bug, 3.51.3 fixes it" if library_is_affected(driver.sqlite_version_info) else "fine"
    return [
        f"configuration {config_file}: fine",
        f"settings: fine (database {settings.log.database}, {host} port {port})",
        f"database: {found}",
        f"port {port}: {listening}",
        f"tokens: {keys.told()}",
        f"applications: {', '.join(app.name for app in apps) or 'none'}",
        f"migrations: {len(migrations)}, up to {migrations[-1].number:04}_{migrations[-1].name}",
        f"SQLite {driver.sqlite_version}: {fixed}",
        f"event loop: {loop}",
        f"traces: {'off' if spans is None else 'on'}",
        *(harmless(f"unknown: {one.told}") for one in unknown_variables(os.environ)),
    ]
