"""`manage.py twinwire_relay`: publishes what transactions have left in the outbox."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections

from twinwire.contrib.django import conf
from twinwire.contrib.django.checks import TAG
from twinwire.contrib.django.relaying import connection_of, wrapper_of
from twinwire.errors import TwinwireError
from twinwire.logs import logger
from twinwire.outbox.leading import POLL
from twinwire.outbox.running import run_relay
from twinwire.outbox.schema import TABLE


class Command(BaseCommand):
    """Ends with status 0 by SIGTERM and SIGINT, after the request that is under way."""

    help = "Publish what transactions have left in the outbox, until SIGTERM or Ctrl-C."
    requires_system_checks: ClassVar = [TAG]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, help='Of DATABASES; "default".')
        parser.add_argument("--poll", type=float, default=POLL, help="Seconds between two looks, where nobody tells.")
        parser.add_argument("--hold", action="store_true", help="A topic waits behind a row that is set aside.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError."""
        alias: str = options["database"]
        if alias not in connections:
            raise CommandError(f"DATABASES has no {alias!r}: there are {', '.join(connections)}")
        try:
            _look(alias)
            with _told(options["verbosity"]):
                run_relay(
                    lambda: connection_of(alias),
                    conf.url(),
                    conf.relay_token(),
                    poll=options["poll"],
                    hold=options["hold"],
                )
        except (TwinwireError, ImproperlyConfigured) as error:
            raise CommandError(str(error)) from error


def _look(alias: str) -> None:
    """A table that is missing would be waited for; a database that is not there yet is. Raises CommandError."""
    wrapper = wrapper_of(alias)
    try:
        tables = wrapper.introspection.table_names()
    except DatabaseError:
        return
    finally:
        wrapper.close()
    if TABLE not in tables:
        raise CommandError(f"there is no table {TABLE}: manage.py migrate twinwire --database {alias}")


@contextmanager
def _told(verbosity: int) -> Iterator[None]:
    """What the relay logs, on standard error, unless LOGGING has a place for it."""
    if verbosity == 0 or logger.hasHandlers():
        yield
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
