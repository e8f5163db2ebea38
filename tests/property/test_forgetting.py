"""Topics that are forgotten: every client, a cursor and a filter, either has all that matched since or was told so.

Clients come back at any time, with whatever they held: below them are publishes, trims, what is forgotten, restarts and
kills, in any order, on topics that come again and that never were. The delivery's test has whole connections and
forgets now and then; this one asks the log alone, and does little else.
"""

import asyncio
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.topics import TopicFilter
from tests.unit.log.rigs import SQLiteRig, drafts, read_all

SMALL_BOUNDS = {
    "service.log.sqlite.upkeep.UPKEEP_INTERVAL": 3_600.0,
    "service.log.sqlite.reader.WINDOW": 5,
    "service.log.sqlite.forget.STEP": 2,
    "service.log.sqlite.raised.TIDY_STEP": 2,
    "service.log.sqlite.topics._GONE_MIN": 0,
    "service.log.sqlite.topics._TIDY_STEP": 2,
    "service.log.sqlite.trim.TRIM_ROWS": 2,
}

NAMES = ["a", "b", "c/1", "c/2", "c/1/x"]
PATTERNS = [*NAMES, "never", "*", "c/*", "c/**", "*/1", "**", "twinwire/*"]


@dataclass
class Client:
    """It comes back now and then."""

    topics: TopicFilter
    cursor: int


class Published(NamedTuple):
    offset: int
    topic: str


FILTERS = st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=3).map(lambda some: TopicFilter(tuple(some)))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.lists(st.sampled_from(NAMES), min_size=1, max_size=4)),
        st.tuples(st.just("trim"), FILTERS, st.integers(0, 1)),
        st.tuples(st.just("empty"), FILTERS),
        st.tuples(st.just("forget")),
        st.tuples(st.just("join"), FILTERS, st.integers(0, 10)),
        st.tuples(st.just("come"), st.integers(0, 20)),
        st.tuples(st.sampled_from(["restart", "kill"])),
    ),
    min_size=5,
    max_size=40,
)


class House:
    """The log, what was ever published, and the clients."""

    def __init__(self, folder: Path) -> None:
        self.rig = SQLiteRig(folder)
        self.published: list[Published] = []
        self.clients: list[Client] = []
        self.has_forgotten = False
        self.follows: set[int] = set()
        """Events that came once something was forgotten: none says that it is the first."""

    async def publish(self, names: list[str]) -> None:
        receipt = await self.rig.log.append([one for name in names for one in drafts(name, 1)])
        self.published += [Published(*one) for one in zip(receipt.offsets, names, strict=True)]
        self.follows.update(receipt.offsets if self.has_forgotten else ())

    async def trim(self, topics: TopicFilter, keep: int) -> None:
        await self.rig.log.trim(topics, keep)

    async def empty(self, topics: TopicFilter) -> None:
        await self.rig.log.trim(topics, 0)

    async def forget(self) -> None:
        self.has_forgotten = bool(await self.rig.forget()) or self.has_forgotten

    async def restart(self) -> None:
        await self.rig.restart()

    async def kill(self) -> None:
        await self.rig.kill()

    async def join(self, topics: TopicFilter, back: int) -> None:
        self.clients.append(Client(topics, max(0, self.rig.log.head - back)))

    async def come(self, pick: int) -> None:
        if self.clients:
            await self.read(self.clients[pick % len(self.clients)])

    async def read(self, client: Client) -> None:
        """As a stream does: the floor, then what is kept. A loss below the floor is told; there is none above."""
        log, after = self.rig.log, client.cursor
        floor = log.bounds(client.topics).floor
        is_told = after < floor
        found = await read_all(log, client.topics, after, limit=3)
        got = {event.offset for event in found}
        owed = {one.offset for one in self.published if one.offset > after and client.topics.matches(one.topic)}
        assert got <= owed
        assert owed == got or (is_told and max(owed - got) <= floor), (owed - got, after, floor)
        known = max(after, floor)
        for event in found:  # the client's own proof: docs/protocol.md, section 3
            assert event.prev <= known, f"{event.prev} was lost before {event.offset}, and nobody said so"
            assert event.prev or event.offset not in self.follows, f"{event.offset} is not the first, for all we know"
            known = max(known, event.offset)
        client.cursor = log.head

    async def run(self, steps: list[tuple[object, ...]]) -> None:
        await self.rig.open()
        try:
            for what, *values in steps:
                await getattr(self, str(what))(*values)
                assert self.rig.log.head == len(self.published), "no offset is given twice"
            for client in self.clients:
                await self.read(client)
        finally:
            await self.rig.discard()


@settings(max_examples=150, deadline=None, derandomize="CI" in os.environ)
@given(STEPS)
def test_every_client_has_all_or_was_told(steps: list[tuple[object, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        patches = [mock.patch(name, value) for name, value in SMALL_BOUNDS.items()]
        for patch in patches:
            patch.start()
        try:
            asyncio.run(House(Path(folder)).run(steps))
        finally:
            for patch in patches:
                patch.stop()
