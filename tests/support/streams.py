"""A stream that runs, in tests of streams and of all of them together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from service.access.caller import Caller
from service.bus.start import Start
from service.bus.subscription import State
from service.core.topics import TopicFilter
from service.stream.stream import Stream
from tests.support.stream_fixtures import House
from tests.support.wires import FakePipe, Silence, until

T = TopicFilter(("t",))


@dataclass
class Running:
    """A stream that runs in a task of its own."""

    stream: Stream
    pipe: FakePipe
    listener: Silence
    task: "asyncio.Task[None]"

    @property
    def state(self) -> State:
        return self.stream.subscription.state

    async def live(self) -> "Running":
        await until(lambda: self.state is State.LIVE or self.task.done())
        assert self.state is State.LIVE
        return self

    async def over(self) -> list[str]:
        """The types of all frames, once `run` has returned."""
        await asyncio.wait_for(self.task, 20)
        return self.pipe.types


@asynccontextmanager
async def stream_on(
    house: House,
    direct: bool = True,
    start: str | None = None,
    pipe: FakePipe | None = None,
    topics: TopicFilter = T,
    caller: Caller | None = None,
    *,
    ephemeral: bool = False,
    presence: bool = False,
) -> AsyncIterator[Running]:
    pipe = pipe or FakePipe(direct)
    encoding = house.frames.websocket_messages
    caller = caller or Caller()
    asked = {"ephemeral": ephemeral, "presence": presence}
    opened = await house.opening.open(pipe, encoding, topics, Start.parse(start), caller, **asked)
    stream, listener = opened.stream, Silence()
    task = asyncio.create_task(stream.run(opened.first, listener))
    try:
        yield Running(stream, pipe, listener, task)
    finally:
        task.cancel()
        await asyncio.wait([task])
