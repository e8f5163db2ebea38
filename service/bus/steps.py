"""Work that gives way at each of its `yield`s: a generator whose value is the result, to be done to its end."""

import asyncio
import contextlib
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


class Driver:
    """Does such work, one at a time: its first step where it begins, and the others in a task of this `name`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._task: asyncio.Task[None] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether there is more of it."""
        return self._task is not None

    def begin(self, steps: Generator[Any, None, None]) -> None:
        """Where it is not busy. Raises what the first step raises."""
        with contextlib.suppress(StopIteration):
            next(steps)
            self._task = asyncio.create_task(self._drive(steps), name=self._name)

    async def settle(self) -> None:
        """Return when it is not busy."""
        while self._task is not None:
            await asyncio.shield(self._task)

    async def close(self) -> None:
        """End the work where it is. Idempotent."""
        if (task := self._task) is not None:
            task.cancel()
            await asyncio.wait([task])
            self._task = None  # one that had not begun comes to no `finally`

    async def _drive(self, steps: Generator[Any, None, None]) -> None:
        try:
            await in_turns(steps)
        finally:
            self._task = None
