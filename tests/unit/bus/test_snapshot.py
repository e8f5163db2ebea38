"""A state that is told before what comes after it, and what becomes of it meanwhile."""

from typing import Any

import pytest

from service.bus.bus import EventBus
from service.bus.snapshot import TRIES
from service.bus.start import Start
from service.bus.subscription import Subscription
from service.bus.values import Batch, Gap, StateEnd
from service.core.errors import OverloadedError
from service.core.event import STATE, Draft, Row, mark_of
from service.core.topics import TopicFilter
from service.core.words import StateForm
from tests.support.wires import OffsetText, Sink, memory_bus

T = TopicFilter(("t",))
BOTH = TopicFilter(("t", "u"))


class Rows(OffsetText):
    """Hands on what is written, and keeps the rows."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Row] = []

    def page(self, rows: Any) -> Any:
        self.rows += rows
        return super().page(rows)


def about(subject: str, data: str = '"x"', topic: str = "t", **more: Any) -> Draft:
    return Draft(topic, "x", data, subject=subject, **more)


async def begun(
    bus: EventBus, start: str | None = None, topics: TopicFilter = T, form: StateForm = "events"
) -> tuple[Subscription[Any], Gap | None, Rows]:
    rows = Rows()
    return (*await bus.subscribe(topics, Start.parse(start, form), rows), rows)


async def told(subscription: Subscription[Any]) -> list[Any]:
    """All that is read: offsets, and what is none as it is."""
    found: list[Any] = []
    while (item := await subscription.read()) is not None:
        found += (item.payload or ()) if isinstance(item, Batch) else [item]
    return found


async def test_the_state_then_its_end_then_what_came_since() -> None:
    bus = memory_bus()
    await bus.publish([about("a"), about("b"), about("a"), about("b", "null"), Draft("t", "x", "1")])
    subscription, gap, rows = await begun(bus)
    assert gap is None
    assert (subscription.offset, subscription.floor, subscription.is_telling_state) == (5, 5, True)
    assert not subscription.is_at_head
    assert not subscription.go_live(Sink())
    await bus.publish([about("a"), Draft("t", "x", "2")])
    assert await told(subscription) == [3, StateEnd(5), 6, 7]
    assert not subscription.is_telling_state
    assert [mark_of(row) & STATE for row in rows.rows[:1]] == [STATE], "and none of what comes after it"
    assert not any(mark_of(row) & STATE for row in rows.rows[1:])
    assert subscription.go_live(Sink())


@pytest.mark.parametrize("start", ["earliest", "latest", "", None])
async def test_what_is_no_cursor_begins_with_the_state(start: str | None) -> None:
    bus = memory_bus()
    await bus.publish([about("a"), about("a")])
    subscription, gap, _ = await begun(bus, start)
    assert gap is None
    assert await told(subscription) == [2, StateEnd(2)]


async def test_who_has_a_cursor_goes_on_from_there() -> None:
    bus = memory_bus()
    await bus.publish([about("a"), about("a"), about("a")])
    subscription, gap, _ = await begun(bus, str(bus.cursor(1)))
    assert (gap, subscription.is_telling_state) == (None, False)
    assert await told(subscription) == [2, 3]


@pytest.mark.parametrize(
    ("start", "reason"),
    [("nonsense", "malformed"), ("elsewhere-1", "epoch"), ("HERE-99", "ahead"), ("HERE-1", "trimmed")],
)
async def test_any_other_cursor_is_a_gap_and_the_state(start: str, reason: str) -> None:
    bus = memory_bus()
    await bus.publish([about("a"), about("b"), about("c")])
    await bus.trim(T, 1)
    start = start.replace("HERE", bus.epoch)
    subscription, gap, _ = await begun(bus, start)
    assert gap == Gap(start, reason, 3, 3, has_state=True)  # type: ignore[arg-type]
    assert await told(subscription) == [3, StateEnd(3)]


async def test_what_is_removed_while_it_is_told_begins_it_anew() -> None:
    """Also below a floor that the filter had already: it would have told nothing of what had been there."""
    bus = memory_bus()
    await bus.publish([about(str(n), topic="u") for n in range(300)] + [about("s")])
    await bus.publish([about("s")])
    await bus.trim(T, 1)
    assert bus.reading.floor(BOTH) == 301
    subscription, _, _ = await begun(bus, topics=BOTH)
    first = await subscription.read()
    assert isinstance(first, Batch)
    assert first.payload is not None
    await bus.trim(TopicFilter(("u",)), 10)
    await bus.publish([about("s")])
    found = await told(subscription)
    assert found[0] == Gap(str(bus.cursor(302)), "trimmed", 303, 303, has_state=True)
    assert found[1:] == [*range(291, 301), 303, StateEnd(303)]


async def test_what_is_removed_again_and_again_ends_it() -> None:
    bus = memory_bus()
    await bus.publish([about(str(n)) for n in range(20)])
    subscription, _, _ = await begun(bus)
    for n in range(TRIES):
        await bus.trim(T, 19 - n)
        assert isinstance(await subscription.read(), Gap)
    await bus.trim(T, 1)
    with pytest.raises(OverloadedError):
        await subscription.read()


async def test_a_gap_later_on_is_followed_by_the_state() -> None:
    """What is missing of it may have replaced or deleted something: the reader can't know."""
    bus = memory_bus()
    await bus.publish([about("a"), about("b")])
    subscription, _, _ = await begun(bus)
    assert await told(subscription) == [1, 2, StateEnd(2)]
    await bus.publish([about("a", "null"), about("c"), about("d")])
    await bus.trim(T, 1)
    assert await told(subscription) == [Gap(str(bus.cursor(2)), "trimmed", 5, 5, has_state=True), 5, StateEnd(5)]


async def test_what_is_not_read_any_more_is_not_told_and_what_is_added_has_no_state() -> None:
    bus = memory_bus()
    await bus.publish([about("a"), about("a", topic="u"), about("a", topic="v")])
    subscription, _, _ = await begun(bus, topics=BOTH)
    subscription.change(TopicFilter(("u", "v")))
    await bus.publish([about("b", topic="v")])
    assert await told(subscription) == [2, StateEnd(3), 4]


async def test_a_text_is_one_event_and_one_that_is_too_long_for_it_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.bus.states.JOINED_MAX", 1_000)
    bus = memory_bus()
    short = [about("s", '"a"'), about("s", '"b"', append=True, final=True)]
    await bus.publish([*short, *[about("l", f'"{n:0>300}"', append=True) for n in range(10)], about("e")])
    subscription, _, rows = await begun(bus, form="text")
    await told(subscription)
    assert rows.rows[0][5] == '"ab"'
    assert [mark_of(row) for row in rows.rows] == [STATE | 2, STATE, STATE | 1, STATE | 1, STATE]
    long = [row for row in rows.rows if row[7:8] == ("l",)]
    assert "".join(row[5][1:-1] for row in long) == "".join(f"{n:0>300}" for n in range(10))
    assert [row[0] for row in long] == [6, 10, 12]


async def test_who_comes_together_is_told_what_is_read_once() -> None:
    bus = memory_bus()
    await bus.publish([about(str(n)) for n in range(600)])
    begun_together = [await begun(bus) for _ in range(3)]
    reads = 0
    read = bus.reading.state

    async def counted(*asked: Any, **more: Any) -> Any:
        nonlocal reads
        reads += 1
        return await read(*asked, **more)

    bus.reading.state = counted  # type: ignore[method-assign]
    for subscription, _, _ in begun_together[:2]:
        assert len(await told(subscription)) == 601
    assert reads == 3
    await bus.publish([about("later")])
    late, _, _ = await begun(bus)
    assert late.offset == 600, "the third has yet to read it"
    assert (await told(late))[-2:] == [StateEnd(600), 601]
    assert reads == 3
    begun_together[2][0].close()
    assert (len(bus.reading.pictures), bus.reading.pictures.held) == (0, 0)


async def test_whose_filter_changes_reads_on_alone() -> None:
    bus = memory_bus()
    await bus.publish([about(str(n), topic=topic) for n in range(200) for topic in ("t", "u")])
    first, _, _ = await begun(bus, topics=BOTH)
    second, _, _ = await begun(bus, topics=BOTH)
    await first.read()
    first.change(T)
    assert len(await told(second)) == 401
    rest = await told(first)
    assert rest[-1] == StateEnd(400)
    assert all(offset % 2 == 1 for offset in rest[:-1])
    assert len(bus.reading.pictures) == 0


async def test_a_text_that_was_told_in_part_is_not_gone_on_with_in_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its topic left the filter between two pieces: what came next was told for ever, or without its beginning."""
    monkeypatch.setattr("service.bus.states.JOINED_MAX", 1_000)
    bus = memory_bus()
    long = [about("l", f'"{n:0>300}"', append=True) for n in range(10)]
    other = [about("o", f'"{n}"', topic="u", append=True) for n in range(3)]
    await bus.publish([*long, about("n", "1", topic="u"), *other])
    subscription, _, rows = await begun(bus, topics=BOTH, form="text")
    first = await subscription.read()
    assert isinstance(first, Batch)
    assert [row[7] for row in rows.rows if len(row) == 9] == ["l"]
    subscription.change(TopicFilter(("u",)))
    await told(subscription)
    assert [(row[7], row[5]) for row in rows.rows[1:] if len(row) == 9] == [("n", "1"), ("o", '"012"')]
