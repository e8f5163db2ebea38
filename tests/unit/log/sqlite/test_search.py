"""A search through the embedded log: what it finds is the contract's, how it gives way is its own."""

import asyncio

from service.core.topics import TopicFilter
from service.log.base import Search
from tests.unit.log.rigs import SQLiteRig, drafts


async def test_a_long_search_gives_way(sqlite_rig: SQLiteRig) -> None:
    """A rare type behind many windows of a scan must not stop the event loop until it is found."""
    log = sqlite_rig.log
    for n in range(20):
        await log.append([*drafts(f"t{n}", 1), *drafts("other", 999)])
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    page = await log.search(Search(TopicFilter(("t1", "t2", *(f"t{n}" for n in range(3, 20)))), type="unknown"))
    counting.cancel()
    assert (list(page.events), page.next) == ([], 20_000)
    assert turns >= 10
