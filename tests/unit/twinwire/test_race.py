import asyncio
from typing import Any

import pytest

from twinwire.chooser import Transport
from twinwire.errors import Fault, Problem
from twinwire.race import Lost, Won, race

ALL: tuple[Transport, ...] = ("websocket", "sse", "poll")


class Contender:
    """A link as far as a race looks at one."""

    def __init__(self, name: Transport) -> None:
        self.name = name
        self.opened: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.connection: object | None = None
        self.fault: Fault | None = None
        self.is_closed = False

    def connect(self) -> None:
        self.connection = object()
        self.opened.set_result(True)

    def end(self, fault: Fault) -> None:
        self.fault = fault
        self.opened.set_result(False)

    def close(self) -> None:
        self.is_closed = True


class Field:
    def __init__(self) -> None:
        self.running: list[Contender] = []
        self.news = asyncio.Event()

    def launch(self, name: Transport) -> Any:
        self.running.append(Contender(name))
        self.news.set()
        return self.running[-1]

    def run(self, hedge: float = 60.0) -> "asyncio.Task[Won | Lost]":
        return asyncio.create_task(race(ALL, self.launch, lambda link: link.fault or Fault("network", ""), hedge))

    async def there(self, count: int) -> Contender:
        """The last of so many, once they have begun."""
        while len(self.running) < count:
            self.news.clear()
            await asyncio.wait_for(self.news.wait(), 5)
        return self.running[-1]


async def test_the_best_wins_alone() -> None:
    field = Field()
    running = field.run()
    (await field.there(1)).connect()
    won = await running
    assert isinstance(won, Won)
    assert (won.link.name, won.others, len(field.running)) == ("websocket", [], 1)


async def test_the_next_begins_as_soon_as_one_has_failed() -> None:
    field = Field()
    running = field.run()
    (await field.there(1)).end(Fault("network", "no"))
    (await field.there(2)).connect()
    won = await running
    assert isinstance(won, Won)
    assert won.link.name == "sse"


async def test_another_that_runs_is_waited_for_before_the_next_begins() -> None:
    field = Field()
    running = field.run(hedge=0.2)
    await field.there(2)
    field.running[0].end(Fault("network", "no"))
    await asyncio.sleep(0.02)
    assert len(field.running) == 2
    field.running[1].connect()
    assert isinstance(await running, Won)


async def test_the_next_joins_one_that_takes_long_and_who_still_tries_is_handed_over() -> None:
    field = Field()
    running = field.run(hedge=0.01)
    await field.there(2)
    field.running[1].connect()
    won = await running
    assert isinstance(won, Won)
    assert won.link.name == "sse"
    assert "websocket" in [link.name for link in won.others]
    assert not any(link.is_closed for link in field.running), "they are the caller's now"


async def test_what_the_service_answers_counts_for_all() -> None:
    field = Field()
    running = field.run(hedge=0.01)
    await field.there(2)
    first = field.running[0]
    first.end(Fault("http", "no such filter", 422, Problem(status=422, title="Invalid")))
    lost = await running
    assert isinstance(lost, Lost)
    assert (lost.fault.status, lost.is_all) == (422, False)
    assert all(link.is_closed for link in field.running if link is not first)


async def test_all_of_them_failed() -> None:
    field = Field()
    running = field.run()
    for count in (1, 2, 3):
        (await field.there(count)).end(Fault("network", f"fault {count}"))
    assert await running == Lost(Fault("network", "fault 3"), is_all=True)


async def test_whoever_ends_it_ends_those_that_run() -> None:
    field = Field()
    running = field.run()
    await field.there(1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert field.running[0].is_closed
