"""What every command has in common that talks to a service: where it is, and as whom."""

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from service.command.bearer import FILE_VARIABLE, VARIABLE, Bearer
from service.command.output import OutputError, harmless, write_line

if TYPE_CHECKING:
    from service.command.client import Client

DEFAULT_URL: Final = "http://127.0.0.1:8000"

TIMEOUT: Final = 75.0
"""Seconds that an answer may take: a long poll has 60 of them."""

F = TypeVar("F", bound=Callable[..., Any])


def reaching(command: F) -> F:
    """`--url` and `--token-file`, for `connect`."""
    command = click.option(
        "--token-file",
        envvar=FILE_VARIABLE,
        type=click.Path(path_type=Path),
        help=f"A file that holds the token to come with, read again when that is refused; or {VARIABLE} holds one.",
    )(command)
    return click.option("--url", envvar="TWINWIRE_URL", default=DEFAULT_URL, show_default=True, help="The service.")(
        command
    )


def connect(url: str, token_file: Path | None, timeout: float = TIMEOUT) -> "Client":
    """A client that tells what it waits out. Raises TwinwireError for a URL, or a token, that is none."""
    from service.command.client import Client

    file = str(token_file or "").strip()  # a variable of nothing but white space is empty, and so unset
    bearer = Bearer(os.environ.get(VARIABLE, ""), Path(file) if file else None)
    return Client(url.strip() or DEFAULT_URL, timeout, told=tell, bearer=bearer)


def tell(line: str) -> None:
    """To standard error, if anybody takes it: a follower that nobody hears follows all the same."""
    if sys.stderr is None:  # closed: standard output is for what was asked
        return
    with contextlib.suppress(OutputError, BrokenPipeError):
        write_line(f"twinwire: {harmless(line)}", sys.stderr)
