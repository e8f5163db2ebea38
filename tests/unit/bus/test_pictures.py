"""Parts of states that several are told at once."""

import asyncio

import pytest

from service.bus import pictures as module
from service.bus.pictures import Part, Picture, Pictures
from service.bus.values import Place
from service.core.topics import TopicFilter
from tests.support.wires import OffsetText

T, U = TopicFilter(("t",)), TopicFilter(("u",))
TEXT: OffsetText = OffsetText()


class Log:
    """What is read of it, in parts of one event each."""

    def __init__(self) -> None:
        self.reads: list[int] = []

    async def part(self, place: Place) -> Part[tuple[int, ...]]:
        await asyncio.sleep(0)
        self.reads.append(place.after)
        return Part((place.after + 1,), place._replace(after=place.after + 1))


def join(pictures: Pictures, at: int = 3, topics: TopicFilter = T, *, lost: bool = False) -> "Picture[tuple[int, ...]]":
    return pictures.join(topics, TEXT, "events", Place(at), lambda _: not lost)


async def told(pictures: Pictures, picture: "Picture[tuple[int, ...]]", log: Log) -> list[int]:
    found: list[int] = []
    place = picture.begin
    while not place.is_end:
        part = await pictures.part(picture, len(found), place, log.part)
        found += part.payload or ()
        place = part.place
    pictures.leave(picture)
    return found


async def test_who_comes_together_reads_once_and_leaves_nothing() -> None:
    pictures, log = Pictures(), Log()
    joined = [join(pictures) for _ in range(5)]
    assert all(one is joined[0] for one in joined)
    assert await asyncio.gather(*[told(pictures, one, log) for one in joined]) == [[1, 2, 3]] * 5
    assert log.reads == [0, 1, 2]
    assert (len(pictures), pictures.held, joined[0].parts) == (0, 0, [])


async def test_who_comes_later_is_told_the_same_from_its_first_part_on() -> None:
    pictures, log = Pictures(), Log()
    first = join(pictures)
    await pictures.part(first, 0, first.begin, log.part)
    second = join(pictures, at=900)
    assert second is first
    assert await told(pictures, second, log) == [1, 2, 3]
    assert log.reads == [0, 1, 2]
    assert first.parts, "the first still reads"


@pytest.mark.parametrize(("at", "topics", "lost"), [(3 + module.BEHIND_MAX + 1, T, False), (3, U, False), (3, T, True)])
async def test_another_one_begins_far_behind_for_another_filter_and_once_something_is_lost(
    at: int, topics: TopicFilter, lost: bool
) -> None:
    pictures = Pictures()
    first = join(pictures)
    second = join(pictures, at, topics, lost=lost)
    assert second is not first
    assert second.begin.at == at
    assert len(pictures) == 2, "the first is still being told"
    pictures.leave(first)
    assert join(pictures, at, topics) is second


async def test_what_is_kept_is_bounded_and_who_loses_it_reads_on_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures, log = Pictures(), Log()
    first = join(pictures)
    part = await pictures.part(first, 0, first.begin, log.part)
    monkeypatch.setattr(module, "HELD_BYTES", pictures.held)
    second = join(pictures, topics=U)
    await pictures.part(second, 0, second.begin, log.part)
    assert (first.is_kept, first.parts, len(pictures)) == (False, [], 1)
    assert pictures.held == second.held <= module.HELD_BYTES
    assert (await pictures.part(first, 1, part.place, log.part)).payload == (2,)
    assert join(pictures) is not first
    pictures.leave(first)
    assert pictures.held == second.held


async def test_one_that_fails_to_read_leaves_it_to_the_next() -> None:
    pictures, log = Pictures(), Log()
    picture = join(pictures)

    async def broken(place: Place) -> Part[tuple[int, ...]]:
        raise OSError("the disk")

    with pytest.raises(OSError, match="the disk"):
        await pictures.part(picture, 0, picture.begin, broken)
    assert await told(pictures, picture, log) == [1, 2, 3]
