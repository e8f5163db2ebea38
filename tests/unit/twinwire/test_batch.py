import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from twinwire.batch import WAITING_MAX, Batch
from twinwire.errors import ClosedError, TwinwireError
from twinwire.publishing import EVENTS_MAX


class Publisher:
    """Gives ids; refuses what holds `bad`, and everything once it is told to."""

    def __init__(self) -> None:
        self.requests: list[list[bytes]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None
        self._count = 0

    async def post(self, encoded: Sequence[bytes]) -> list[str]:
        self.requests.append(list(encoded))
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        for number, one in enumerate(encoded, 1):
            if b'"data":"bad"' in one:  # and not in a key, which is drawn
                raise TwinwireError("no", status=422, field="topic", line=number)
        self._count += len(encoded)
        return [f"e-{n}" for n in range(self._count - len(encoded), self._count)]


def batch_of(publisher: Publisher, linger: float = 0.0) -> Batch:
    made: Any = publisher
    return Batch(made, linger)


async def test_what_comes_while_a_request_is_under_way_is_the_next_one() -> None:
    publisher = Publisher()
    publisher.gate.clear()
    async with batch_of(publisher) as batch:
        futures = [await batch.add("t", "k", 0)]
        await asyncio.sleep(0.01)
        futures += [await batch.add("t", "k", n) for n in range(1, 5)]
        publisher.gate.set()
    assert [len(request) for request in publisher.requests] == [1, 4]
    assert [future.result() for future in futures] == [f"e-{n}" for n in range(5)]


async def test_one_that_lingers_takes_others_along() -> None:
    publisher = Publisher()
    async with batch_of(publisher, 0.02) as batch:
        for n in range(3):
            await batch.add("t", "k", n)
            await asyncio.sleep(0)
    assert [len(request) for request in publisher.requests] == [3]


async def test_a_request_has_a_bound() -> None:
    publisher = Publisher()
    publisher.gate.clear()
    async with batch_of(publisher) as batch:
        for n in range(2 * EVENTS_MAX + 3):
            await batch.add("t", "k", n)
        publisher.gate.set()
    assert max(len(request) for request in publisher.requests) <= EVENTS_MAX
    assert sum(len(request) for request in publisher.requests) == 2 * EVENTS_MAX + 3


async def test_who_adds_more_than_may_wait_waits() -> None:
    publisher = Publisher()
    publisher.gate.clear()
    async with batch_of(publisher) as batch:
        large = "x" * (WAITING_MAX // 8)
        for _ in range(7):
            await batch.add("t", "k", large)
        adding = asyncio.create_task(batch.add("t", "k", large))
        await asyncio.sleep(0.02)
        assert not adding.done()
        publisher.gate.set()
        await asyncio.wait_for(adding, 5)


async def test_those_that_are_refused_are_told_alone() -> None:
    publisher = Publisher()
    with pytest.raises(TwinwireError, match="no"):
        async with batch_of(publisher, 0.01) as batch:
            futures = [await batch.add("t", "k", value) for value in ("a", "bad", "b", "bad", "c")]
    told = [future.exception() is None for future in futures]
    assert told == [True, False, True, False, True]


async def test_whatever_is_raised_is_told_and_the_next_are_sent() -> None:
    """A program's function for tokens may raise anything."""
    publisher = Publisher()
    publisher.error = ConnectionError("no backend")
    batch = await batch_of(publisher).__aenter__()
    with pytest.raises(ConnectionError):
        await batch.publish("t", "k", 1)
    publisher.error = None
    assert await batch.publish("t", "k", 2) == "e-0"
    with pytest.raises(ConnectionError):
        await batch.__aexit__(None)


@pytest.mark.parametrize(
    "error",
    [TwinwireError("later", status=503), TwinwireError("odd", status=422), TwinwireError("odd", status=422, line=99)],
)
async def test_what_names_none_of_them_is_told_to_all(error: TwinwireError) -> None:
    publisher = Publisher()
    publisher.error = error
    with pytest.raises(TwinwireError):
        async with batch_of(publisher, 0.01) as batch:
            futures = [await batch.add("t", "k", n) for n in range(3)]
    assert all(future.exception() is error for future in futures)
    assert len(publisher.requests) == 1


async def test_what_was_added_before_an_error_of_the_body_is_sent() -> None:
    publisher = Publisher()
    batch = await batch_of(publisher, 0.01).__aenter__()
    await batch.add("t", "k", 1)
    await batch.__aexit__(KeyError)
    assert len(publisher.requests) == 1


async def test_whoever_is_cancelled_waits_for_nothing() -> None:
    publisher = Publisher()
    publisher.gate.clear()
    futures: list[asyncio.Future[str]] = []

    async def program() -> None:
        async with batch_of(publisher) as batch:
            futures.append(await batch.add("t", "k", 1))
            await asyncio.sleep(60)

    running = asyncio.create_task(program())
    while not publisher.requests:
        await asyncio.sleep(0.001)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, 5)
    assert isinstance(futures[0].exception(), ClosedError)


async def test_the_end_does_not_wait_for_others_to_come_along() -> None:
    publisher = Publisher()
    async with asyncio.timeout(10), batch_of(publisher, 3_600.0) as batch:
        await batch.add("t", "k", 1)
    assert len(publisher.requests) == 1
