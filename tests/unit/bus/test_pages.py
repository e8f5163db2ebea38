"""A page is read once for all who stand at the same place, and a shared page is never out of date."""

from service.bus.bus import EventBus
from service.bus.group import Group
from service.bus.pages import SHARED_PAGES
from service.bus.start import Start
from service.core.topics import TopicFilter
from tests.support.wires import OffsetText, drafts, memory_bus


def topics(*patterns: str) -> TopicFilter:
    return TopicFilter(patterns)


async def two(bus: EventBus, encoding: OffsetText, filter: TopicFilter) -> tuple[Group, ...]:
    subscriptions = [(await bus.subscribe(filter, Start.now(), encoding))[0] for _ in range(2)]
    assert subscriptions[0].group is subscriptions[1].group
    return tuple(subscription.group for subscription in subscriptions)


async def test_a_page_that_reached_the_head_is_not_shared_once_the_head_has_moved() -> None:
    bus, encoding = memory_bus(tail_events=1), OffsetText()
    await bus.publish(drafts(3))
    group, _ = await two(bus, encoding, topics("t"))
    assert (await bus.reading.page(group, 0)).payload == (1, 2, 3)
    encoded = encoding.encoded
    assert (await bus.reading.page(group, 0)).payload == (1, 2, 3)
    assert encoding.encoded == encoded, "the second reader shares the first one's page"
    await bus.publish(drafts(1))
    assert (await bus.reading.page(group, 0)).payload == (1, 2, 3, 4)


async def test_a_page_before_the_head_stays_shared_when_the_head_moves() -> None:
    bus, encoding = memory_bus(tail_events=1), OffsetText()
    await bus.publish(drafts(1_000))
    group, _ = await two(bus, encoding, topics("t"))
    page = await bus.reading.page(group, 0)
    assert page.offset < bus.head
    await bus.publish(drafts(1))
    assert await bus.reading.page(group, 0) is page


async def test_a_shared_page_is_forgotten_at_a_trim() -> None:
    bus, encoding = memory_bus(tail_events=1), OffsetText()
    await bus.publish(drafts(1_000))
    group, _ = await two(bus, encoding, topics("t"))
    assert (await bus.reading.page(group, 0)).payload is not None
    await bus.trim(topics("t"), 10)
    assert (await bus.reading.page(group, 0)).payload == tuple(range(991, 1_001))


async def test_pages_are_kept_for_others_only_and_a_bounded_number_of_them() -> None:
    bus, encoding = memory_bus(tail_events=1), OffsetText()
    await bus.publish(drafts(SHARED_PAGES + 30))
    group, _ = await two(bus, encoding, topics("t"))
    pages = [await bus.reading.page(group, after) for after in range(SHARED_PAGES + 20)]
    encoded = encoding.encoded
    again = [await bus.reading.page(group, after) for after in reversed(range(20, SHARED_PAGES + 20))]
    assert [page is kept for page, kept in zip(again, reversed(pages[20:]), strict=True)] == [True] * SHARED_PAGES
    assert encoding.encoded == encoded
    assert await bus.reading.page(group, 0) is not pages[0], "an older one was let go"


async def test_a_page_is_not_kept_for_one_alone() -> None:
    bus, encoding = memory_bus(tail_events=1), OffsetText()
    await bus.publish(drafts(50))
    alone = (await bus.subscribe(topics("t"), Start.now(), encoding))[0]
    assert await bus.reading.page(alone.group, 0) is not await bus.reading.page(alone.group, 0)
