"""A service that a relay publishes to, without one: it knows keys, refuses what it is told to, and is gone when told.

And the tables that it gets its rows from.
"""

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.support import sqlservers
from twinwire import Draft, RawJson, TwinwireError, outbox

DEADLINE = 20.0


class Service:
    """Its `publish_many` is that of `Twinwire`, of one request."""

    def __init__(self) -> None:
        self.log: list[tuple[str, str]] = []
        """Topic and data of each event."""
        self.requests: list[int] = []
        self.refuse: Callable[[Draft], TwinwireError | None] = lambda draft: None
        """Of one event; `line` is added."""
        self.answers: list[BaseException | None] = []
        """What the next requests come to, one each, whatever they hold; None: as they deserve."""
        self.loses_answers = 0
        """So many requests are stored, and nobody hears of it."""
        self._keys: dict[tuple[str, str | None], str] = {}
        self._lock = threading.Lock()

    def publish_many(self, drafts: Iterable[Draft]) -> list[str]:
        """One after the other, as the service commits."""
        with self._lock:
            return self._publish(list(drafts))

    def _publish(self, sent: list[Draft]) -> list[str]:
        self.requests.append(len(sent))
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        for number, draft in enumerate(sent, 1):
            error = self.refuse(draft)
            if error is not None:
                raise TwinwireError(error.detail, status=error.status, field=error.field, line=number)
        ids = [self._store(draft) for draft in sent]
        if self.loses_answers:
            self.loses_answers -= 1
            raise TwinwireError("no answer", is_passing=True)
        return ids

    def _store(self, draft: Draft) -> str:
        known = (draft.topic, draft.key)
        if known not in self._keys:
            assert isinstance(draft.data, RawJson)
            self.log.append((draft.topic, draft.data.text))
            self._keys[known] = f"e-{len(self.log)}"
        return self._keys[known]

    def told(self, topic: str = "t") -> list[str]:
        return [data for name, data in self.log if name == topic]


def made(folder: Path) -> sqlservers.Database:
    """SQLite, with the table."""
    database = sqlservers.sqlite(folder)
    make(database)
    return database


def make(database: sqlservers.Database) -> None:
    connection = database.connect()
    outbox.create_table(connection)
    connection.commit()
    connection.close()


def put(database: sqlservers.Database, *values: Any, topic: str = "t", **about: Any) -> None:
    """An event for each value, in one transaction."""
    connection = database.connect()
    for value in values:
        outbox.publish(connection, topic, "k", value, **about)
    connection.commit()
    connection.close()


def become(what: Callable[[], object]) -> None:
    """Until it is true."""
    deadline = time.monotonic() + DEADLINE
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.005)
