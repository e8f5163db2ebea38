"""How far subscribers are behind: by share of them, and without a step that lasts."""

import asyncio
from collections.abc import Sequence

import pytest

from service.bus.start import Start
from service.core.topics import TopicFilter
from service.operations.lag import NO_LAG, QUANTILES, STEP, Lag, measure
from tests.support.wires import OffsetText, Sink, drafts, memory_bus


async def lag_of(behind: Sequence[int], live: int = 0) -> Lag:
    """With subscribers that are so many events behind, and so many live ones."""
    bus = memory_bus()
    if behind:
        await bus.publish(drafts(max(behind)))
    encoding = OffsetText()
    found = [bus.attach(TopicFilter(("t",)), bus.head - one, encoding) for one in behind]
    for _ in range(live):
        one, _ = await bus.subscribe(TopicFilter(("never",)), Start.now(), encoding)
        assert one.go_live(Sink())
        found.append(one)
    await bus.publish(drafts(1, "u"))  # who is live has handled it by not matching it
    measured = await measure(found, lambda: bus.head)
    for one in found:
        one.close()
    return measured


def test_the_shares_are_those_that_are_shown() -> None:
    assert QUANTILES == (0.5, 0.9, 0.99, 1.0)


@pytest.mark.parametrize(
    ("behind", "live", "expected"),
    [
        ([], 0, NO_LAG),
        ([], 10, NO_LAG),
        ([7], 0, Lag((8, 8, 8, 8), 1)),
        ([7], 9, Lag((0, 0, 8, 8), 1)),
        ([7], 99, Lag((0, 0, 0, 8), 1)),
        ([7, 8], 98, Lag((0, 0, 8, 9), 2)),
        (range(100), 0, Lag((50, 90, 99, 100), 100)),
        (range(5), 5, Lag((0, 4, 5, 5), 5)),
    ],
)
async def test_of_a_share_of_streams_none_is_farther_behind(behind: Sequence[int], live: int, expected: Lag) -> None:
    assert await lag_of(behind, live) == expected


async def test_many_are_looked_at_in_steps() -> None:
    """Each against the head of its moment: one that moves on meanwhile is nobody's fault."""
    bus = memory_bus()
    await bus.publish(drafts(1))
    one = bus.attach(TopicFilter(("t",)), 0, OffsetText())
    turns: list[int] = []

    async def beside() -> None:
        await bus.publish(drafts(1))
        turns.append(bus.head)

    task = asyncio.create_task(beside())
    assert (await measure([one] * (3 * STEP), lambda: bus.head)).behind == 3 * STEP
    assert turns == [2], "somebody else had a turn"
    await task
    one.close()
