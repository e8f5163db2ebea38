"""Work that gives way at each of its `yield`s: a generator whose value is the result, to be done to its end."""

from collections.abc import Generator
from typing import Any, TypeVar

from service.log.base import ONE_TURN, Turn

T = TypeVar("T")


def at_once(steps: Generator[Any, None, T]) -> T:
    """The result, all in one step. Raises what the work raises."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


async def in_turns(steps: Generator[Any, None, T], turn: Turn = ONE_TURN) -> T:
    """The result; wherever the work gives way, `turn` is waited for, which others have first. Raises what they raise.

    With many who work at the same time, a turn of the loop for each would be as long as a step of all of them: then
    `turn` is of those who let in a few at a time.
    """
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        await turn()
