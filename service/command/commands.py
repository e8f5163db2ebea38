"""The server's own commands: `twinwire serve`, `migrate`, `check`, and those that have a module of their own.

Each imports what it runs when it is called.
"""

from pathlib import Path
from typing import Final

import click

from service.command.backup import backup, restore, verify
from service.command.flags import of_config, of_database, settings
from service.command.revoke import revoke
from service.command.tokens import token
from service.command.top import top
from service.command.trim import trim
from service.core.errors import TwinwireError
from service.resources import resource
from twinwire.command.main import More
from twinwire.command.output import harmless, write_line


@click.group()
def main() -> None:
    """The server's own."""


@main.command()
@click.option("--host", help="Address to listen on; 127.0.0.1 by default.")
@click.option("--port", type=int, help="Port; 8000 by default, 0 takes a free one.")
@of_database
@of_config
def serve(host: str | None, port: int | None, database: Path | None, config_file: Path | None) -> None:
    """Migrate the database and serve until SIGTERM or Ctrl-C."""
    import os

    from service.clock import SystemClock
    from service.command.variables import warn_of_unknown
    from service.operations.logs import configure_logs
    from service.server.serve import run

    given = settings(host=host, port=port, database=database)
    configure_logs(given.operations.log_level, given.operations.log_format, SystemClock().monotonic)
    warn_of_unknown(os.environ)
    run(given, config_file or resource("hypercorn.toml"))


@main.command()
@of_database
def migrate(database: Path | None) -> None:
    """Bring the database up to date, without serving."""
    from service.log.sqlite.files import real_path
    from service.log.sqlite.lock import FileLock
    from service.log.sqlite.migrate import migrate as apply

    path = real_path(settings(database=database).log.database)
    with FileLock(path):
        applied = apply(path, resource("migrations"))
    for migration in applied:
        write_line(f"applied {migration.number:04}_{migration.name}")
    write_line(harmless(f"{path} is up to date"))


@main.command()
@of_database
@of_config
def check(database: Path | None, config_file: Path | None) -> None:
    """Check settings, configuration and migrations, without starting anything."""
    from service.command.check import check as look

    for line in look(settings(database=database), config_file or resource("hypercorn.toml")):
        write_line(harmless(line))


for command in (backup, restore, revoke, token, top, trim, verify):
    main.add_command(command)

server: Final = More(main, (TwinwireError,))
"""For `twinwire`, by its entry point."""
