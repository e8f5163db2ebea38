"""What every command has in common that talks to a service: where it is, as whom, and what is told meanwhile."""

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from twinwire.command.bearer import FILE_VARIABLE, HOW, VARIABLE, Bearer
from twinwire.command.output import OutputError, UnreadError, harmless, write_line
from twinwire.errors import RefusedError
from twinwire.logs import CONNECTED, logger
from twinwire.place import DEFAULT_URL, URL_VARIABLE

if TYPE_CHECKING:
    from twinwire.blocking import Twinwire

TOLD_MAX: Final = 100
"""Things that are told until something goes well again."""

F = TypeVar("F", bound=Callable[..., Any])


def reaching(command: F) -> F:
    """`--url` and `--token-file`, for `connected`."""
    command = click.option(
        "--token-file",
        envvar=FILE_VARIABLE,
        type=click.Path(path_type=Path),
        help=f"A file that holds the token to come with, read again when that is refused; or {VARIABLE} holds one.",
    )(command)
    return click.option("--url", envvar=URL_VARIABLE, default=DEFAULT_URL, show_default=True, help="The service.")(
        command
    )


def bearer_of(token_file: Path | None) -> Bearer:
    """Raises InvalidError for what is no token."""
    file = str(token_file or "").strip()  # a variable of nothing but white space is empty, and so unset
    return Bearer(os.environ.get(VARIABLE, ""), Path(file) if file else None)


@contextlib.contextmanager
def connected(
    url: str, token_file: Path | None, *, retry_for: float = 0.0, telling: "Telling | None" = None
) -> Iterator["Twinwire"]:
    """A client while it is used; what it waits out is told. Raises TwinwireError, and says of a refusal what would
    help."""
    from twinwire.blocking import Twinwire

    bearer = bearer_of(token_file)
    with explained(bearer), telling or Telling(), Twinwire(url, token=bearer.source, retry_for=retry_for) as live:
        yield live


@contextlib.contextmanager
def explained(bearer: Bearer) -> Iterator[None]:
    """What a refusal inside is told with: what would help."""
    try:
        yield
    except RefusedError as error:
        if error.status != 401 or not error.title:  # it is not the service that says so
            raise
        help = bearer.trouble or ("`twinwire token --inspect` says what is wrong with it" if bearer.text else HOW)
        said = {"status": error.status, "title": error.title, "field": error.field}
        raise RefusedError(f"{error.detail}; {help}", reason=error.reason, **said) from error


class Telling(logging.Handler):
    """While it is entered, what the client logs goes to standard error: each thing once, until `forget`."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._said: set[object] = set()
        self._logger: Final = logger

    def __enter__(self) -> "Telling":
        self._level, self._does_propagate = self._logger.level, self._logger.propagate
        self._logger.addHandler(self)
        self._logger.setLevel(logging.INFO)
        self._logger.propagate = False
        return self

    def __exit__(self, *error: object) -> None:
        self._logger.removeHandler(self)
        self._logger.setLevel(self._level)
        self._logger.propagate = self._does_propagate

    def emit(self, record: logging.LogRecord) -> None:
        """The first argument says what it is about; others, such as seconds, change."""
        about = (record.msg, record.args[:1] if isinstance(record.args, tuple) else None)
        if record.msg == CONNECTED:
            self.forget()
        elif about not in self._said and len(self._said) < TOLD_MAX:
            self._said.add(about)
            tell(record.getMessage())

    def forget(self) -> None:
        """It is over: when it comes again, it is told again."""
        self._said.clear()


def tell(line: str) -> None:
    """To standard error, if anybody takes it: a follower that nobody hears follows all the same."""
    if sys.stderr is None:  # closed: standard output is for what was asked
        return
    with contextlib.suppress(OutputError, UnreadError):
        write_line(f"twinwire: {harmless(line)}", sys.stderr)
