"""A stream's credential is renewed while it runs: nothing is lost, and nothing is repeated."""

import asyncio

import pytest

from service.access.caller import Caller
from service.access.gate import Act
from service.access.revocation import Revocation
from service.access.rights import Grants
from service.bus.bus import EventBus
from service.core.errors import (
    ForbiddenError,
    InvalidTokenError,
    NotFoundError,
    RateLimitedError,
    StorageError,
    UnavailableError,
)
from service.core.event import Draft
from service.core.presence import Party
from service.core.topics import TopicFilter
from service.stream.ending import EXPIRED, FAULT, FORBIDDEN, REVOKED, Ending
from tests.support.access import Known, caller_of
from tests.support.clock import ManualClock
from tests.support.stream_fixtures import House
from tests.support.streams import stream_on
from tests.support.wires import until

TWO = TopicFilter(("a", "b"))
ADA = caller_of("ada", "a", "b", expires=1_900_000_000_000)


@pytest.fixture
async def house(bus: EventBus, clock: ManualClock) -> House:
    callers = {"more": ADA._replace(expires=2_000_000_000_000), "other": caller_of("bob", "a", "b")}
    return House.of(bus, clock, verifier=Known(**callers))


def auth(frames: list[dict[str, object]]) -> list[dict[str, object]]:
    return [frame for frame in frames if frame["type"] == "auth"]


async def test_the_new_end_counts(house: House) -> None:
    async with stream_on(house, topics=TWO, caller=ADA) as running:
        await running.live()
        fields = await house.renewal.by_token(running.stream, "more")
        assert (fields["subject"], fields["expires"]) == ("ada", "2033-05-18T03:33:20.000Z")
        assert fields["subscribe"] == ["a", "b"]
        assert running.stream.peer.caller.expires == 2_000_000_000_000
        assert auth(running.pipe.frames) == []
        house.renewal.tell(running.stream)
        (told,) = auth(running.pipe.frames)
        assert (told["state"], told["expires"]) == ("renewed", fields["expires"])


async def test_a_bad_token_leaves_all_as_it_was(house: House) -> None:
    async with stream_on(house, topics=TWO, caller=ADA) as running:
        await running.live()
        with pytest.raises(InvalidTokenError):
            await house.renewal.by_token(running.stream, "bad")
        with pytest.raises(ForbiddenError, match="owner"):
            await house.renewal.by_token(running.stream, "other")
        assert running.stream.peer.caller == ADA
        assert running.stream.ending is None
        assert auth(running.pipe.frames) == []


async def test_who_was_nobody_becomes_somebody_once(house: House) -> None:
    async with stream_on(house, topics=TWO, caller=Caller(address="192.0.2.1")) as running:
        await running.live()
        await house.renewal.renew(running.stream, ADA)
        assert running.stream.peer.caller == ADA._replace(address="192.0.2.1")
        with pytest.raises(ForbiddenError):
            await house.renewal.by_token(running.stream, "other")


async def test_who_was_nobody_is_not_at_a_place_as_that_any_more(house: House, bus: EventBus) -> None:
    async with stream_on(house, topics=TWO, caller=Caller(address="192.0.2.1")) as running:
        await running.live()
        bus.presence.enter("a", "m", Party(None, "@"), connection=running.stream.peer.id, speaks=True)
        ada = ADA._replace(rights=ADA.rights._replace(presence=Grants(("a",))))
        await house.renewal.renew(running.stream, ada)
        assert bus.presence.present("a") == 0
        bus.presence.enter("a", "m", Party("ada", "ada"), connection=running.stream.peer.id, speaks=True)
        await house.renewal.renew(running.stream, ada)
        assert bus.presence.present("a") == 1


async def test_what_is_no_longer_covered_leaves_the_filter_and_is_told(house: House, bus: EventBus) -> None:
    async with stream_on(house, topics=TWO, caller=ADA) as running:
        await running.live()
        await bus.publish([Draft("a", "x", "1"), Draft("b", "x", "2")])
        await house.renewal.renew(running.stream, caller_of("ada", "b", "c"))
        await bus.publish([Draft(topic, "x", str(n)) for n, topic in enumerate("abc", 3)])
        await running.live()
        (reduced,) = auth(running.pipe.frames)
        assert (reduced["state"], reduced["lost"]) == ("reduced", ["a"])
        assert [frame["data"] for frame in running.pipe.frames if "topic" in frame] == [1, 2, 4]


async def test_without_anything_left_it_ends(house: House) -> None:
    async with stream_on(house, topics=TWO, caller=ADA) as running:
        await running.live()
        await house.renewal.by_connection(running.stream.peer.id, caller_of("ada", "c"))
        assert (await running.over())[-1] == "goodbye"
        assert running.stream.ending == FORBIDDEN
        assert auth(running.pipe.frames) == [], "it was renewed, and is no more"


async def test_only_its_owner_finds_a_connection(house: House) -> None:
    async with stream_on(house, topics=TWO, caller=ADA) as running:
        await running.live()
        id = running.stream.peer.id
        for unknown, caller in ((id, caller_of("bob", "a")), ("nobody", ADA), (id, caller_of(None, "a"))):
            with pytest.raises(NotFoundError):
                await house.renewal.by_connection(unknown, caller)
        assert (await house.renewal.by_connection(id, ADA))["subject"] == "ada"
        assert [frame["state"] for frame in auth(running.pipe.frames)] == ["renewed"]


async def test_the_place_is_his_now(house: House) -> None:
    """Of a subject's share: one who becomes somebody counts as him, or stays who he was."""
    some = ADA._replace(streams=1)
    async with stream_on(house, topics=TWO, caller=Caller()) as running:
        await running.live()
        running.stream.lease = house.gate.place(Act.SOCKET, Caller())
        await house.renewal.renew(running.stream, some)
        with pytest.raises(RateLimitedError):
            house.gate.place(Act.SOCKET, some)
        running.stream.lease.release()
        house.gate.place(Act.SOCKET, some).release()


# At the end of an application's word


async def asked(house: House, clock: ManualClock, answer: Caller | Exception | None) -> Ending | None:
    """What becomes of Ada's stream when the application gives this answer at the end of its word."""

    async def again() -> Caller | None:
        if isinstance(answer, Exception):
            raise answer
        return answer

    house.hub.asks = house.renewal.by_asking
    caller = caller_of("ada", "a", "b", expires=clock.unix_ms() + 5_000, again=again)
    async with stream_on(house, topics=TWO, caller=caller) as running:
        await running.live()
        clock.advance(5)
        await house.hub.sweep()
        await until(lambda: not house.hub._asking)
        return running.stream.ending


@pytest.mark.parametrize(
    ("answer", "ending"),
    [
        (caller_of("ada", "a", "b"), None),
        (caller_of("ada", "a"), None),
        (caller_of("ada", "c"), FORBIDDEN),
        (caller_of("bob", "a", "b"), EXPIRED),
        (None, EXPIRED),
        (InvalidTokenError(reason="expired"), EXPIRED),
        (caller_of("ada", "a", "b", expires=1), EXPIRED),
        (UnavailableError("x"), Ending("restart", 1013)),
    ],
)
async def test_an_application_is_asked_again(
    house: House, clock: ManualClock, answer: Caller | Exception | None, ending: Ending | None
) -> None:
    assert await asked(house, clock, answer) == ending


async def test_an_application_that_says_less_takes_it_off_the_stream(house: House, clock: ManualClock) -> None:
    async def again() -> Caller:
        return caller_of("ada", "b")

    house.hub.asks = house.renewal.by_asking
    caller = caller_of("ada", "a", "b", expires=clock.unix_ms() + 5_000, again=again)
    async with stream_on(house, topics=TWO, caller=caller) as running:
        await running.live()
        clock.advance(5)
        await house.hub.sweep()
        await until(lambda: bool(auth(running.pipe.frames)))
        (told,) = auth(running.pipe.frames)
        assert (told["state"], told["lost"]) == ("reduced", ["a"])


async def test_a_thousand_times_while_events_come(house: House, bus: EventBus) -> None:
    """Each event once, in order, whatever the filter and the rights do meanwhile."""
    wide, narrow = ADA, caller_of("ada", "a", "b", "c", expires=1_950_000_000_000)

    async with stream_on(house, topics=TWO, caller=ADA) as running:
        await running.live()

        async def publish() -> None:
            for number in range(1_000):
                await bus.publish([Draft("ab"[number % 2], "x", str(number))])

        publishing = asyncio.create_task(publish())
        for number in range(1_000):
            await house.renewal.renew(running.stream, (wide, narrow)[number % 2])
            await asyncio.sleep(0)
        await publishing
        await running.live()
        assert [frame["data"] for frame in running.pipe.frames if "topic" in frame] == list(range(1_000))
        assert running.stream.peer.caller == narrow


class Learning:
    """The reading of a bus, which has to learn for as long as it is told: `is_asked` counts who waits."""

    def __init__(self, bus: EventBus, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked = 0
        self.may_go = asyncio.Event()
        self.fault: Exception | None = None
        monkeypatch.setattr(bus.reading, "learn", self.learn)

    async def learn(self, topics: TopicFilter, turn: object = None) -> None:
        self.asked += 1
        await self.may_go.wait()
        if self.fault is not None:
            raise self.fault


async def test_who_hangs_up_does_not_keep_what_he_has_lost(house: House, bus: EventBus) -> None:
    """A reader who takes nothing has his renewal wait; with the end of the request the new token would have counted,
    and the old filter too.
    """
    async with stream_on(house, direct=False, topics=TWO, caller=ADA) as running:
        await running.live()
        async with running.stream.between_pages():  # as while a page waits to be taken
            asking = asyncio.create_task(house.renewal.renew(running.stream, caller_of("ada", "b")))
            for _ in range(5):
                await asyncio.sleep(0)
            asking.cancel()
            await asyncio.wait([asking])
        await until(lambda: running.stream.subscription.topics == TopicFilter(("b",)))
        await running.live()
        assert [frame["lost"] for frame in auth(running.pipe.frames)] == [["a"]]


async def test_a_filter_that_grows_meanwhile_loses_what_is_lost(
    house: House, bus: EventBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever changes a filter keeps others out: else the one that began before would be put there after it."""
    async with stream_on(house, topics=TopicFilter(("b",)), caller=ADA) as running:
        await running.live()
        learning = Learning(bus, monkeypatch)

        async def grow() -> None:  # as a client's `subscribe` does, under its rights of then
            async with running.stream.between_pages():
                wider = running.stream.subscription.topics.plus(["a"])
                await bus.reading.learn(wider)
                running.stream.subscription.change(wider)

        growing = asyncio.create_task(grow())
        await until(lambda: learning.asked == 1)
        renewing = asyncio.create_task(house.renewal.renew(running.stream, caller_of("ada", "b")))
        for _ in range(5):
            await asyncio.sleep(0)
        learning.may_go.set()
        await asyncio.gather(growing, renewing)
        assert running.stream.subscription.topics == TopicFilter(("b",))
        await running.live()


async def test_a_log_that_fails_does_not_leave_what_is_lost(
    house: House, bus: EventBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stream_on(house, topics=TWO, caller=ADA) as running:
        await running.live()
        learning = Learning(bus, monkeypatch)
        learning.fault = StorageError("broken")
        learning.may_go.set()
        with pytest.raises(StorageError):
            await house.renewal.renew(running.stream, caller_of("ada", "b"))
        await running.over()
        assert running.stream.ending == FAULT


async def test_a_token_that_was_revoked_on_its_way_renews_nothing(house: House, clock: ManualClock) -> None:
    new = caller_of("ada", "a", "b", jti="new")
    house.gate.authority.revocations.add(Revocation("jti", "new", clock.unix_ms(), clock.unix_ms()))
    async with stream_on(house, topics=TWO, caller=ADA) as running:
        await running.live()
        await house.renewal.renew(running.stream, new)
        await running.over()
        assert running.stream.ending == REVOKED


async def test_the_new_end_is_exact_too(house: House, clock: ManualClock) -> None:
    async with stream_on(house, topics=TWO, caller=ADA) as running:
        await running.live()
        await house.renewal.renew(running.stream, ADA._replace(expires=clock.unix_ms() + 50))
        clock.advance(0.05)
        assert (await running.over())[-1] == "goodbye"  # without a sweep
