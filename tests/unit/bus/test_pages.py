"""A page is read once for all who stand at the same place, and a shared page is never out of date."""

from sys import getsizeof

from service.bus.bus import EventBus
from service.bus.group import Group, Groups
from service.bus.pages import SHARED_BYTES, SHARED_PAGES, SharedPages
from service.bus.start import Start
from service.bus.values import Batch
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


def shared_group() -> Group:
    groups = Groups()
    groups.join(topics("t"), OffsetText())
    return groups.join(topics("t"), OffsetText())


def write(held: int) -> Batch[bytes]:
    """A page whose payload takes so many bytes of memory."""
    batch = Batch(bytes(held - getsizeof(b"")), 1, 10, 0)
    assert getsizeof(batch.payload) == held
    return batch


def test_what_is_kept_is_bounded_by_the_bytes_that_it_holds() -> None:
    pages, group = SharedPages(), shared_group()
    quarter = SHARED_BYTES // 4
    for after in range(4):
        pages.keep(group, after, 100, write(quarter))
    assert pages.bytes == SHARED_BYTES
    assert all(pages.find(group, after, 100) for after in range(4)), "at the bound"
    pages.keep(group, 3, 100, write(quarter + 1))
    assert pages.find(group, 0, 100) is None, "one byte past it, the oldest goes"
    assert all(pages.find(group, after, 100) for after in (1, 2, 3))
    assert pages.bytes == 3 * quarter + 1


def test_a_page_larger_than_the_bound_is_not_kept() -> None:
    pages, group = SharedPages(), shared_group()
    pages.keep(group, 0, 100, write(SHARED_BYTES + 1))
    assert pages.find(group, 0, 100) is None
    assert pages.bytes == 0


def test_messages_count_each_by_itself() -> None:
    pages, group = SharedPages(), shared_group()
    messages = (b"a" * 1_000, b"b" * 2_000)
    pages.keep(group, 0, 100, Batch(messages, 2, 10, 0))
    assert pages.bytes == getsizeof(messages) + sum(map(getsizeof, messages))
    pages.keep(group, 0, 100, Batch(messages, 2, 10, 0))
    assert pages.bytes == getsizeof(messages) + sum(map(getsizeof, messages)), "read again, it is there once"
    pages.forget()
    assert pages.bytes == 0
