"""The relay's connection: as Django opens one to this database, and of its own."""

from typing import Any

from django.db import connections
from django.db.utils import load_backend

from twinwire.errors import InvalidError
from twinwire.outbox.drivers import USUAL, checked_kind


def wrapper_of(alias: str) -> Any:
    """Django's, not connected yet, with what `DATABASES` says of this one; nobody else's, of no pool, and each
    statement is committed by itself. Raises InvalidError for a database that has no outbox, and what Django does."""
    given = connections.settings[alias]
    backend = load_backend(given["ENGINE"])
    kind = checked_kind(backend.DatabaseWrapper.vendor)
    options = {name: value for name, value in given["OPTIONS"].items() if name != "pool"}
    own = {**given, "AUTOCOMMIT": True, "OPTIONS": {**USUAL[kind], **options}}
    wrapper = backend.DatabaseWrapper(own, alias)
    if kind == "sqlite" and wrapper.is_in_memory_db():
        raise InvalidError(f"DATABASES[{alias!r}] is in memory, where no relay finds it")
    return wrapper


def connection_of(alias: str) -> Any:
    """The driver's, which is open: with parameters, role and time zone, and known to what listens for
    `connection_created`. Raises as `wrapper_of`, and what the driver does."""
    wrapper = wrapper_of(alias)
    wrapper.connect()
    return wrapper.connection
