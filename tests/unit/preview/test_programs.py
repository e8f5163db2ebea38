"""Programs, with a clock that a test moves and programs that listen by a word."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from service.core.errors import InvalidTokenError, NotFoundError, OverloadedError, RateLimitedError
from service.preview.exchange import Streams
from service.preview.programs import (
    CONNECTIONS_MAX,
    NEWER_LOOKS,
    OF_ONE_MAX,
    REST_SECONDS,
    WATCHED_SECONDS,
    CannotRunError,
    Programs,
)
from tests.support.clock import ManualClock

IDLE = 300.0


class Started:
    """A `Served`, on a listener of this process."""

    def __init__(self, port: int | None, *, is_short: bool) -> None:
        """`is_short`: it ends as it takes its first connection."""
        self._port, self._is_short = port, is_short
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.tail = "said"
        self.is_stopped = False

    async def connect(self) -> Streams:
        if self._port is None:
            raise ConnectionRefusedError
        streams = await asyncio.open_connection("127.0.0.1", self._port)
        if self._is_short:
            self.ended.set_result("it has ended by itself with exit code 3")
            await asyncio.sleep(0)
        return streams

    async def stop(self) -> None:
        self.is_stopped = True


class Shelf:
    """A `Source`."""

    def __init__(self, port: int) -> None:
        self.port: int | None = port
        self.versions = dict.fromkeys("abcdef", "1")
        self.launched: list[Started] = []
        self.refusal = ""
        self.is_short = False

    async def newest(self, id: str) -> str | None:
        return self.versions.get(id)

    async def launch(self, id: str, version: str) -> Started:
        if self.refusal:
            raise CannotRunError(self.refusal)
        self.launched.append(Started(self.port, is_short=self.is_short))
        return self.launched[-1]


class World:
    def __init__(self, port: int, most: int = 4) -> None:
        self.clock = ManualClock()
        self.shelf = Shelf(port)
        self.programs = Programs(self.shelf, self.clock, idle=IDLE, most=most)

    async def ready(self, id: str, who: str = "w", **options: bool) -> str:
        program = await self.programs.ensure(id, who, **options)
        await program.ready()
        return program.state


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture
async def world(port: int) -> AsyncIterator[World]:
    one = World(port)
    yield one
    await one.programs.close()
    assert all(started.is_stopped or started.ended.done() for started in one.shelf.launched)


async def test_one_of_an_id_runs_however_many_ask(world: World) -> None:
    assert await asyncio.gather(*(world.ready("a") for _ in range(5))) == ["running"] * 5
    assert len(world.shelf.launched) == 1
    with pytest.raises(NotFoundError):
        await world.ready("nothing")


async def test_nobody_looks_and_it_is_stopped(world: World) -> None:
    await world.ready("a")
    program = world.programs.get("a")
    assert program is not None
    with world.programs.look(program, "w"):
        world.clock.advance(10 * IDLE)
        await world.programs.look_around()
        assert world.programs.get("a") is program
    world.clock.advance(IDLE)
    await world.programs.look_around()
    assert world.programs.get("a") is program  # what is seen last counts from the end of the look
    world.clock.advance(1)
    await world.programs.look_around()
    assert world.programs.get("a") is None


async def test_a_mistake_at_one_look_is_not_the_end_of_all(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    look_around, looked = world.programs.look_around, asyncio.Event()
    errors = [KeyError("a mistake")]

    async def faulty() -> None:
        if errors:
            raise errors.pop()
        await look_around()
        looked.set()

    monkeypatch.setattr(world.programs, "look_around", faulty)
    world.programs.start()
    async with asyncio.timeout(20):
        await looked.wait()
    assert REST_SECONDS in world.clock.slept


async def test_one_that_ends_is_told_and_not_started_again_at_once(world: World) -> None:
    await world.ready("a")
    world.shelf.launched[0].ended.set_result("it has ended by itself with exit code 3")
    await asyncio.sleep(0)
    program = world.programs.get("a")
    assert program is not None
    assert (program.state, program.message, program.tail) == (
        "failed",
        "it has ended by itself with exit code 3",
        "said",
    )
    assert await world.ready("a") == "failed"
    world.clock.advance(REST_SECONDS)
    assert await world.ready("a") == "running"
    world.shelf.launched[1].ended.set_result("again")
    await asyncio.sleep(0)
    assert await world.ready("a", is_asked=True) == "running"  # by a person, at once
    assert len(world.shelf.launched) == 3


async def test_one_that_takes_no_connection_has_failed(world: World) -> None:
    world.shelf.port = None
    assert await world.ready("a") == "failed"
    program = world.programs.get("a")
    assert program is not None
    assert program.message == "it takes no connection after 20 seconds"
    assert world.shelf.launched[0].is_stopped
    world.shelf.refusal = "the kernel can't"
    assert await world.ready("b") == "failed"
    refused = world.programs.get("b")
    assert refused is not None
    assert refused.message == "the kernel can't"


async def test_one_that_ends_as_it_takes_its_first_connection_has_failed(world: World) -> None:
    """It would have been taken for one that runs, and stayed so until nobody looked."""
    world.shelf.is_short = True
    assert await world.ready("a") == "failed"
    world.shelf.is_short = False
    assert await world.ready("a", is_asked=True) == "running"


async def test_a_newer_one_takes_its_place_where_somebody_looks(world: World) -> None:
    await world.ready("a")
    await world.ready("b", "x")
    world.clock.advance(WATCHED_SECONDS)
    world.programs.touch("a")
    world.shelf.versions |= {"a": "2", "b": "2"}
    for _ in range(NEWER_LOOKS):
        await world.programs.look_around()
    newer = world.programs.get("a")
    assert newer is not None
    await newer.ready()
    assert (newer.version, newer.state) == ("2", "running")
    assert world.programs.get("b") is None  # nobody looks
    del world.shelf.versions["a"]
    for _ in range(NEWER_LOOKS):
        await world.programs.look_around()
    assert world.programs.get("a") is None  # the project was deleted


async def test_of_too_many_the_one_that_is_not_looked_at_goes(world: World) -> None:
    """`most` is 4, of which two are one caller's."""
    for id, who in (("a", "x"), ("b", "x"), ("c", "y"), ("d", "y")):
        await world.ready(id, who)
        world.clock.advance(1)
    found = {id: world.programs.get(id) for id in "abcd"}
    looked = found["a"]
    assert looked is not None
    with world.programs.look(looked, "x"):
        await world.ready("e", "x")
        assert world.programs.get("b") is None  # his own, and not the one that is looked at
        await world.ready("f", "z")
        assert world.programs.get("c") is None  # the one that was seen longest ago
        program = world.programs.get("e")
        assert program is not None
        with world.programs.look(program, "x"), pytest.raises(RateLimitedError):
            await world.ready("b", "x")
    one, other = world.programs.get("d"), world.programs.get("f")
    assert one is not None
    assert other is not None
    with (
        world.programs.look(looked, "x"),
        world.programs.look(program, "x"),
        world.programs.look(one, "x"),
        world.programs.look(other, "x"),
        pytest.raises(OverloadedError),
    ):
        await world.ready("b", "q")


async def test_connections_have_a_bound(world: World) -> None:
    await world.ready("a")
    program = world.programs.get("a")
    assert program is not None
    held = [world.programs.look(program, "x") for _ in range(OF_ONE_MAX)]
    for one in held:
        one.__enter__()
    with pytest.raises(RateLimitedError), world.programs.look(program, "x"):
        pass
    others = [world.programs.look(program, f"o{number}") for number in range(CONNECTIONS_MAX - OF_ONE_MAX)]
    for one in others:
        one.__enter__()
    with pytest.raises(OverloadedError), world.programs.look(program, "y"):
        pass
    for one in (*held, *others):
        one.__exit__(None, None, None)
    assert not program.is_watched


async def test_who_counts_no_more_is_cut_off(world: World) -> None:
    await world.ready("a")
    program = world.programs.get("a")
    assert program is not None

    def check() -> None:
        raise InvalidTokenError

    cut, kept = (asyncio.create_task(asyncio.Event().wait()) for _ in range(2))
    program.exchanges[cut] = check
    program.exchanges[kept] = None
    await world.programs.look_around()
    await asyncio.wait((cut,))
    assert cut.cancelled()
    assert not kept.done()
    world.programs.stop("a")
    await asyncio.wait((kept,))
    assert kept.cancelled()
