from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.projects import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World.open(tmp_path / "test.db") as world:
        yield world
