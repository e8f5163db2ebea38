"""Reading from a cursor: where a stream starts, what a page holds, who waits for a turn."""

import pytest

from service.bus.bus import EventBus
from service.bus.reading import FORGOTTEN_MAX, LOCATE_OFFSETS, LOCATE_STEPS, PAGE_BYTES, PAGE_EVENTS, TAIL_SCAN
from service.bus.start import Start
from service.bus.values import Batch, Gap
from service.core.event import Draft
from service.core.topics import TopicFilter
from service.log.base import Page
from tests.support.clock import ManualClock
from tests.support.memorylog import MemoryEventLog
from tests.support.wires import OffsetText, drafts, memory_bus

T = TopicFilter(("t",))
ALL = TopicFilter.all()


async def located(bus: EventBus, text: str | None, topics: TopicFilter = T) -> tuple[int, Gap | None]:
    return await bus.reading.locate(topics, Start.parse(text))


@pytest.fixture
async def trimmed() -> EventBus:
    """t: 1-4 removed, 5, 6 kept; u: 7 kept; head 7."""
    bus = memory_bus(tail_events=1)
    await bus.publish([*drafts(6), *drafts(1, "u")])
    await bus.trim(T, 2)
    return bus


# docs/protocol.md, section 3: where a stream starts


@pytest.mark.parametrize("text", [None, "", "latest"])
async def test_from_now_is_the_head_without_a_gap(trimmed: EventBus, text: str | None) -> None:
    assert await located(trimmed, text) == (7, None)


async def test_earliest_is_before_the_first_kept_match_and_never_a_gap(trimmed: EventBus) -> None:
    assert await located(trimmed, "earliest") == (4, None)
    assert await located(trimmed, "earliest", TopicFilter(("u",))) == (6, None)
    assert await located(trimmed, "earliest", TopicFilter(("none",))) == (7, None)
    assert await located(memory_bus(), "earliest") == (0, None)


async def test_the_search_for_where_a_stream_begins_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client hears nothing meanwhile; the stream scans on, with heartbeats."""
    log = MemoryEventLog(ManualClock())
    bus = memory_bus(log=log)
    steps, asked = LOCATE_OFFSETS // log.step, 0
    await bus.publish(drafts(2 * steps, "other"))

    async def step(topics: TopicFilter, after: int, limit: int, max_bytes: int) -> Page:
        return Page((), after + 1, 0)

    monkeypatch.setattr(log, "read", step)

    async def turn() -> None:
        nonlocal asked
        asked += 1

    assert await located(bus, "earliest") == (LOCATE_STEPS, None)
    assert await bus.reading.locate(T, Start.parse("earliest"), turn) == (steps, None)
    assert asked == steps


@pytest.mark.parametrize("offset", [4, 5, 6, 7])
async def test_a_cursor_at_or_above_the_floor_is_a_clean_resume(trimmed: EventBus, offset: int) -> None:
    assert await located(trimmed, trimmed.cursor(offset)) == (offset, None)


@pytest.mark.parametrize("offset", [0, 3])
async def test_a_cursor_below_the_floor_is_a_gap_and_then_what_is_kept(trimmed: EventBus, offset: int) -> None:
    text = trimmed.cursor(offset)
    assert await located(trimmed, text) == (4, Gap(text, "trimmed", 4, 4))
    assert await located(trimmed, text, TopicFilter(("u",))) == (offset, None), "u has lost nothing"


async def test_another_epoch_is_a_gap_and_then_everything_kept(trimmed: EventBus) -> None:
    assert await located(trimmed, "other-6") == (4, Gap("other-6", "epoch", 4, 4))
    assert await located(trimmed, "other-6", TopicFilter(("u",))) == (6, Gap("other-6", "epoch", 6, None))


async def test_a_cursor_from_the_future_is_a_gap_and_then_live(trimmed: EventBus) -> None:
    text = trimmed.cursor(8)
    assert await located(trimmed, text) == (7, Gap(text, "ahead", 7, 4))


async def test_what_is_no_cursor_is_a_gap_and_then_live(trimmed: EventBus) -> None:
    assert await located(trimmed, "%%%") == (7, Gap("%%%", "malformed", 7, 4))


async def test_the_head_is_a_clean_resume_after_everything_was_trimmed(trimmed: EventBus) -> None:
    await trimmed.trim(ALL, 0)
    assert await located(trimmed, trimmed.cursor(7), ALL) == (7, None)
    assert await located(trimmed, "earliest", ALL) == (7, None)


# Pages


@pytest.mark.parametrize("tail_events", [1, 100_000])
async def test_a_page_is_bounded_by_events_and_by_bytes(tail_events: int) -> None:
    bus = memory_bus(tail_events)
    await bus.publish([*drafts(PAGE_EVENTS + 1), *drafts(10, data='"' + "a" * (PAGE_BYTES // 4) + '"')])
    group = (await bus.subscribe(T, Start.now(), OffsetText()))[0].group
    page = await bus.reading.page(group, 0)
    assert (page.count, page.offset) == (PAGE_EVENTS, PAGE_EVENTS)
    if tail_events == 1:  # OffsetText's frames are short, so only the log's bound is felt
        page = await bus.reading.page(group, PAGE_EVENTS)
        assert page.count == 5


async def test_a_tail_page_looks_at_a_bounded_number_of_entries() -> None:
    bus = memory_bus(100_000)
    await bus.publish([*drafts(TAIL_SCAN, "other"), *drafts(1)])
    group = (await bus.subscribe(T, Start.now(), OffsetText()))[0].group
    first = await bus.reading.page(group, 0)
    assert (first.payload, first.offset) == (None, TAIL_SCAN)
    assert (await bus.reading.page(group, first.offset)).payload == (TAIL_SCAN + 1,)


class CountingLog(MemoryEventLog):
    reads = 0

    async def read(self, topics: TopicFilter, after: int, limit: int, max_bytes: int) -> Page:
        self.reads += 1
        return await super().read(topics, after, limit, max_bytes)


async def test_what_the_tail_holds_is_read_without_the_log() -> None:
    log = CountingLog(ManualClock())
    bus = memory_bus(tail_events=100, log=log)
    await bus.publish(drafts(50))
    group = (await bus.subscribe(T, Start.now(), OffsetText()))[0].group
    assert (await bus.reading.page(group, 0)).count == 50
    assert (await bus.reading.page(group, 20)).count == 30
    assert log.reads == 0


# Turns


class CountedTurns:
    def __init__(self) -> None:
        self.taken = 0

    async def take(self) -> None:
        self.taken += 1


async def test_a_page_that_has_to_be_read_takes_a_turn_and_a_shared_one_none(monkeypatch: pytest.MonkeyPatch) -> None:
    bus = memory_bus()
    await bus.publish(drafts(3))
    turns = CountedTurns()
    monkeypatch.setattr(bus.reading, "_turns", turns)
    two = [bus.attach(T, 0, OffsetText()) for _ in range(2)]
    assert [await subscription.read() for subscription in two] == [Batch((1, 2, 3), 3, 3, 0)] * 2
    assert turns.taken == 1


async def test_trims_that_nobody_reads_after_are_told_to_the_tail() -> None:
    """Each topic is remembered until the tail has heard of it, so it hears now and then although nobody reads."""
    bus = memory_bus()
    await bus.publish(drafts(1))
    most = 0
    for n in range(2 * FORGOTTEN_MAX):
        bus.reading.trimmed(f"t/{n}", 1)
        most = max(most, len(bus.reading._forgotten))
    assert most < FORGOTTEN_MAX


# Compaction


async def compacted(bus: EventBus, log: MemoryEventLog, old: int = 0) -> None:
    await log.compact(T, bus.head, old)


def about(subject: str, data: str = '"x"') -> Draft:
    return Draft("t", "log", data, None, subject)


async def test_a_gap_says_whether_what_is_missing_was_replaced() -> None:
    log = MemoryEventLog(ManualClock())
    bus = memory_bus(log=log, tail_events=1)
    await bus.publish([about("s"), about("s"), about("s"), about("u"), about("u", "null"), *drafts(1, "u")])
    await compacted(bus, log)
    offset, gap = await located(bus, f"{bus.epoch}-1")
    assert gap is not None
    assert (offset, gap.reason, gap.floor) == (2, "compacted", 4)
    assert await located(bus, f"{bus.epoch}-4") == (4, None)
    await compacted(bus, log, bus.head)
    _, gap = await located(bus, f"{bus.epoch}-4")
    assert gap is not None
    assert (gap.reason, gap.floor) == ("trimmed", 5), "who has not seen the deletion has what is no more"
    assert await located(bus, f"{bus.epoch}-5") == (5, None)


async def test_the_tail_drops_what_has_no_subject_and_may_serve_what_was_replaced() -> None:
    log = MemoryEventLog(ManualClock())
    bus = memory_bus(log=log)
    await bus.publish([*drafts(1), about("s"), *drafts(1), about("s")])
    bus.reading.thinned("t", 3, True)
    bus.reading.thinned("t", 2, False)
    bus.reading._forget()
    assert [entry.event.offset for entry in bus.tail.after(0, 10)] == [2, 4]


async def test_topics_that_were_thinned_are_told_to_the_tail_too() -> None:
    bus = memory_bus()
    await bus.publish(drafts(1))
    for n in range(2 * FORGOTTEN_MAX):
        bus.reading.thinned(f"t/{n}", 1, True)
        assert len(bus.reading._thinned) < FORGOTTEN_MAX


async def test_trims_of_many_others_make_no_state_of_a_compacted_topic_begin_again() -> None:
    log = MemoryEventLog(ManualClock())
    bus = memory_bus(log=log)
    await bus.publish([about("s"), about("s")])
    await compacted(bus, log)
    moment = bus.reading.removals.moment
    for n in range(2_000):
        bus.reading.trimmed(f"other/{n}", 1)
    assert not bus.reading.has_lost(T, moment)
    assert bus.reading.has_lost(T, moment - 1), "of another run, which may have taken more"
    await bus.trim(T, 0)
    assert bus.reading.has_lost(T, moment)
