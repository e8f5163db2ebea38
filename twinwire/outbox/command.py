"""The relay as a program of its own: `python -m twinwire.outbox --dsn postgresql://...`."""

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from twinwire.blocking import Twinwire
from twinwire.errors import InvalidError, TwinwireError
from twinwire.outbox.drivers import KINDS
from twinwire.outbox.relay import POLL, Relay
from twinwire.outbox.schema import schema
from twinwire.token import Source

DSN_VARIABLE: Final = "DATABASE_URL"
"""Where most applications have theirs: a password on a command line is seen by everybody on the machine."""


def run_relay(
    dsn: str, url: str | None = None, token: Source | None = None, *, poll: float = POLL, hold: bool = False
) -> None:
    """Publishes what the table of this database has, until SIGTERM or SIGINT; `url` and `token` as of `Twinwire`.
    Raises TwinwireError for what no waiting helps with: a DSN, a URL or a token that can't be one, a driver that is
    not installed."""
    with Twinwire(url, token=token, retry_for=0.0) as client:  # the relay waits itself, and can be stopped meanwhile
        relay = Relay(dsn, client, poll=poll, hold=hold)
        with _ended_by_signals(relay):
            relay.run()


@contextmanager
def _ended_by_signals(relay: Relay) -> Iterator[None]:
    """Where they can be had: in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: relay.stop()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 after a signal, 2 for what it can't begin with."""
    parser = argparse.ArgumentParser(
        prog="python -m twinwire.outbox",
        description="Publishes what transactions have left in the table twinwire_outbox. With a token: TWINWIRE_TOKEN.",
    )
    parser.add_argument("--dsn", help=f"sqlite:///shop.db, postgresql://..., mysql://...; else {DSN_VARIABLE}")
    parser.add_argument("--url", help="the service; else TWINWIRE_URL, else http://127.0.0.1:8000")
    parser.add_argument("--poll", type=float, default=POLL, help="seconds between two looks, %(default)s")
    parser.add_argument("--hold", action="store_true", help="a topic waits behind a row that is set aside")
    parser.add_argument("--sql", choices=KINDS, help="print the statements that make the table, and end")
    given = parser.parse_args(arguments)
    if given.sql:
        sys.stdout.write(schema(given.sql))
        return 0
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # which tells of each request
    try:
        dsn = given.dsn or os.environ.get(DSN_VARIABLE)
        if not dsn:
            raise InvalidError(f"no database: --dsn, or {DSN_VARIABLE}")
        run_relay(dsn, given.url, poll=given.poll, hold=given.hold)
    except TwinwireError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0
