"""The command, with replays that wait while a file is there: for tests that look at a stream on its way.

usage: HELD=FILE python -m tests.support.held_replays serve ...
"""

import asyncio
import os
from pathlib import Path
from typing import Any, Final

from service.__main__ import run_command
from service.bus.reading import Reading

HELD: Final = "HELD"
"""The variable that names the file."""


def hold(file: Path) -> None:
    """From now on no page is read while `file` is there."""
    page = Reading.page

    async def held(self: Reading, group: Any, after: int) -> Any:
        while file.exists():
            await asyncio.sleep(0.01)
        return await page(self, group, after)

    Reading.page = held  # type: ignore[method-assign]


if __name__ == "__main__":
    hold(Path(os.environ[HELD]))
    run_command()
