"""The command `twinwire`: its own commands, and those of the server where that is installed.

Each is imported when it is called or told of, so that `twinwire publish` loads no server: the server's come by an entry
point, from a group of their own (`More`).
"""

import sys
from collections.abc import Callable
from functools import cached_property
from importlib import import_module
from importlib.metadata import entry_points
from typing import Final, NamedTuple

import click

from twinwire.command.output import OutputError, UnreadError, forget_stdout
from twinwire.command.reaching import tell
from twinwire.errors import TwinwireError
from twinwire.server import why_missing
from twinwire.version import installed_version

OWN: Final = ("ask", "publish", "relay", "run", "state", "tail", "who")
"""Each in a module of its name."""

ENTRY_POINTS: Final = "twinwire.commands"
"""The group of them, in each of which a `More` is found."""

INTERRUPTED: Final = 130
"""Exit status after Ctrl-C, as of a shell: 128 and SIGINT's number."""

UNREAD: Final = 141
"""The same of SIGPIPE: `twinwire tail | head`."""


class More(NamedTuple):
    """Commands of another package, and its errors that are told in a line, by their `detail`."""

    group: click.Group
    errors: tuple[type[Exception], ...]


class Commands(click.Group):
    """`more` gives those of another package; None: they can't be had, and `missing` says why by then."""

    def __init__(self, more: Callable[[], More | None], **rest: object) -> None:
        super().__init__(**rest)  # type: ignore[arg-type]
        self._find = more
        self.missing = ""

    @cached_property
    def more(self) -> More | None:
        try:
            return self._find()
        except Exception as error:  # whatever a package of that name does when it is imported
            self.missing = why_missing(error, "The server's commands come")
            return None

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*OWN, *(self.more.group.list_commands(ctx) if self.more else ())])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in OWN:
            command: click.Command = getattr(import_module(f"twinwire.command.{cmd_name}"), cmd_name)
            return command
        return self.more.group.get_command(ctx, cmd_name) if self.more else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            raise click.UsageError(f"{error.message} {self.missing}".strip(), ctx) from error

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.missing:
            formatter.write_paragraph()
            formatter.write_text(self.missing)


def installed() -> More | None:
    """What the server's distribution names. Raises what comes of it where that can't be loaded."""
    for point in entry_points(group=ENTRY_POINTS):
        found: More = point.load()
        return found
    raise ImportError("its entry point is not there; `python -m service` has them in a checkout")


def commands(more: Callable[[], More | None] = installed) -> Commands:
    """The whole command; `more` gives those of the server."""
    help = """Live events over WebSocket, SSE and long polling, from one durable log.

    Settings come from the environment, TWINWIRE_*; the README has the table.
    """
    main = Commands(more, name="twinwire", help=help, context_settings={"help_option_names": ["-h", "--help"]})
    return click.version_option(installed_version() or "of a checkout", prog_name="twinwire")(main)


def run_command(more: Callable[[], More | None] = installed) -> None:
    """`main`, with errors as one line: ours with exit status 1, of the command line itself with 2."""
    main = commands(more)
    try:
        sys.exit(main(sys.argv[1:] or ["--help"], standalone_mode=False) or 0)
    except click.ClickException as error:
        tell(error.format_message())
        sys.exit(error.exit_code)
    except UnreadError:
        forget_stdout()
        sys.exit(UNREAD)
    except OutputError as error:
        forget_stdout()
        tell(f"standard output can't be written: {error}")
        sys.exit(1)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(INTERRUPTED)
    except Exception as error:
        if not isinstance(error, (TwinwireError, *(main.more.errors if main.more else ()))):
            raise
        tell(getattr(error, "detail", "") or str(error))
        sys.exit(1)
