"""Work in steps: the same result at once and in turns."""

import asyncio
from collections.abc import Generator

import pytest

from service.bus.steps import Driver, at_once, in_turns


def count(to: int, seen: list[int]) -> Generator[None, None, str]:
    for n in range(to):
        seen.append(n)
        yield
    return f"{to}"


def fail() -> Generator[None, None, None]:
    yield
    raise ValueError("wrong")


@pytest.mark.parametrize("to", [0, 1, 5])
async def test_the_result_is_the_same_either_way(to: int) -> None:
    one: list[int] = []
    other: list[int] = []
    assert at_once(count(to, one)) == await in_turns(count(to, other)) == f"{to}"
    assert one == other == list(range(to))


async def test_in_turns_others_run_between_the_steps() -> None:
    seen: list[int] = []
    task = asyncio.create_task(in_turns(count(3, seen)))
    for expected in ([0], [0, 1], [0, 1, 2]):
        await asyncio.sleep(0)
        assert seen == expected
    assert await task == "3"


async def test_a_turn_may_be_asked_for_between_the_steps() -> None:
    seen: list[int] = []
    asked: list[list[int]] = []

    async def turn() -> None:
        asked.append(list(seen))

    assert await in_turns(count(3, seen), turn) == "3"
    assert asked == [[0], [0, 1], [0, 1, 2]]


async def test_what_the_work_raises_comes_out() -> None:
    with pytest.raises(ValueError, match="wrong"):
        at_once(fail())
    with pytest.raises(ValueError, match="wrong"):
        await in_turns(fail())


async def test_a_driver_does_the_first_step_at_once_and_the_others_in_turns() -> None:
    seen: list[int] = []

    def work() -> Generator[None, None, None]:
        yield from count(3, seen)

    driver = Driver("work")
    driver.begin(work())
    assert (seen, driver.is_busy) == ([0], True)
    await driver.settle()
    assert (seen, driver.is_busy) == ([0, 1, 2], False)
    await driver.settle()


async def test_what_ends_with_its_first_step_leaves_no_task() -> None:
    driver = Driver("work")
    before = asyncio.all_tasks()
    driver.begin(item for item in ())
    assert not driver.is_busy
    assert asyncio.all_tasks() == before


async def test_a_driver_that_is_closed_ends_its_work_where_it_is() -> None:
    seen: list[int] = []

    def work() -> Generator[None, None, None]:
        yield from count(3, seen)

    driver = Driver("work")
    driver.begin(work())
    await driver.close()
    assert (seen, driver.is_busy) == ([0], False)
    await driver.close()
    driver.begin(work())
    assert seen == [0, 0], "and may begin anew"
    await driver.close()
