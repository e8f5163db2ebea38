"""Pages in a browser that node drives, with an end for both of them."""

import asyncio
import json
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.support.needs import node
from tests.support.server import ROOT

SCRIPT: Final = Path(__file__).with_name("visit.mjs")
GRACE: Final = 10.0
"""Seconds in which node ends its browser: it does so at once, unless it hangs."""


async def visited(
    browser: str, executable: str, visits: Sequence[Mapping[str, Any]], folder: Path, limit: float
) -> dict[str, list[str]]:
    """What each page says; `visits` are as `visit.mjs` reads them, `limit` is seconds. Raises TimeoutError.

    Profiles are made in `folder`. A browser is in a process group of its own, which only who started it knows of: a
    node that is killed leaves it running, so it is asked first.
    """
    command = [node("puppeteer-core"), str(SCRIPT), browser, executable]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, stdin=pipe, stdout=pipe, stderr=pipe, cwd=ROOT, env=os.environ | {"TMPDIR": str(folder)}
    )
    try:
        async with asyncio.timeout(limit):
            out, err = await process.communicate(json.dumps(visits).encode())
    finally:
        await _end(process)
    assert process.returncode == 0, err.decode()
    found: dict[str, list[str]] = json.loads(out)
    return found


async def _end(process: asyncio.subprocess.Process) -> None:
    for step in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is not None:
            return
        process.send_signal(step)
        try:
            async with asyncio.timeout(GRACE):
                await process.wait()
        except TimeoutError:
            continue
