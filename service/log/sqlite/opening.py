"""What a log knows when it opens: who it is, how far it got, and its topics."""

import secrets
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Final

from service.core.cursor import EPOCH_ALPHABET
from service.core.errors import StorageError
from service.core.event import Width
from service.log.sqlite.database import Connection, Durability, WriterConnection
from service.log.sqlite.holes import Hole
from service.log.sqlite.topics import Topic, TopicRegistry

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")

_DURABLE: Final = "durable"
"""In place of the boot of a run that could not lose a commit, whatever happened to the machine."""


@dataclass(frozen=True, slots=True)
class Opened:
    """`head` is the newest offset, `time` that of the newest event that is kept, in Unix milliseconds."""

    epoch: str
    head: int
    time: int
    registry: TopicRegistry


def read_opened(connection: WriterConnection, durability: Durability) -> Opened:
    """Read what there is, and mark the log as open. On the writer's thread, before it has jobs."""
    log = connection.execute(
        "SELECT epoch, boot, clean, counted, traced, subjects, folded, last_topic FROM log"
    ).fetchone()
    epoch, boot, clean, counted, traced, subjects, folded, last_topic = log or ("", "", 1, 0, 0, 0, 0, 0)
    current_boot = _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else ""
    if log is None or _may_have_lost(boot, clean, current_boot):
        epoch = "".join(secrets.choice(EPOCH_ALPHABET) for _ in range(8))
    registry = _read_topics(connection, counted, folded, last_topic)
    registry.width = Width.WHOLE if subjects else Width.TRACED if traced else Width.PLAIN
    newest = connection.execute("SELECT time FROM events ORDER BY offset DESC LIMIT 1").fetchone()
    (time,) = newest or (0,)
    connection.execute(
        "INSERT INTO log (id, epoch, boot, clean) VALUES (1, ?1, ?2, 0)"
        " ON CONFLICT (id) DO UPDATE SET epoch = ?1, boot = ?2, clean = 0",
        (epoch, current_boot if durability == "normal" else _DURABLE),
    )
    head = max(folded, max((max(topic.head, topic.floor) for topic in registry), default=0))
    return Opened(epoch, head, time, registry)


def forget_epoch(connection: Connection) -> None:
    """Whoever opens this database next gives it a new epoch, as after a run that may have lost commits.

    For a copy: others have seen events that it has not, and the offsets of these will be given out again.
    """
    connection.execute("UPDATE main.log SET boot = '', clean = 0")


def has_forgotten(boot: str, clean: int) -> bool:
    """Whether a database is one of those."""
    return not boot and not clean


def read_folded(connection: Connection, schema: str = "main") -> tuple[int, int]:
    """The floor of all topics that were forgotten, and the highest number that a topic had until one was: both 0 if
    none was, as in a database of before there was such a thing.
    """
    columns = {name for (name,) in connection.execute("SELECT name FROM pragma_table_info('log', ?)", (schema,))}
    if "folded" not in columns:
        return 0, 0
    row = connection.execute(f"SELECT folded, last_topic FROM {schema}.log").fetchone()  # noqa: S608 - a literal
    return row or (0, 0)


def _read_topics(connection: WriterConnection, counted: int, folded: int, last_topic: int) -> TopicRegistry:
    """The topics as they were saved, and what was published since, after `counted`.

    Raises StorageError if there are fewer than there were.
    """
    registry = TopicRegistry()
    registry.fold(folded)
    emptied: dict[Topic, int] = {}
    for *row, moment, thinned, compacted in connection.execute(
        "SELECT id, name, floor, head, count, bytes, emptied, thinned, compacted FROM topics ORDER BY id"
    ):
        registry.add(topic := Topic(*row))
        if thinned or compacted:
            registry.holes.take_out(topic.stats, Hole(thinned, compacted))
        if not topic.count:
            emptied[topic] = moment
    registry.last_id = max(registry.last_id, last_topic)
    gone = registry.last_id - len(registry)
    if gone and not folded:
        raise _damaged(f"{gone} topics are not there, by their numbers, and nothing says that they were forgotten")
    for id, head, count, size in connection.execute(
        "SELECT topic, max(offset), count(*), sum(length(CAST(data AS BLOB))) FROM events"
        " WHERE offset > ? GROUP BY topic",
        (counted,),
    ):
        try:
            topic = registry.by_id(id)
        except KeyError:
            raise _damaged(f"event {head} is on a topic that is not there") from None
        topic.head = head
        topic.count += count
        topic.bytes += size
        registry.uncounted.add(topic)
        emptied.pop(topic, None)
    for topic, moment in sorted(emptied.items(), key=itemgetter(1)):
        registry.emptied(topic, moment)
    registry.has_removed_keys = connection.execute("SELECT 1 FROM removed_keys LIMIT 1").fetchone() is not None
    registry.order()
    return registry


def _damaged(what: str) -> StorageError:
    remedy = "`twinwire verify` tells what else is wrong, `twinwire restore` brings back a backup"
    return StorageError(f"the database is damaged: {what}; {remedy}")


def _may_have_lost(boot: str, clean: int, current_boot: str) -> bool:
    """With durability "normal" a power loss may take back offsets that clients have seen.

    A killed process loses nothing, since the pages are the kernel's: only another boot counts. What counts is the
    durability of the run that ended, not of the one that begins.
    """
    return not clean and boot != _DURABLE and (not boot or boot != current_boot)
