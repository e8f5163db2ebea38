"""What is looked at when the books are closed: the log as it is told, and the files as they are left."""

import shutil
import sqlite3
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.kills.ledger import STATES, TEXTS, State, Stored, offset_of, stored
from tests.support.http import Connection, Query, request, target

WAL_MAX: Final = 40 << 20
"""Bytes: a checkpoint is due at 32 MiB however busy the log is, and one request may come on top."""
DATABASE_BASE: Final = 4 << 20
DATABASE_FACTOR: Final = 3
EVENT_BYTES: Final = 200
"""What the database may take: a base, and so many times its data and EVENT_BYTES for each event. Pages of events that
were trimmed are used again; without that a run would leave several times as much.
"""


async def kept_events(url: str, topics: Sequence[str] = ()) -> tuple[list[Stored], int]:
    """The log, page by page; all of it, if no topics are named. Texts are only counted."""
    found: list[Stored] = []
    texts = 0
    after, more = "earliest", True
    connection = await Connection.open(url)
    try:
        while more:
            query: Query = {"topic": list(topics), "after": after, "limit": 1000}
            response = await connection.request("GET", target("/api/events", query))
            assert response.status == 200, response.body
            page = response.json()
            events = [event for event in page["events"] if not event["topic"].startswith(TEXTS)]
            found += map(stored, events)
            texts += len(page["events"]) - len(events)
            after, more = page["cursor"], page["more"]
    finally:
        connection.reset()
    return found, texts


async def state_of(url: str) -> State:
    """The offsets of what each subject's value is made of, page by page."""
    found: State = {}
    next: str | None = None
    more = True
    while more:
        query: Query = {"topic": f"{STATES}**"} | ({} if next is None else {"next": next})
        response = await request(url, "GET", target("/api/state", query))
        if response.status == 410:  # retention goes on meanwhile
            found, next = {}, None
            continue
        assert response.status == 200, response.body
        page = response.json()
        for event in page["events"]:
            found.setdefault((event["topic"], event["subject"]), []).append(offset_of(event["id"]))
        next, more = page["next"], page["more"]
    return found


async def floors_of(url: str) -> Mapping[str, int]:
    """Up to where each topic was trimmed. There are fewer topics than a page of them has."""
    page: dict[str, Any] = (await request(url, "GET", "/api/topics")).json()
    assert not page["more"]
    return {one["topic"]: offset_of(one["floor"]) for one in page["topics"]}


def look_at_database(database: Path, kept: int) -> list[str]:
    """What is wrong with the file of a server that has stopped, and that has told of so many events."""
    wrong = integrity(database)
    connection = sqlite3.connect(database)
    try:
        count, data = connection.execute("SELECT count(*), coalesce(sum(length(data)), 0) FROM events").fetchone()
    finally:
        connection.close()
    if count > kept:  # retention may have taken some since they were told
        wrong.append(f"{count} rows in the database, of which {kept} are told")
    size, most = database.stat().st_size, DATABASE_BASE + DATABASE_FACTOR * (data + EVENT_BYTES * kept)
    if size > most:
        wrong.append(f"the database has {size:,} bytes for {kept:,} events of {data:,} bytes")
    return wrong


def integrity(database: Path) -> list[str]:
    """What SQLite finds wrong (sqlite.org/pragma.html#pragma_integrity_check)."""
    connection = sqlite3.connect(database)
    try:
        rows = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
    except sqlite3.DatabaseError as error:
        rows = [str(error)]
    finally:
        connection.close()
    return [] if rows == ["ok"] else [f"integrity: {row}" for row in rows[:5]]


def integrity_of_copy(database: Path) -> list[str]:
    """The same of the files of a server that is dead, which the look itself must not mend."""
    with tempfile.TemporaryDirectory(prefix="kills-copy-") as folder:
        for suffix in ("", "-wal"):
            path = database.with_name(database.name + suffix)
            if path.exists():
                shutil.copy(path, Path(folder) / path.name)
        return integrity(Path(folder) / database.name)
