"""The client on Node: one process for all paths, whose lines go to the listeners that they are about."""

import asyncio
import json
from pathlib import Path
from typing import Final

from tests.proxies.rounds import Listener
from tests.support.needs import program

PROGRAM: Final = Path(__file__).with_name("watch.mjs")


def node() -> str:
    """Node's path. Without it tests are skipped, but never in CI."""
    return program("node", "no node: install version 20 or newer")


async def dispatch(output: asyncio.StreamReader, listeners: dict[str, Listener]) -> None:
    """Hand each line of the Node process to the listener that it is about."""
    async for text in output:
        line = json.loads(text)
        (what,) = line.keys() & {"live", "mark", "done"}
        listeners[line["name"]].tell(what, line if what == "done" else line[what])
