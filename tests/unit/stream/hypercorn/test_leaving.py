"""Who resets, or leaves, while what he has sent is worked off is not kept for long, and not many of them."""

import asyncio

from service.stream.hypercorn.leaving import LEFT_MAX, LOOK, Leaving


class One:
    def __init__(self) -> None:
        self.was_reset = False
        self.cuts = 0

    def look(self) -> None:
        if self.was_reset:
            self.cut()

    def cut(self) -> None:
        self.cuts += 1


async def test_one_that_was_reset_is_cut_and_the_others_go_on() -> None:
    leaving, ones = Leaving(), [One() for _ in range(3)]
    for one in ones:
        leaving.begin(one)
    ones[1].was_reset = True
    await asyncio.sleep(2 * LOOK)
    assert ones[1].cuts
    assert ones[0].cuts + ones[2].cuts == 0
    leaving.end(ones[1])
    ones[0].was_reset = ones[2].was_reset = True
    leaving.end(ones[0])
    await asyncio.sleep(2 * LOOK)
    assert ones[2].cuts
    assert not ones[0].cuts, "one that is done has nothing to be cut"


async def test_of_those_that_have_left_the_first_gives_way() -> None:
    leaving, ones = Leaving(), [One() for _ in range(LEFT_MAX + 3)]
    for one in ones:
        leaving.begin(one)
        leaving.left(one)
        leaving.left(one)
    assert [one.cuts for one in ones] == [1, 1, 1] + [0] * LEFT_MAX
    idle = One()
    leaving.left(idle)
    assert idle.cuts == 0
    for one in ones:
        leaving.end(one)
    assert not leaving._at_work
    assert not leaving._left
