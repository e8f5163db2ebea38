"""A model's parts as tests make them: settings of the stand-in, and a clock that does not wait between tries."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from service.apps.projects.llm.model import Model, open_model
from service.apps.projects.llm.settings import ModelSettings
from service.clock import SystemClock
from tests.support.standin import KEY, MODEL, StandIn


class HastyClock(SystemClock):
    """The machine's, whose sleeps take no time."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


def settings_for(standin: StandIn, **values: Any) -> ModelSettings:
    return ModelSettings(**{"llm_url": standin.url, "llm_model": MODEL, "llm_key": KEY, **values})


@asynccontextmanager
async def model_of(standin: StandIn, clock: SystemClock | None = None, **values: Any) -> AsyncIterator[Model]:
    model = open_model(settings_for(standin, **values), clock or HastyClock())
    assert model is not None
    try:
        yield model
    finally:
        await model.endpoint.close()
