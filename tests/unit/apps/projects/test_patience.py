"""What looks after something goes on, whatever goes wrong at a step of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from service.apps.projects.limits import RETRY_MAX
from service.apps.projects.patience import persist
from service.apps.projects.runs.pruning import Pruning
from service.apps.projects.runs.silence import Silence
from service.core.errors import DrainingError, OverloadedError, StorageError
from tests.support.clock import ManualClock
from tests.support.projects import DEADLINE, Plain, World


async def test_a_step_is_tried_at_a_growing_distance_until_it_does() -> None:
    clock = ManualClock()
    errors: list[Exception] = [KeyError("x"), StorageError("y"), OverloadedError("z", retry_after=7.0)]
    errors += [ValueError("x")] * 4

    async def step() -> str:
        if errors:
            raise errors.pop(0)
        return "done"

    with capture_logs() as logged:
        assert await persist(step, clock, step="looking") == "done"
    assert clock.slept == [1.0, 2.0, 7.0, 8.0, RETRY_MAX, RETRY_MAX, RETRY_MAX]
    assert [(one["log_level"], one["step"]) for one in logged] == [
        (level, "looking") for level in ("error", "warning", "warning", "error", "error", "error", "error")
    ]
    errors.append(DrainingError("the next process goes on"))
    with pytest.raises(DrainingError):
        await persist(step, clock, step="looking")


class Faulty:
    """A store of which the first look fails, as by a mistake of ours; `looks` counts."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.looks = 0
        self.worked = asyncio.Event()

    @asynccontextmanager
    async def view(self) -> AsyncIterator[Any]:
        self.looks += 1
        if self.looks == 1:
            raise KeyError("a mistake")
        async with self._store.view() as view:
            yield view
        self.worked.set()


@pytest.mark.parametrize(
    "make",
    [
        lambda world, store: Silence(world.bus, store, ManualClock(), lambda project: None),
        lambda world, store: Pruning(world.bus, store, ManualClock(), kept=1, most=1),
    ],
    ids=["silence", "pruning"],
)
async def test_a_mistake_at_one_step_is_not_the_end_of_all(world: World, make: Callable[[World, Any], Any]) -> None:
    store = Faulty((await world.service([Plain()])).store)
    watching = make(world, store)
    with capture_logs() as logged:
        watching.start()
        async with asyncio.timeout(DEADLINE):
            await store.worked.wait()
        await watching.close()
    assert [one["exc_info"] for one in logged if one["event"] == "step_failed"] == [True]
