from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.unit.log.rigs import OpenRig, Parts, SQLiteRig


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def parts(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Parts]:
    parts = await Parts.open(tmp_path / "test.db", clock)
    yield parts
    await parts.close()


@pytest.fixture
async def sqlite_rig(tmp_path: Path) -> AsyncIterator[SQLiteRig]:
    rig = await SQLiteRig(tmp_path).open()
    yield rig
    await rig.discard()


@pytest.fixture
async def open_rig(tmp_path: Path) -> AsyncIterator[OpenRig]:
    """Opens logs with options, each in a folder of its own, and closes them in the end."""
    opened: list[SQLiteRig] = []

    async def open(**options: Any) -> SQLiteRig:
        folder = tmp_path / f"log-{len(opened)}"
        folder.mkdir()
        rig = SQLiteRig(folder, **options)
        await rig.open()
        opened.append(rig)
        return rig

    yield open
    for rig in opened:
        await rig.discard()
