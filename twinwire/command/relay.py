"""`twinwire relay`: publishes what transactions have left in an application's database (docs/outbox.md)."""

import logging
from pathlib import Path
from typing import Final

import click

from twinwire.command.output import write_line
from twinwire.command.reaching import bearer_of, reaching
from twinwire.outbox.drivers import KINDS
from twinwire.outbox.leading import POLL
from twinwire.outbox.schema import schema

DSN_VARIABLE: Final = "DATABASE_URL"
"""Where most applications have theirs: a password on a command line is seen by everybody on the machine."""


@click.command()
@click.option(
    "--dsn", help=f"sqlite:///shop.db, postgresql://..., mysql://...; else {DSN_VARIABLE}.", envvar=DSN_VARIABLE
)
@click.option(
    "--poll",
    type=click.FloatRange(0, min_open=True),
    default=POLL,
    show_default=True,
    help="Seconds between two looks, where the database tells nobody.",
)
@click.option("--hold", is_flag=True, help="A topic waits behind a row that is set aside.")
@click.option("--sql", type=click.Choice(KINDS), help="Print the statements that make the table, and end.")
@reaching
def relay(dsn: str | None, poll: float, hold: bool, sql: str | None, url: str, token_file: Path | None) -> None:
    """Publish what transactions have left in the table twinwire_outbox, until SIGTERM or Ctrl-C."""
    if sql is not None:
        write_line(schema(sql).rstrip())
        return
    if not dsn:
        raise click.UsageError(f"no database: --dsn, or {DSN_VARIABLE}")
    from twinwire.outbox.running import run_relay

    bearer = bearer_of(token_file)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # which tells of each request
    run_relay(dsn, url, bearer.source, poll=poll, hold=hold)
