"""Work that gives way at each of its `yield`s: a generator whose value is the result, to be done to its end."""

import asyncio
from collections.abc import Generator
from typing import Any, TypeVar

T = TypeVar("T")


def at_once(steps: Generator[Any, None, T]) -> T:
    """The result, all in one step. Raises what the work raises."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


async def in_turns(steps: Generator[Any, None, T]) -> T:
    """The result, with a turn of the event loop for others wherever the work gives way. Raises what the work raises."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        await asyncio.sleep(0)
