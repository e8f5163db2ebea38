"""A stream that watches places: live, stopped, replaying, with other filters, with very many places, and at its end."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.bus.bus import EventBus
from service.bus.presence import COMPARISONS, PresenceBus
from service.bus.subscription import State
from service.core.topics import TopicFilter
from service.stream.ending import STALLED
from service.stream.eyes import BLIND
from service.stream.watching import FLUSH_LOOK, HELD_BYTES, HELD_MAX, OWED_MAX, Watching
from tests.support.clock import ManualClock
from tests.support.company import ADA, BOB, NOBODY, Seen
from tests.support.stream_fixtures import House
from tests.support.streams import Running, stream_on
from tests.support.wires import drafts, memory_bus, until

BOTH = pytest.mark.parametrize("direct", [True, False], ids=["direct", "portable"])
ALL = TopicFilter.all()


@pytest.fixture
async def bus(clock: ManualClock) -> AsyncIterator[EventBus]:
    found = memory_bus()
    found.presence = PresenceBus(clock)  # readers move the bus's own clock
    yield found
    await found.presence.close()


async def batch(house: House) -> None:
    clock: Any = house.clock
    clock.advance(0.25)
    house.bus.presence.look()
    await house.bus.presence.settle()


def told(running: Running) -> list[dict[str, Any]]:
    return [frame for frame in running.pipe.frames if frame["type"] == "presence"]


def watching(house: House, running: Running) -> Watching:
    return house.opening.besides.eyes(running.stream)


@BOTH
async def test_the_state_comes_right_after_connection_and_then_every_batch(house: House, direct: bool) -> None:
    house.bus.presence.enter("t", "a", ADA)
    await batch(house)
    await house.bus.publish(drafts(3))
    async with stream_on(house, direct, "earliest", presence=True) as running, stream_on(house, direct) as other:
        await running.live()
        await other.live()
        types = running.pipe.types
        assert types[:2] == ["connection", "presence"]
        assert types.index("presence") < types.index("caught_up")
        assert running.pipe.frames[0]["presence"] is True
        house.bus.presence.enter("t", "b", BOB)
        await batch(house)
        await until(lambda: len(told(running)) == 2)
        state, diff = told(running)
        assert [one["member"] for one in state["state"]] == ["a"]
        assert ([one["member"] for one in diff["joins"]], diff["version"]) == (["b"], state["version"] + 1)
        assert "presence" not in other.pipe.types
        await until(lambda: running.state is State.LIVE)
    assert (house.bus.presence.telling.watchers, running.stream.beside.watching) == (0, BLIND)


@BOTH
async def test_who_takes_nothing_is_told_a_state_once_he_does(house: House, direct: bool) -> None:
    async with stream_on(house, direct, presence=True) as running:
        await running.live()
        running.pipe.fill()
        for n in range(50):
            house.bus.presence.enter("t", f"m{n}", NOBODY)
            await batch(house)
        before = len(told(running))
        assert before <= 3
        running.pipe.empty()
        await until(lambda: not running.stream.beside.watching.is_owed and running.state is State.LIVE)
        after = told(running)[before:]
        assert len(after) == 1
        assert len(after[0]["state"]) == 50
        house.bus.presence.leave("t", "m0", None)
        await batch(house)
        await until(lambda: "leaves" in told(running)[-1])
        assert told(running)[-1]["version"] == after[0]["version"] + 1


async def test_the_pump_of_a_portable_pipe_has_some_batches_and_no_more(house: House) -> None:
    async with stream_on(house, direct=False, presence=True) as running:
        await running.live()
        running.pipe.fill()
        eyes = watching(house, running)
        house.bus.presence.enter("t", "first", NOBODY)
        await batch(house)
        await until(lambda: not eyes.is_owed)  # the pump has it
        for n in range(HELD_MAX):
            house.bus.presence.enter("t", f"m{n}", NOBODY)
            await batch(house)
        assert (len(eyes._held), list(eyes._owed)) == (HELD_MAX, [])
        running.pipe.empty()
        await until(lambda: not eyes.is_owed and running.state is State.LIVE)
        assert len([frame for frame in told(running) if "joins" in frame]) == HELD_MAX + 1
        running.pipe.fill()
        house.bus.presence.enter("t", "more", NOBODY, data='{"x":"' + "y" * HELD_BYTES + '"}')
        await batch(house)
        assert (eyes._held, list(eyes._owed)) == ([], ["t"])
        running.pipe.empty()
        await until(lambda: not eyes.is_owed and running.state is State.LIVE)
        seen = Seen()
        for frame in told(running):
            seen.take(frame)
        assert (seen.holes, len(seen.places["t"])) == ([], HELD_MAX + 2)


@BOTH
async def test_a_replay_and_presence_go_on_beside_each_other(house: House, direct: bool) -> None:
    await house.bus.publish(drafts(3_000))
    async with stream_on(house, direct, "earliest", presence=True) as running:
        for n in range(20):
            house.bus.presence.enter("t", f"m{n}", NOBODY)
            await batch(house)
        await running.live()
        await until(lambda: told(running)[-1]["members"] == 20)
        assert running.pipe.events == list(range(1, 3_001))
        seen = Seen()
        for frame in told(running):
            seen.take(frame)
        assert len(seen.places["t"]) == 20
        assert seen.holes == []


@BOTH
async def test_by_a_wildcard_all_places_are_told_some_at_a_time(house: House, direct: bool) -> None:
    count = 3 * FLUSH_LOOK
    for n in range(count):
        house.bus.presence.enter(f"a/{n}", "m", NOBODY)
    house.bus.presence.enter("b", "m", NOBODY)
    await batch(house)
    async with stream_on(house, direct, topics=TopicFilter(("a/*",)), presence=True) as running:
        await until(lambda: len(told(running)) > 10)
        house.bus.presence.enter("a/0", "n", NOBODY)
        house.bus.presence.enter(f"a/{count - 1}", "n", NOBODY)
        house.bus.presence.enter("a/new", "n", NOBODY)
        await batch(house)
        await running.live()
        seen = Seen()
        for frame in told(running):
            seen.take(frame)
        assert seen.holes == []
        assert len(seen.places) == count + 1
        assert len(seen.places["a/0"]) == len(seen.places[f"a/{count - 1}"]) == 2


async def test_what_is_named_is_apart_from_the_filter_and_told_once(house: House) -> None:
    async with stream_on(house, presence=True) as running:
        await running.live()
        eyes = watching(house, running)
        assert (eyes.follows, eyes.asked) == (True, ())
        eyes.ask(TopicFilter(("t", "p", "q/*")))
        eyes.soon()
        await until(lambda: not eyes.is_owed and running.state is State.LIVE)
        house.bus.presence.enter("t", "a", ADA)
        house.bus.presence.enter("q/1", "a", ADA)
        await batch(house)
        assert [frame["place"] for frame in told(running)] == ["t", "p", "t", "t", "q/1"], "a batch of `t` once"
        running.stream.change(TopicFilter(("other",)))
        await until(lambda: not eyes.is_owed)
        await until(lambda: running.state is State.LIVE)
        house.bus.presence.enter("t", "b", ADA)
        await batch(house)
        assert told(running)[-1]["place"] == "t", "it is named yet"
        assert eyes.asked == ("p", "q/*", "t")
        eyes.reduce(lambda patterns: tuple(one for one in patterns if one != "p"))
        assert eyes.asked == ("p",)
        eyes.follow(None)
        eyes.ask(TopicFilter(()))
        house.bus.presence.enter("p", "b", ADA)
        count = len(told(running))
        await batch(house)
        assert (len(told(running)), house.bus.presence.telling.watchers) == (count, 0)


async def test_what_it_does_not_watch_any_more_is_not_owed(house: House) -> None:
    async with stream_on(house, presence=True) as running:
        await running.live()
        running.pipe.fill()
        house.bus.presence.enter("t", "a", ADA)
        await batch(house)
        eyes = watching(house, running)
        assert list(eyes._owed) == ["t"]
        eyes.change(TopicFilter(("other/*",)))
        assert len(eyes._owed) == 0
        assert list(eyes._walks) == ["along"]
        running.pipe.empty()
        await until(lambda: running.state is State.LIVE)
        assert eyes._walks == {}


async def test_what_is_watched_no_more_is_not_told_though_it_was_owed(house: House) -> None:
    """`presence: false`, `unwatch` and another token: each owes nothing of what it has ended."""
    for place in ("t", "p", "q", "new"):
        house.bus.presence.enter(place, "a", ADA)
    await batch(house)
    async with stream_on(house, presence=True) as running:
        await running.live()
        count = len(told(running))
        eyes = watching(house, running)
        eyes.change(TopicFilter(("t", "new")))
        eyes.follow(None)
        eyes.ask(TopicFilter(("p", "q")))
        eyes.once("p")
        eyes.once("t")
        eyes.ask(None)
        eyes.soon()
        await until(lambda: not eyes.is_owed)
        assert sorted(frame["place"] for frame in told(running)[count:]) == ["p", "t"], "asked for by themselves"
        eyes.ask(TopicFilter(("p", "q")))
        eyes.once("t")
        eyes.once("new")
        eyes.reduce(lambda patterns: tuple(one for one in patterns if one in ("p", "new")))
        assert sorted(eyes._owed) == ["q", "t"]


async def test_what_it_has_named_as_well_it_watches_until_it_has_ended_both(house: House) -> None:
    async with stream_on(house, presence=True) as running:
        await running.live()
        eyes = watching(house, running)
        eyes.ask(TopicFilter(("t",)))
        eyes.soon()
        eyes.ask(None)
        count = len(told(running))
        house.bus.presence.enter("t", "a", ADA)
        await batch(house)
        assert len(told(running)) == count + 1
    assert house.bus.presence.telling.watchers == 0


async def test_states_are_made_until_they_are_too_many_to_be_told_at_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = '{"x":"' + "y" * 1_000 + '"}'
    for place in range(20):
        for n in range(40):
            house.bus.presence.enter(f"p{place}", f"m{n}", NOBODY, data=data)
    await batch(house)
    async with stream_on(house) as running:
        await running.live()
        made, state = list[str](), house.bus.presence.telling.roll.state
        monkeypatch.setattr(
            house.bus.presence.telling.roll, "state", lambda place: (made.append(place.topic), state(place))[1]
        )
        eyes = watching(house, running)
        eyes.ask(TopicFilter(tuple(f"p{place}" for place in range(20))))
        eyes.soon()
        assert len(made) == 2
        assert running.state is not State.LIVE
        await until(lambda: not eyes.is_owed and running.state is State.LIVE)
        assert len(told(running)) == 20


async def test_a_walk_under_a_filter_that_is_hard_to_match_has_short_steps(house: House) -> None:
    for n in range(200):
        house.bus.presence.enter(f"a/b/c/{n}", "m", NOBODY)
    await batch(house)
    heavy = TopicFilter(tuple(f"a/*/*/{n}" for n in range(100)))
    async with stream_on(house, topics=TopicFilter(("none",))) as running:
        await running.live()
        eyes, steps = watching(house, running), 0
        eyes.ask(heavy)
        frames = list[bytes]()
        while eyes.is_owed:
            frames += eyes._take()
            steps += 1
        assert (len(frames), steps >= 200 * heavy.weight // COMPARISONS) == (100, True)


async def test_who_is_owed_too_many_is_stalled(house: House) -> None:
    async with stream_on(house, topics=ALL, presence=True) as running:
        await running.live()
        running.pipe.fill()
        for n in range(OWED_MAX):
            house.bus.presence.enter(f"p{n}", "a", NOBODY)
        await batch(house)
        assert len(watching(house, running)._owed) == OWED_MAX
        assert running.stream.ending is None
        house.bus.presence.enter("p0", "b", NOBODY)
        house.bus.presence.enter("more", "a", NOBODY)
        await batch(house)
        assert running.stream.ending == STALLED
        assert len(watching(house, running)._owed) == OWED_MAX


async def test_a_state_that_is_asked_for_is_told_also_to_who_watches_nothing(house: House) -> None:
    house.bus.presence.enter("p", "a", ADA)
    await batch(house)
    async with stream_on(house) as running:
        await running.live()
        eyes = watching(house, running)
        eyes.owe("p")
        eyes.soon()
        assert [len(frame["state"]) for frame in told(running)] == [1]
        assert running.state is State.LIVE
        house.bus.presence.enter("p", "b", ADA)
        await batch(house)
        assert len(told(running)) == 1


@BOTH
async def test_who_comes_while_a_batch_is_on_its_way_is_told_what_fits_it(house: House, direct: bool) -> None:
    """A place that nobody was told of begins with its first batch; one whose last member is about to be told to have
    left is told with him, and then that."""
    presence = house.bus.presence
    presence.enter("old", "a", ADA)
    await batch(house)
    presence.leave("old", "a", "ada")
    presence.enter("new", "a", ADA)
    async with stream_on(house, direct, topics=ALL, presence=True) as running:
        await running.live()
        assert [(frame["place"], len(frame["state"])) for frame in told(running)] == [("old", 1)]
        await batch(house)
        await until(lambda: len(told(running)) == 3)
        seen = Seen()
        for frame in told(running):
            seen.take(frame)
        assert (seen.holes, list(seen.data())) == ([], [("new", "a")])
