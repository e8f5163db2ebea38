"""Whatever way a page is found, it has what a plain list gives: random logs, filters, orders, limits, trims."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from service.clock import SystemClock
from service.core.event import OFFSET, Draft
from service.core.topics import TopicFilter
from service.log.base import Search
from tests.support.sqlitelog import open_sqlite_log

NAMES = [f"{letter}/{n}" for letter in "abc" for n in range(6)]
PATTERNS = [*NAMES[::2], "a/*", "b/**", "*/1", "*/2", "**", "nobody/*", "c/3"]
TYPES = ["log", "status", "rare"]
PLENTY = 1 << 30

BATCHES = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(TYPES)), min_size=1, max_size=40)
FILTERS = st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=6).map(lambda some: TopicFilter(tuple(some)))
TRIMS = st.tuples(FILTERS, st.integers(0, 3))
SMALL = st.fixed_dictionaries(
    {
        "service.log.sqlite.plan.MERGE_TOPICS": st.sampled_from([1, 2, 16]),
        "service.log.sqlite.plan.SCANNED": st.sampled_from([0.0, 1.6, 1_000.0]),
        "service.log.sqlite.topics.KNOWN_MAX": st.sampled_from([0, 5, 100]),
        "service.log.sqlite.topics.COMPARISONS": st.sampled_from([10, 40_000]),
        "service.log.sqlite.reader.WINDOW": st.sampled_from([3, 2_000]),
        "service.log.sqlite.reader.SEEK_STEP": st.sampled_from([1, 3, 1_000]),
        "service.log.sqlite.reader.SEEKS": st.sampled_from([1, 4, 24]),
    }
)
"""Bounds and weights under which all ways are taken, and end everywhere."""


@contextmanager
def patched(values: dict[str, float]) -> Iterator[None]:
    patches = [mock.patch(name, value) for name, value in values.items()]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()


@settings(max_examples=60, deadline=None)
@given(
    small=SMALL,
    batches=st.lists(BATCHES, min_size=1, max_size=6),
    before=st.lists(TRIMS, max_size=2),
    during=st.lists(TRIMS, max_size=2),
    filters=st.lists(FILTERS, min_size=1, max_size=3),
    limit=st.sampled_from([1, 3, 50]),
    newest_first=st.booleans(),
    type=st.none() | st.sampled_from(TYPES),
    start=st.integers(0, 60),
)
def test_a_page_has_what_a_plain_list_has(
    small: dict[str, float],
    batches: list[list[tuple[str, str]]],
    before: list[tuple[TopicFilter, int]],
    during: list[tuple[TopicFilter, int]],
    filters: list[TopicFilter],
    limit: int,
    newest_first: bool,
    type: str | None,
    start: int,
) -> None:
    async def play(path: Path) -> None:
        log = await open_sqlite_log(path, SystemClock())
        try:
            kept: dict[int, tuple[str, str]] = {}

            async def trim(topics: TopicFilter, keep: int) -> None:
                await log.trim(topics, keep)
                for name in {name for name, _ in kept.values() if topics.matches(name)}:
                    mine = [offset for offset, (topic, _) in kept.items() if topic == name]
                    for offset in mine[: max(0, len(mine) - keep)]:
                        del kept[offset]

            async def check(topics: TopicFilter, trims: list[tuple[TopicFilter, int]]) -> None:
                """All pages of it, with a trim behind each as long as there are some."""
                low, high = min(start, log.head), log.head + 1
                found: list[int] = []
                owed = {
                    n for n, (name, kind) in kept.items() if n > low and topics.matches(name) and kind == (type or kind)
                }
                could = set(owed)
                while low + 1 < high:
                    search = Search(topics, low, high, type, None, None, newest_first, limit, PLENTY)
                    page = await (log.search(search) if newest_first or type else log.read(topics, low, limit, PLENTY))
                    assert len(page.rows) <= limit
                    assert high > page.next > low or not newest_first
                    found += [row[OFFSET] for row in page.rows]
                    low, high = (low, page.next) if newest_first else (page.next, high)
                    if not page.rows and (newest_first or type):
                        break  # a search says so only at its end
                    if trims:
                        await trim(*trims.pop())
                        owed &= kept.keys() | set(found)
                assert found == sorted(set(found), reverse=newest_first), "in order, each once"
                assert owed <= set(found) <= could

            for batch in batches:
                drafts = [Draft(topic, kind, "1") for topic, kind in batch]
                receipt = await log.append(drafts)
                kept.update(zip(receipt.offsets, batch, strict=True))
            for topics, keep in before:
                await trim(topics, keep)
            left = list(during)
            for topics in filters:
                await check(topics, left)
        finally:
            await log.close()

    with patched(small), tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder) / "test.db"))
