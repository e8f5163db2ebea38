"""The relay's side of the table: what waits, what is done with, what is set aside.

A row is known by its id, and never by its place: one that is committed late has a lower id than others that went
before, and is there at the next look.
"""

import contextlib
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from twinwire.encoding import encode
from twinwire.errors import InvalidError
from twinwire.event import Draft, RawJson
from twinwire.outbox.drivers import Kind, fetched
from twinwire.outbox.schema import TABLE
from twinwire.outbox.writing import COLUMNS, EVENT_MAX, marked
from twinwire.publishing import BYTES_MAX

ROWS_MAX: Final = 400
"""Read at a time, and published in one request."""

BUSY: Final = 5.0
"""Seconds that a statement waits for SQLite's lock, which the application holds for as long as a transaction."""

BUSY_PAUSE: Final = 0.001
"""Seconds between two tries. SQLite's own waiting sleeps for up to a tenth of a second, and an application that writes
all the time leaves gaps of less than a millisecond: rows came in faster than they were removed."""

REASON_MAX: Final = 2_000
"""Characters of a reason that are kept."""

_BYTES: Final[dict[Kind, str]] = {
    "sqlite": "length(CAST(data AS BLOB))",
    "postgresql": "octet_length(data)",
    "mysql": "octet_length(data)",
}
_NOW: Final[dict[Kind, str]] = {
    "sqlite": "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
    "postgresql": "now()",
    "mysql": "utc_timestamp(3)",
}


@dataclass(frozen=True, slots=True)
class Row:
    """`fault`: why it can't even be sent."""

    id: int
    draft: Draft
    fault: InvalidError | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that is set aside: the service has refused it for good, with this status (0: it could not even be sent)."""

    id: int
    topic: str
    type: str
    key: str | None
    status: int
    reason: str


class Rows:
    """Of one connection, which commits each statement by itself. Every method raises what the driver does."""

    def __init__(self, connection: Any, kind: Kind, *, is_holding: bool = False) -> None:
        """`is_holding`: what is behind a row of its topic that is set aside waits until that is gone, or put back."""
        self._connection = connection
        self._kind: Kind = kind
        self._where = "refused_at IS NULL"
        if is_holding:
            self._where += (
                f" AND NOT EXISTS (SELECT 1 FROM {TABLE} AS aside WHERE aside.refused_at IS NOT NULL"  # noqa: S608
                f" AND aside.topic = {TABLE}.topic AND aside.id < {TABLE}.id)"
            )

    def read(self, held: Collection[str] = ()) -> list[Row]:
        """The first that wait, in their order, without those of the topics `held`: 500 at most, of 1 MiB together, or
        one that is larger."""
        where = self._where + (f" AND topic NOT IN ({_marks(held)})" if held else "")
        sizes = self._all(
            f"SELECT id, {_BYTES[self._kind]} FROM {TABLE} WHERE {where} ORDER BY id LIMIT {ROWS_MAX}",  # noqa: S608
            tuple(held),
        )
        ids: list[int] = []
        total = 0
        for id, size in sizes:
            total += size
            if ids and total > BYTES_MAX:
                break
            ids.append(id)
        if not ids:
            return []
        is_too_large = sizes[0][1] > EVENT_MAX  # nobody takes it: its data stays where it is
        columns = COLUMNS.replace("data", "'null'") if is_too_large else COLUMNS
        rows = self._all(
            f"SELECT id, {columns} FROM {TABLE} WHERE id IN ({_marks(ids)}) ORDER BY id",  # noqa: S608
            ids,
        )
        return [_row(row, is_too_large=is_too_large) for row in rows]

    def remove(self, rows: Sequence[Row]) -> None:
        """What is published. The key is asked for too, since numbers repeat where a table was emptied or restored."""
        if not rows:
            return
        if self._kind == "mysql":
            self._remove_each(rows)
            return
        values = [*(row.id for row in rows), *(row.draft.key for row in rows)]
        marks = _marks(rows)
        self._run(f"DELETE FROM {TABLE} WHERE id IN ({marks}) AND event_key IN ({marks})", values).close()  # noqa: S608

    def _remove_each(self, rows: Sequence[Row]) -> None:
        """One by one, in a transaction that waits for nobody: of a list that is most of the table MySQL makes a scan,
        which waits for whatever row an application has yet to commit."""
        self._run("START TRANSACTION", ()).close()
        try:
            for row in rows:
                statement = f"DELETE FROM {TABLE} WHERE id = %s AND event_key = %s"  # noqa: S608
                self._run(statement, (row.id, row.draft.key)).close()
            self._run("COMMIT", ()).close()
        except BaseException:
            with contextlib.suppress(Exception):  # the connection may be gone
                self._run("ROLLBACK", ()).close()
            raise

    def set_aside(self, row: Row, reason: str) -> None:
        statement = f"UPDATE {TABLE} SET refused_at = {_NOW[self._kind]}, refused = %s WHERE id = %s"  # noqa: S608
        self._run(statement, (reason[:REASON_MAX], row.id)).close()

    def _all(self, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        cursor = self._run(statement, values)
        try:
            return fetched(cursor)
        finally:
            cursor.close()

    def _run(self, statement: str, values: Sequence[Any]) -> Any:
        deadline = time.monotonic() + BUSY
        while True:
            try:
                return self._attempt(statement, values)
            except Exception as error:  # of whichever library it is
                if self._kind != "sqlite" or "is locked" not in str(error) or time.monotonic() > deadline:
                    raise
            time.sleep(BUSY_PAUSE)

    def _attempt(self, statement: str, values: Sequence[Any]) -> Any:
        cursor = self._connection.cursor()
        if values:  # without any, a per cent sign is one
            cursor.execute(marked(statement, self._kind), tuple(values))
        else:
            cursor.execute(statement)
        return cursor


def _marks(values: Collection[Any]) -> str:
    return ", ".join(["%s"] * len(values))


def _row(found: Sequence[Any], *, is_too_large: bool) -> Row:
    """Who inserted it may be anybody: a trigger, or a program in another language."""
    id, key, topic, type, subject, append, final, data = found
    draft = Draft(topic, type, RawJson(data), key, subject, bool(append), bool(final))
    if not isinstance(data, str):  # SQLite keeps bytes in any column
        return Row(id, draft, InvalidError(f"data is of {data.__class__.__name__}, and no text", field="data"))
    if is_too_large:
        return Row(id, draft, InvalidError(f"an event has {EVENT_MAX >> 20} MiB at most", field="data"))
    try:
        encode(draft)
    except InvalidError as error:
        return Row(id, draft, error)
    return Row(id, draft)
