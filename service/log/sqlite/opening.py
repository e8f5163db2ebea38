"""What a log knows when it opens: who it is, how far it got, and its topics."""

import secrets
from pathlib import Path
from typing import Any, Final

from service.core.cursor import EPOCH_ALPHABET
from service.log.sqlite.topics import Topic, TopicRegistry

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")

_DURABLE: Final = "durable"
"""In place of the boot of a run that could not lose a commit, whatever happened to the machine."""


class State:
    """What a log knows when it opens: its identity, its head and its topics."""

    epoch: str
    head: int
    time: int
    registry: TopicRegistry


def load_state(connection: Any, durability: str) -> State:
    """Read the state, and mark the log as open."""
    state = State()
    state.registry = registry = TopicRegistry()
    for row in connection.execute("SELECT id, name, floor, head, count, bytes FROM topics ORDER BY id"):
        registry.add(Topic(*row))
    log = connection.execute("SELECT epoch, boot, clean, counted FROM log").fetchone()
    boot = _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else ""
    if log is None or _may_have_lost(log[1], log[2], boot):
        state.epoch = "".join(secrets.choice(EPOCH_ALPHABET) for _ in range(8))
    else:
        state.epoch = log[0]
    for id, head, count, size in connection.execute(
        "SELECT topic, max(offset), count(*), sum(length(data)) FROM events WHERE offset > ? GROUP BY topic",
        (log[3] if log else 0,),
    ):
        topic = registry.by_id(id)
        topic.head = head
        topic.count += count
        topic.bytes += size
        registry.uncounted.add(topic)
    state.head = max((max(topic.head, topic.floor) for topic in registry), default=0)
    row = connection.execute("SELECT time FROM events ORDER BY offset DESC LIMIT 1").fetchone()
    state.time = row[0] if row else 0
    connection.execute(
        "INSERT INTO log (id, epoch, boot, clean) VALUES (1, ?1, ?2, 0)"
        " ON CONFLICT (id) DO UPDATE SET epoch = ?1, boot = ?2, clean = 0",
        (state.epoch, boot if durability == "normal" else _DURABLE),
    )
    return state


def _may_have_lost(boot: str, clean: int, current_boot: str) -> bool:
    """With durability "normal" a power loss may take back offsets that clients have seen.

    A killed process loses nothing, since the pages are the kernel's: only another boot counts. What counts is the
    durability of the run that ended, not of the one that begins.
    """
    return not clean and boot != _DURABLE and (not boot or boot != current_boot)
