"""Revocations in the log: in force at once, after a restart too, and for streams that are open."""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.access.revocation import Revocations
from service.bus.bus import EventBus
from service.core.errors import StorageError
from service.core.event import Draft
from service.core.place import Terms
from service.core.presence import Party
from service.core.topics import TopicFilter
from service.log.base import Page, Search
from service.stream.ending import REVOKED
from service.stream.revoking import TOPIC, TRIM_EVERY, Revoker
from tests.support.access import caller_of
from tests.support.clock import ManualClock
from tests.support.stream_fixtures import House
from tests.support.streams import stream_on
from tests.support.wires import memory_bus, until

DAY = 86_400.0
ADA = caller_of("ada", "t", jti="one", issued=1_000)


def revoker_of(house: House, life: float | None = DAY) -> tuple[Revoker, Revocations]:
    house.gate.authority.revocations = revocations = Revocations(life)
    return Revoker(revocations, house.gate, house.hub, house.bus, house.frames.poll, house.clock), revocations


@pytest.fixture
async def started(house: House) -> AsyncIterator[tuple[Revoker, Revocations]]:
    revoker, revocations = revoker_of(house)
    await revoker.start()
    yield revoker, revocations
    await revoker.close()


async def test_the_streams_that_it_forbids_end_and_no_others(
    house: House, clock: ManualClock, started: tuple[Revoker, Revocations]
) -> None:
    revoker, revocations = started
    bob = caller_of("bob", "t", jti="two", issued=1_000)
    async with stream_on(house, caller=ADA) as one, stream_on(house, caller=bob) as other:
        await one.live()
        await other.live()
        assert await revoker.revoke("subject", "ada", clock.unix_ms()) == 1
        assert (await one.over())[-1] == "goodbye"
        assert one.stream.ending == REVOKED
        assert one.pipe.frames[-1]["detail"] == "revoked"
        assert other.stream.ending is None
    assert revocations.forbids(ADA)


async def test_a_restart_knows_what_was_revoked_and_lifted(
    house: House, clock: ManualClock, started: tuple[Revoker, Revocations]
) -> None:
    revoker, _ = started
    await revoker.revoke("jti", "one", clock.unix_ms())
    await revoker.revoke("jti", "two", clock.unix_ms())
    await revoker.revoke("all", "", 5_000)
    assert await revoker.lift("jti", "two")
    assert not await revoker.lift("jti", "three")
    again, revocations = revoker_of(house)
    await again.start()
    assert {(one.kind, one.name) for one in revocations.listed()} == {("jti", "one"), ("all", "")}
    await again.close()


async def test_what_another_node_says_is_followed(
    house: House, bus: EventBus, started: tuple[Revoker, Revocations]
) -> None:
    """It is in the log, whoever has put it there; what can't be read is passed over."""
    _, revocations = started
    async with stream_on(house, caller=ADA) as running:
        await running.live()
        drafts = [Draft(TOPIC, "jti", '"x"'), Draft(TOPIC, "later", "{}"), Draft(TOPIC, "jti", '{"name":"one"}')]
        await bus.publish(drafts)
        await running.over()
    assert [one.name for one in revocations.listed()] == ["one"]


async def test_a_stream_may_go_on_for_a_while_and_be_renewed(
    house: House, clock: ManualClock, started: tuple[Revoker, Revocations]
) -> None:
    revoker, revocations = started
    async with stream_on(house, caller=ADA) as honest, stream_on(house, caller=ADA) as other:
        await honest.live()
        await other.live()
        assert await revoker.revoke("subject", "ada", clock.unix_ms(), grace=0.05) == 2
        assert revocations.forbids(ADA)  # nobody else comes in with it
        told = [frame for frame in honest.pipe.frames if frame["type"] == "auth"]
        assert [(frame["state"], frame["in"]) for frame in told] == [("expiring", 0)]
        await house.renewal.renew(honest.stream, ADA._replace(token=ADA.token._replace(issued=clock.unix_ms() + 1)))  # type: ignore[union-attr]
        clock.advance(0.1)
        await other.over()
        assert other.stream.ending == REVOKED
        assert honest.stream.ending is None


async def test_who_is_present_without_a_stream_may_go_on_for_a_while_too(
    house: House, clock: ManualClock, started: tuple[Revoker, Revocations]
) -> None:
    """At the end of it his members are gone, also where no stream was spared."""
    revoker, _ = started
    presence = house.bus.presence
    presence.enter("p", "a", Party("ada", "ada"), terms=Terms(120.0, math.inf, ADA))
    assert await revoker.revoke("subject", "ada", clock.unix_ms(), grace=0.05) == 0
    assert presence.present("p") == 1
    clock.advance(0.1)
    await until(lambda: presence.present("p") == 0)


@pytest.mark.parametrize("steps", range(12))
async def test_whoever_asks_and_hangs_up_has_it_done_all_the_same(
    house: House, clock: ManualClock, started: tuple[Revoker, Revocations], steps: int
) -> None:
    """An operator's request that ends in the middle: what is in force has ended the streams that it forbids."""
    revoker, revocations = started
    async with stream_on(house, caller=ADA) as running:
        await running.live()
        asking = asyncio.create_task(revoker.revoke("subject", "ada", clock.unix_ms()))
        for _ in range(steps):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])
        if steps:  # before its first step nothing was asked
            await running.over()
            assert running.stream.ending == REVOKED
            assert revocations.forbids(ADA)


async def test_a_log_that_fails_in_the_middle_does_not_spare_a_stream(
    house: House, bus: EventBus, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read before it failed forbids already, and the next read finds nothing new."""
    revoker, _ = revoker_of(house)
    await revoker.start()
    search, searched = bus.reading.search, 0

    async def failing(*given: Any) -> Page:
        nonlocal searched
        searched += 1
        if searched == 2:
            raise StorageError("broken")
        return await search(*given)

    async with stream_on(house, caller=ADA) as running:
        await running.live()
        monkeypatch.setattr(bus.reading, "search", failing)
        with contextlib.suppress(StorageError):
            await revoker.revoke("subject", "ada", clock.unix_ms())
        await running.over()
        assert running.stream.ending == REVOKED
    await revoker.close()


@pytest.mark.parametrize("grace", [0.0, 60.0])
async def test_ten_thousand_streams_of_one_subject_are_not_one_step(
    house: House, clock: ManualClock, grace: float
) -> None:
    """Others have turns in between: see the hub's batches."""
    revoker, _ = revoker_of(house)
    await revoker.start()
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    house.hub._streams.update({str(n): _Idle(ADA) for n in range(10_000)})  # type: ignore[misc]
    before = turns
    assert await revoker.revoke("subject", "ada", clock.unix_ms(), grace) == 10_000
    assert turns - before >= (200 if grace else 100), "they are looked at, and then told"
    house.hub._streams.clear()
    counting.cancel()
    await revoker.close()


class _Idle:
    """As much of a stream as ends."""

    ending = None
    warned = 60.0

    def __init__(self, caller: object) -> None:
        self.peer = type("Peer", (), {"caller": caller})()

    def end(self, ending: object) -> None:
        pass

    def tell(self, type: str, fields: object) -> None:
        pass


async def test_what_forbids_nothing_any_more_is_let_go(clock: ManualClock) -> None:
    bus = memory_bus(clock=clock)  # events have the times of the same clock
    revoker, revocations = revoker_of(House.of(bus, clock))
    await revoker.start()
    await revoker.revoke("jti", "old", clock.unix_ms())
    clock.advance(DAY + TRIM_EVERY)
    await revoker.revoke("jti", "new", clock.unix_ms())
    await until(lambda: len(revocations) == 1)
    await revoker.revoke("jti", "new", clock.unix_ms())  # after what the follower does between two
    found = await bus.reading.search(Search(TopicFilter((TOPIC,))))
    assert {row[5] for row in found.rows} == {f'{{"name":"new","before":{clock.unix_ms()},"grace":0.0}}'}
    await revoker.close()
