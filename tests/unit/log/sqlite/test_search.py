"""A search through the embedded log: what it finds is the contract's, how it gives way is its own."""

from dataclasses import replace

import pytest

from service.core.event import Draft
from service.core.topics import TopicFilter
from service.log.base import Search
from service.log.sqlite.reader import WINDOW
from tests.support.cpu import own_cpu
from tests.support.turns import counted_turns
from tests.unit.log.rigs import SQLiteRig, drafts


async def test_a_long_search_gives_way(sqlite_rig: SQLiteRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rare type behind many windows of a scan must not stop the event loop until it is found."""
    monkeypatch.setattr("service.log.sqlite.topics.KNOWN_MAX", 0)
    log = sqlite_rig.log
    for n in range(20):
        await log.append([*drafts(f"t{n}", 1), *drafts("other", 999)])
    async with counted_turns() as turns:
        page = await log.search(Search(TopicFilter(("t1", "t2", *(f"t{n}" for n in range(3, 20)))), type="unknown"))
    assert (list(page.events), page.next) == ([], 20_000)
    assert turns.count >= 10


@pytest.mark.parametrize("newest_first", [False, True])
async def test_a_search_ends_when_its_time_is_up_and_the_next_goes_on(
    sqlite_rig: SQLiteRig, newest_first: bool
) -> None:
    """Else one request would look through all that is kept for a type that never occurs."""
    log = sqlite_rig.log
    for _ in range(4):
        await log.append(drafts("a", WINDOW))
    search = Search(TopicFilter.all(), type="unknown", newest_first=newest_first, seconds=0.0)
    pages = 0
    while (page := await log.search(search)).is_cut:
        assert not page.rows
        search = replace(search, **{"before" if newest_first else "after": page.next})
        pages += 1
    assert pages == 3
    assert page.next == (1 if newest_first else log.head)


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize(
    "patterns", [("**",), ("t1",), ("t1", "t2"), ("*",), tuple(f"t{n}" for n in range(1, 20))], ids=len
)
async def test_a_rare_type_is_found_in_bounded_steps(
    sqlite_rig: SQLiteRig, patterns: tuple[str, ...], newest_first: bool
) -> None:
    """However few there are, and whichever way is taken to them, each step looks at WINDOW events at most."""
    log = sqlite_rig.log
    rare = [1, WINDOW, WINDOW + 1, 2 * WINDOW, 3 * WINDOW]
    types = dict.fromkeys(rare, "rare")
    count = 3 * WINDOW + 10
    for start in range(1, count + 1, 1_000):
        await log.append([Draft("t1", types.get(n, "x"), "1") for n in range(start, min(start + 1_000, count + 1))])
    turns = 0

    async def turn() -> None:
        nonlocal turns
        turns += 1

    page = await log.search(Search(TopicFilter(patterns), type="rare", newest_first=newest_first), turn)
    assert [event.offset for event in page.events] == (rare[::-1] if newest_first else rare)
    assert turns >= 4
    first = await log.search(Search(TopicFilter(patterns), type="rare", newest_first=newest_first, limit=1))
    assert first.next == (rare[-1] if newest_first else rare[0])


async def test_a_step_of_an_indexed_search_is_short(sqlite_rig: SQLiteRig) -> None:
    """CPU time, so that a busy machine accuses nobody."""
    log = sqlite_rig.log
    for _ in range(20):
        await log.append(drafts("t1", 5_000))
    longest, began = 0.0, 0.0
    with own_cpu() as cpu:

        async def turn() -> None:
            nonlocal longest, began
            now = cpu()
            longest, began = max(longest, now - began if began else 0.0), now

        page = await log.search(Search(TopicFilter(("t1",)), type="never", limit=1), turn)
    assert (list(page.rows), page.next) == ([], 100_000)
    assert longest < 0.02
