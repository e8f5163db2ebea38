from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.clock import ManualClock
from tests.unit.log.rigs import Parts, SQLiteRig


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
