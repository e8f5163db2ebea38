"""The command: `twinwire serve`, `migrate`, `publish`, `tail`, `check`.

Each command imports what it runs when it is called, so that `twinwire publish` does not load a server.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from service.core.errors import TwinwireError
from service.resources import resource
from service.settings import Settings
from service.version import __version__

F = TypeVar("F", bound=Callable[..., Any])


def _settings(**flags: Any) -> Settings:
    """The environment, overridden by the flags that were given. Raises ConfigError with what is wrong."""
    return Settings.read({name: value for name, value in flags.items() if value is not None})


def _database(command: F) -> F:
    return click.option("--database", type=click.Path(path_type=Path), help="SQLite file; twinwire.db by default.")(
        command
    )


def _config(command: F) -> F:
    return click.option(
        "--config",
        "config_file",
        type=click.Path(path_type=Path, dir_okay=False),
        default=None,
        help="Hypercorn's configuration; the packaged hypercorn.toml by default.",
    )(command)


def _url(command: F) -> F:
    return click.option(
        "--url", envvar="TWINWIRE_URL", default="http://127.0.0.1:8000", show_default=True, help="The service."
    )(command)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="twinwire")
def main() -> None:
    """Live events over WebSocket, SSE and long polling, from one durable log.

    Settings come from the environment, TWINWIRE_*; README.md has the table.
    """


@main.command()
@click.option("--host", help="Address to listen on; 127.0.0.1 by default.")
@click.option("--port", type=int, help="Port; 8000 by default, 0 takes a free one.")
@_database
@_config
def serve(host: str | None, port: int | None, database: Path | None, config_file: Path | None) -> None:
    """Migrate the database and serve until SIGTERM or Ctrl-C."""
    from service.operations.logs import configure_logs
    from service.server.serve import run

    settings = _settings(host=host, port=port, database=database)
    configure_logs(settings.operations.log_level, settings.operations.log_format)
    run(settings, config_file or resource("hypercorn.toml"))


@main.command()
@_database
def migrate(database: Path | None) -> None:
    """Bring the database up to date, without serving."""
    from service.log.sqlite.lock import FileLock
    from service.log.sqlite.migrate import migrate as apply

    path = _settings(database=database).log.database
    with FileLock(path):
        applied = apply(path, resource("migrations"))
    for migration in applied:
        click.echo(f"applied {migration.number:04}_{migration.name}")
    click.echo(f"{path} is up to date")


@main.command()
@_database
@_config
def check(database: Path | None, config_file: Path | None) -> None:
    """Check settings, configuration and migrations, without starting anything."""
    from service.command.check import check as look

    for line in look(_settings(database=database), config_file or resource("hypercorn.toml")):
        click.echo(line)


@main.command()
@click.argument("topic")
@click.argument("type")
@click.argument("data")
@click.option("--key", help="Idempotency key: a repeat returns the first id.")
@_url
def publish(topic: str, type: str, data: str, key: str | None, url: str) -> None:
    """Publish one event: DATA is JSON, or - to read it from standard input. Prints its id."""
    from service.command.client import Client

    text = sys.stdin.read() if data == "-" else data
    click.echo(Client(url).publish(topic, type, text, key)["id"])


@main.command()
@click.argument("topics", nargs=-1)
@click.option("--after", help="A cursor, earliest or latest (the default).")
@click.option("--json", "as_json", is_flag=True, help="One event a line, as on the wire.")
@click.option("--once", is_flag=True, help="Print what there is and end, instead of following.")
@click.option("--wait", type=click.FloatRange(0, 60), default=25.0, help="Seconds that one long poll waits.")
@_url
def tail(topics: tuple[str, ...], after: str | None, as_json: bool, once: bool, wait: float, url: str) -> None:
    """Follow TOPICS (filters; all of them by default), across restarts of the service."""
    from service.command.client import Client

    for event in Client(url).follow(topics, after, wait, once):
        click.echo(json.dumps(event, ensure_ascii=False, separators=(",", ":")) if as_json else _line(event))
        sys.stdout.flush()


def _line(event: dict[str, Any]) -> str:
    """One event for people."""
    if "topic" not in event:
        return click.style(f"gap ({event['reason']}): {event['requested']} -> {event['id']}", fg="yellow")
    data = json.dumps(event["data"], ensure_ascii=False)
    moment = click.style(event["time"], dim=True)
    return f"{moment} {event['id']} {click.style(event['topic'], fg='cyan')} {event['type']} {data}"


def run_command() -> None:
    """`main`, with our own errors as one line and exit status 1."""
    try:
        main(standalone_mode=True)
    except TwinwireError as error:
        click.echo(f"twinwire: {error.detail}", err=True)
        sys.exit(1)
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(130)
