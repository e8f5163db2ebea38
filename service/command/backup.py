"""`twinwire backup`, `restore` and `verify`: a copy of the service's database, its way back, and whether it is whole.

All of them are about files. `backup` reads the database of a service that runs; `restore` takes its place.
"""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

import click

from service.clock import SystemClock
from service.command.flags import of_database, settings
from service.command.progress import Progress
from service.core.errors import StorageError
from service.core.time import rfc3339
from service.resources import resource
from twinwire.command.output import harmless, write_line
from twinwire.command.reaching import tell

if TYPE_CHECKING:
    from service.log.sqlite.verify import Verified

ENDED: Final = 143
"""Exit status after SIGTERM, as of a shell: 128 and its number."""

_GONE: Final = (
    "tokens that were revoked after the backup was made are good again, since revocations stand in the log: revoke them"
    " once more, or all that was issued so far, with --revoke-all or, once it runs, `twinwire revoke --all`"
)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@of_database
def backup(file: Path, database: Path | None) -> None:
    """Copy the service's database to FILE, also while it runs.

    FILE has every event that was acknowledged before, and must not be there yet. It is there once it is whole.
    """
    from service.log.sqlite.backup import back_up

    with _cleaning_up(), Progress() as told:
        copied = back_up(_path(database), file, resource("migrations"), SystemClock(), told)
    size = f"{copied.bytes / (1 << 20):,.1f} MiB"
    write_line(harmless(f"{file}: {_events(copied.events)} up to offset {copied.head}, {size}"))


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@of_database
@click.option("--force", is_flag=True, help="Also where there is a database: it is lost.")
@click.option(
    "--revoke-all/--no-revoke-all",
    default=None,
    help="Revoke every token that was issued so far; asked for on a terminal.",
)
def restore(file: Path, database: Path | None, force: bool, revoke_all: bool | None) -> None:
    """Put the backup FILE in the place of the service's database. The service must not run.

    It is checked first. What clients have seen may not be in it, so those that come back are told (gap, epoch).
    """
    from service.log.sqlite.restore import restore as put_back

    path = _path(database)
    if revoke_all is None and sys.stdin is not None and sys.stdin.isatty():
        tell("tokens that were revoked after the backup was made will be good again")
        revoke_all = click.confirm("Revoke every token that was issued so far, the good ones too?", err=True)
    also = _revoke_all if revoke_all else None
    with _cleaning_up(), Progress() as told:
        found = put_back(file, path, resource("migrations"), told, force=force, also=also)
    write_line(harmless(f"{path}: restored, {_events(found.events)} up to offset {found.head}{_of(found)}"))
    write_line("clients that come back are told so (gap, epoch), and get what is kept")
    if revoke_all:
        write_line("every token that was issued so far is revoked")
    else:
        tell(_GONE)


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@of_database
@click.pass_context
def verify(context: click.Context, file: Path | None, database: Path | None) -> None:
    """Say whether FILE, a backup or the service's database by default, is whole. Exit status 1 if it is not.

    The file, the chain of each topic's events, its floor and what is counted are checked.
    """
    from service.log.sqlite.verify import verify as look

    path = file or _path(database)
    if not path.is_file():
        raise StorageError(f"there is no database {path}")
    with Progress() as told:
        found = look(path, resource("migrations"), told)
    for text in _lines(path, found):
        write_line(harmless(text))
    context.exit(1 if found.faults else 0)


def _path(database: Path | None) -> Path:
    from service.log.sqlite.files import real_path

    return real_path(settings(database=database).log.database)


def _events(number: int) -> str:
    return f"{number:,} event{'' if number == 1 else 's'}"


def _of(found: "Verified") -> str:
    return f", the newest of {rfc3339(found.newest)}" if found.newest else ""


def _lines(path: Path, found: "Verified") -> Iterator[str]:
    later = ", and another one once it is opened" if found.is_copy else ""
    yield f"epoch: {found.epoch}{later}" if found.epoch is not None else "epoch: none yet, it was never opened"
    span = f", offsets {found.first} to {found.last}" if found.events else ""
    yield f"events: {found.events:,}{span}{_of(found)}; the log's head is {found.head}"
    yield f"topics: {found.topics:,}"
    waiting = f", {found.waiting} are not applied yet" if found.waiting else ", up to date"
    yield f"migrations: {found.migrations}{waiting}"
    for fault in found.faults:
        yield f"fault: {fault}"
    yield f"{path} is damaged" if found.faults else f"{path} is whole"


def _revoke_all(copy: Path) -> None:
    """Into the log of a database that nobody serves."""
    from service.log.sqlite.log import open_log
    from service.log.sqlite.migrate import migrate
    from service.stream.revoking import revocation_of_all

    clock = SystemClock()

    async def append() -> None:
        log = await open_log(
            copy,
            clock=clock,
            durability="full",
            policies=(),
            retention_interval=3600.0,
            max_topics=1_000_000,
            disk_reserve=0,
        )
        try:
            await log.append([revocation_of_all(clock.unix_ms())])
        finally:
            await log.close()

    migrate(copy, resource("migrations"))
    asyncio.run(append())


@contextlib.contextmanager
def _cleaning_up() -> Iterator[None]:
    """Ctrl-C and SIGTERM end what is under way as an error does, so that nothing is left of it."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(ENDED)

    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
        signal.SIGTERM: signal.signal(signal.SIGTERM, end),
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
