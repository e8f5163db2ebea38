"""The tail is bounded, contiguous up to the head, and serves nothing that was trimmed."""

from sys import getsizeof

import pytest

from service.bus.tail import FRAME_OVERHEAD, OVERHEAD, Tail
from service.core.event import Event
from tests.support.wires import OffsetText


def event(offset: int, topic: str = "t", data: str = "1") -> Event:
    return Event(offset, topic, "x", 0, offset - 1, data)


def filled(count: int, max_events: int = 100, max_bytes: int = 1 << 20, data: str = "1") -> Tail:
    tail = Tail(0, max_events, max_bytes)
    for offset in range(1, count + 1):
        tail.append([event(offset, data=data)])
    return tail


def offsets(tail: Tail, after: int, limit: int = 1_000) -> list[int]:
    return [entry.event.offset for entry in tail.after(after, limit)]


def test_a_new_tail_starts_at_the_head_that_the_log_had() -> None:
    tail = Tail(41, 10, 1 << 20)
    assert tail.start == 41
    tail.append([event(42)])
    assert offsets(tail, 41) == [42]


def test_at_the_bound_everything_is_kept_and_past_the_slack_the_front_goes() -> None:
    assert (len(filled(100)), filled(100).start) == (100, 0)
    assert len(filled(125)) == 125
    tail = filled(126)
    assert (len(tail), tail.start) == (100, 26)
    assert offsets(tail, 26) == list(range(27, 127))


def test_bytes_bind_as_well_as_events_and_are_accounted_exactly() -> None:
    cost = getsizeof("a" * 1_000) + OVERHEAD
    tail = filled(20, max_bytes=10 * cost, data="a" * 1_000)
    assert tail.bytes == len(tail) * cost
    assert tail.bytes <= 10 * cost * 1.25
    assert tail.start + len(tail) == 20


def test_one_event_beyond_the_byte_bound_is_still_served() -> None:
    tail = filled(3, max_bytes=1_000, data="a" * 60_000)
    assert len(tail) == 1
    assert offsets(tail, 2) == [3]


def test_a_batch_beyond_every_bound_leaves_its_newest_part() -> None:
    tail = Tail(0, 10, 1 << 20)
    added = tail.append([event(offset) for offset in range(1, 501)])
    assert len(added) == 500, "the fan-out needs all of them, whatever the tail keeps"
    assert (len(tail), tail.start) == (10, 490)


@pytest.mark.parametrize(("after", "limit", "expected"), [(0, 2, [1, 2]), (3, 9, [4, 5]), (5, 9, []), (2, 0, [])])
def test_after_looks_at_a_bounded_number_of_positions(after: int, limit: int, expected: list[int]) -> None:
    assert offsets(filled(5), after, limit) == expected


def test_what_was_trimmed_is_forgotten_and_leaves_positions_as_they_were() -> None:
    tail = Tail(0, 100, 1 << 20)
    tail.append([event(offset, "a" if offset % 2 else "b") for offset in range(1, 11)])
    before = tail.bytes
    tail.forget({"a": 5}, {})
    assert offsets(tail, 0) == [2, 4, 6, 7, 8, 9, 10]
    assert tail.bytes == before - 3 * (getsizeof("1") + OVERHEAD)
    tail.forget({"a": 5}, {})
    assert tail.bytes == before - 3 * (getsizeof("1") + OVERHEAD), "forgetting twice counts once"
    assert offsets(tail, 4, 2) == [6], "a limit counts positions, not what is left of them"


def test_forgotten_positions_are_shrunk_away_without_counting_twice() -> None:
    tail = Tail(0, 10, 1 << 20)
    tail.append([event(offset) for offset in range(1, 13)])
    tail.forget({"t": 12}, {})
    assert tail.bytes == 0
    tail.append([event(13)])
    assert (tail.bytes, len(tail), tail.start) == (getsizeof("1") + OVERHEAD, 10, 3)


def test_a_frame_is_made_once_for_each_encoding() -> None:
    tail = Tail(0, 10, 1 << 20)
    entry = tail.append([event(1)])[0]
    one, other = OffsetText(name="one"), OffsetText(name="other")
    assert entry.frame(one) is entry.frame(one)
    entry.frame(other)
    assert (one.encoded, other.encoded) == (1, 1)


def test_every_frame_counts_from_when_it_is_made_until_its_event_goes() -> None:
    tail = Tail(0, 3, 1 << 20)
    first, second = tail.append([event(1), event(2, "u")])
    before = tail.bytes
    one, other = OffsetText(name="one"), OffsetText(name="other")
    first.frame(one), first.frame(one), first.frame(other), second.frame(one)
    assert tail.bytes == before + 3 * (1 + FRAME_OVERHEAD)
    tail.forget({"u": 2}, {})
    assert tail.bytes == before // 2 + 2 * (1 + FRAME_OVERHEAD)
    second.frame(other)
    assert tail.bytes == before // 2 + 2 * (1 + FRAME_OVERHEAD), "it is out, and the fan-out's alone"
    tail.append([event(offset) for offset in range(3, 7)])
    first.frame(OffsetText(name="third"))
    assert tail.bytes == 3 * before // 2


def test_text_counts_as_it_is_held_not_by_its_characters() -> None:
    tail = Tail(0, 10, 1 << 20)
    tail.append([event(1, data='"' + "\N{SNOWMAN}" * 1_000 + '"')])
    assert tail.bytes >= 2_000 + OVERHEAD


def test_frames_alone_push_the_front_out() -> None:
    tail = Tail(0, 100, 10_000)
    entries = tail.append([event(offset) for offset in range(1, 21)])
    assert tail.start == 0
    for n in range(20):
        for entry in entries:
            entry.frame(OffsetText(name=str(n)))
    tail.fit()
    assert tail.bytes <= 10_000 * 1.25
    assert tail.start + len(tail) == 20
