"""The command: `twinwire serve`, `migrate`, `publish`, `tail`, `check`, and those that have a module of their own.

Each command imports what it runs when it is called, so that `twinwire publish` does not load a server.
"""

import sys
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from service.command.backup import backup, restore, verify
from service.command.flags import of_config, of_database, settings
from service.command.output import OutputError, forget_stdout, harmless, is_coloured, write_json, write_line
from service.command.reaching import connect, reaching, tell
from service.command.revoke import revoke
from service.command.tokens import token
from service.command.top import top
from service.command.trim import trim
from service.core.errors import TwinwireError
from service.resources import resource
from service.version import __version__


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="twinwire")
def main() -> None:
    """Live events over WebSocket, SSE and long polling, from one durable log.

    Settings come from the environment, TWINWIRE_*; README.md has the table.
    """


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


@main.command()
@click.argument("topic")
@click.argument("type")
@click.argument("data")
@click.option("--key", help="Idempotency key: a repeat returns the first id.")
@click.option("--subject", help="What on the topic it is about: DATA replaces its value, null deletes it.")
@click.option("--append", is_flag=True, help="Append DATA to the subject's value instead.")
@click.option("--final", is_flag=True, help="Close the value: nothing more can be appended.")
@reaching
def publish(
    topic: str,
    type: str,
    data: str,
    key: str | None,
    subject: str | None,
    append: bool,
    final: bool,
    url: str,
    token_file: Path | None,
) -> None:
    """Publish one event: DATA is JSON, or - to read it from standard input. Prints its id."""
    client, data = connect(url, token_file), _from_stdin() if data == "-" else data
    write_line(harmless(client.publish(topic, type, data, key, subject, append=append, final=final)))


@main.command()
@click.argument("topics", nargs=-1)
@click.option("--subject", help="Of this one alone.")
@click.option("--join", is_flag=True, help="A text that was appended to is one event.")
@click.option("--json", "as_json", is_flag=True, help="One event a line, as on the wire, and the cursor at last.")
@reaching
def state(
    topics: tuple[str, ...], subject: str | None, join: bool, as_json: bool, url: str, token_file: Path | None
) -> None:
    """Print the latest of each subject on TOPICS (filters; all by default), and the cursor that it includes."""
    for found in connect(url, token_file).state(topics, subject, join=join):
        if isinstance(found, str):
            write_json(msgspec.json.encode({"cursor": found})) if as_json else tell(f"as of {harmless(found)}")
        else:
            write_json(bytes(found)) if as_json else write_line(_line(bytes(found)))


def _from_stdin() -> str:
    """UTF-8, whatever the locale; a byte order mark is passed over (RFC 8259, 8.1)."""
    if sys.stdin is None:
        raise TwinwireError("standard input is closed")
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except OSError as error:
        raise TwinwireError(f"standard input can't be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise TwinwireError(f"DATA is not UTF-8: {error.reason} at byte {error.start}") from error


@main.command()
@click.argument("topics", nargs=-1)
@click.option("--after", help="A cursor, earliest or latest (the default).")
@click.option("--json", "as_json", is_flag=True, help="One event a line, as on the wire.")
@click.option("--once", is_flag=True, help="Print what there is and end, instead of following.")
@click.option("--wait", type=click.FloatRange(0, 60), default=25.0, help="Seconds that one long poll waits.")
@reaching
def tail(
    topics: tuple[str, ...],
    after: str | None,
    as_json: bool,
    once: bool,
    wait: float,
    url: str,
    token_file: Path | None,
) -> None:
    """Follow TOPICS (filters; all that the token is for by default), across restarts of the service."""
    from service.command.client import Gap

    for found in connect(url, token_file).follow(topics, after, wait, once):
        if as_json:
            write_json(bytes(found) if not isinstance(found, Gap) else _gap_text(found))
        else:
            write_line(_gap(found) if isinstance(found, Gap) else _line(bytes(found)))


for command in (backup, restore, revoke, token, top, trim, verify):
    main.add_command(command)


class _Shown(msgspec.Struct):
    """What people see of an event."""

    id: str
    topic: str
    type: str
    time: str
    data: msgspec.Raw
    subject: str | None = None
    append: bool = False


def _line(event: bytes) -> str:
    """One event for people."""
    try:
        shown = msgspec.json.decode(event, type=_Shown)
    except (ValueError, RecursionError):  # not ours, and as it is
        return harmless(event.decode("utf-8", "replace"))
    data = bytes(shown.data).decode("utf-8", "replace")
    moment, topic = _style(harmless(shown.time), dim=True), _style(harmless(shown.topic), fg="cyan")
    about = "" if shown.subject is None else f"{harmless(shown.subject)} {'+=' if shown.append else '='} "
    return f"{moment} {harmless(shown.id)} {topic} {harmless(shown.type)} {about}{harmless(data)}"


def _gap(gap: Any) -> str:
    return _style(harmless(f"gap ({gap.reason}): {gap.requested} -> {gap.id}"), fg="yellow")


def _gap_text(gap: Any) -> bytes:
    return msgspec.json.encode({"type": "gap", **msgspec.structs.asdict(gap)})


def _style(text: str, **how: Any) -> str:
    return click.style(text, **how) if is_coloured() else text


INTERRUPTED: Final = 130
"""Exit status after Ctrl-C, as of a shell: 128 and SIGINT's number."""

UNREAD: Final = 141
"""The same of SIGPIPE: `twinwire tail | head`."""


def run_command() -> None:
    """`main`, with errors as one line: ours with exit status 1, of the command line itself with 2."""
    try:
        sys.exit(main(standalone_mode=False) or 0)
    except click.ClickException as error:
        tell(error.format_message())
        sys.exit(error.exit_code)
    except TwinwireError as error:
        tell(error.detail)
        sys.exit(1)
    except BrokenPipeError:
        forget_stdout()
        sys.exit(UNREAD)
    except OutputError as error:
        forget_stdout()
        tell(f"standard output can't be written: {error}")
        sys.exit(1)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(INTERRUPTED)
