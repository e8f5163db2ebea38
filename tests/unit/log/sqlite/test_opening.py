"""The log's identity: kept for as long as nothing that clients have seen can have been taken back."""

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from service.core.cursor import EPOCH_ALPHABET, Cursor
from service.core.errors import StorageError
from service.log.sqlite import opening
from tests.unit.log.rigs import OpenRig, drafts


@pytest.fixture
def boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """`boot(id)` makes the machine one that was started as `id`."""
    path = tmp_path / "boot_id"
    monkeypatch.setattr(opening, "_BOOT_ID", path)
    return lambda id: (path.write_text(f"{id}\n"), None)[1]


async def test_a_new_file_has_a_new_epoch(open_rig: OpenRig) -> None:
    epochs = set()
    for _ in range(5):
        rig = await open_rig()
        epochs.add(rig.log.epoch)
    assert len(epochs) == 5
    assert all(set(epoch) <= set(EPOCH_ALPHABET) for epoch in epochs)
    assert all(Cursor.parse(f"{epoch}-1") for epoch in epochs)


@pytest.mark.parametrize(
    ("before", "end", "after_boot", "after", "is_same"),
    [
        ("full", "kill", "two", "full", True),
        ("full", "kill", "two", "normal", True),
        ("normal", "restart", "two", "normal", True),
        ("normal", "kill", "one", "normal", True),
        ("normal", "kill", "two", "normal", False),
        ("normal", "kill", "two", "full", False),
    ],
    ids=lambda value: str(value),
)
async def test_the_epoch_changes_if_commits_may_be_lost(
    open_rig: OpenRig, boot: Callable[[str], None], before: str, end: str, after_boot: str, after: str, is_same: bool
) -> None:
    """Only a power loss under `normal` takes acknowledged offsets back; they must not come again in one epoch."""
    boot("one")
    rig = await open_rig(durability=before)
    await rig.log.append(drafts("a", 2))
    epoch = rig.log.epoch
    if end == "kill":
        rig.path = rig.copy()
    await rig.log.close()
    boot(after_boot)
    await rig.restart(durability=after)
    assert (rig.log.epoch == epoch) == is_same
    assert rig.log.head == 2, "what is left is kept either way"
    epoch = rig.log.epoch
    await rig.restart()
    assert rig.log.epoch == epoch


async def test_a_machine_without_boot_ids_is_taken_for_another(
    open_rig: OpenRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "_BOOT_ID", tmp_path / "nowhere")
    rig = await open_rig(durability="normal")
    epoch = rig.log.epoch
    await rig.restart()
    assert rig.log.epoch == epoch
    await rig.kill()
    assert rig.log.epoch != epoch


@pytest.mark.parametrize(
    ("taken", "told"),
    [
        ("DELETE FROM topics WHERE name = 'b'", "1 topics are not there, by their numbers"),
        ("DELETE FROM topics WHERE name = 'b'; UPDATE log SET folded = 1", "event 2 is on a topic that is not"),
        ("DELETE FROM topics WHERE name = 'c'; UPDATE log SET last_topic = 3", "1 topics are not there"),
    ],
    ids=["hole", "orphan", "last"],
)
async def test_a_log_that_has_lost_topics_is_told_to_be_damaged(open_rig: OpenRig, taken: str, told: str) -> None:
    """It was a KeyError, or the log opened and gave readers less than was there."""
    rig = await open_rig()
    for name in "abc":
        await rig.log.append(drafts(name, 1))
    rig.path = rig.copy()
    await rig.log.close()
    with contextlib.closing(sqlite3.connect(rig.path)) as connection:
        connection.executescript(f"PRAGMA foreign_keys = OFF; {taken};")
    with pytest.raises(StorageError, match=told):
        await rig.open()
