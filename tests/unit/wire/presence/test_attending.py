"""A poll is told of each place whose version it does not know, and woken when there is one."""

import json
from typing import Any

import pytest

from service.bus.presence import COMPARISONS, PresenceBus
from service.bus.steps import at_once
from service.core.errors import InvalidError
from service.core.limits import PRESENCE_KNOWN
from service.core.topics import TopicFilter
from service.wire.presence.attending import STATES_BYTES, Attending, read_versions
from service.wire.request import Request
from tests.support.clock import ManualClock
from tests.support.company import ADA, FLOOR, NOBODY, RollText
from tests.support.wires import http_scope


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def presence(clock: ManualClock) -> PresenceBus:
    return PresenceBus(clock)


async def batch(presence: PresenceBus, clock: ManualClock) -> None:
    clock.advance(0.25)
    presence.look()
    await presence.settle()


def found(attending: Attending) -> list[tuple[str, int]]:
    at_once(attending.look())
    items: list[dict[str, Any]] = json.loads(b"[" + attending.items() + b"]")
    assert bool(attending) == bool(items)
    return [(one["place"], one["version"] - FLOOR) for one in items]


def attending(presence: PresenceBus, *patterns: str, **known: int) -> Attending:
    """It knows versions above the first, as `found` tells them."""
    return Attending(
        presence, RollText(), TopicFilter(patterns), {place: FLOOR + version for place, version in known.items()}
    )


async def test_what_it_knows_is_not_told_again(presence: PresenceBus, clock: ManualClock) -> None:
    presence.enter("a", "m", ADA)
    presence.enter("b/c", "m", ADA)
    await batch(presence, clock)
    assert found(attending(presence, "a", "never")) == [("a", 1), ("never", 0)]
    assert found(attending(presence, "a", "never", a=1, never=0)) == []
    assert found(attending(presence, "**")) == [("a", 1), ("b/c", 1)]
    assert found(attending(presence, "**", a=1, elsewhere=0)) == [("b/c", 1)]
    presence.leave("a", "m", "ada")
    await batch(presence, clock)
    assert found(attending(presence, "**", a=1)) == [("a", 2), ("b/c", 1)], "one that is none any more"
    assert found(attending(presence, "x", a=1)) == [("x", 0)], "what it may not read it may not ask by this"


async def test_it_is_woken_by_what_it_does_not_know(presence: PresenceBus, clock: ManualClock) -> None:
    one, woken = attending(presence, "a", "b/*", a=0), list[int]()
    assert found(one) == []
    with one.during(lambda: woken.append(1)):
        assert woken == []
        presence.enter("a", "m", ADA)
        presence.enter("c", "m", ADA)
        await batch(presence, clock)
        assert woken == [1]
    assert presence.telling.watchers == 0
    assert found(one) == [("a", 1)]


async def test_what_changed_before_it_waited_wakes_it_at_once(presence: PresenceBus, clock: ManualClock) -> None:
    one, woken = attending(presence, "a", a=0), list[int]()
    assert found(one) == []
    presence.enter("a", "m", ADA)
    await batch(presence, clock)
    with one.during(lambda: woken.append(1)):
        assert woken == [1]


async def test_an_answer_is_bounded_and_the_next_goes_on(presence: PresenceBus, clock: ManualClock) -> None:
    data = json.dumps({"x": "y" * 1_000})
    for n in range(60):
        for m in range(40):
            presence.enter(f"p{n}", f"m{m}", NOBODY, data=data)
    await batch(presence, clock)
    known: dict[str, int] = {}
    rounds = 0
    while part := found(one := attending(presence, "*", **known)):
        assert len(one.items()) < STATES_BYTES + 60_000
        known |= dict(part)
        rounds += 1
    assert (len(known), rounds) == (60, 3)


async def test_what_it_knows_is_held_against_its_filter_in_steps(presence: PresenceBus, clock: ManualClock) -> None:
    """A filter that is hard to match takes a fifth of a millisecond for each."""
    names = [f"a/{n:x}/b/{n % 100}" for n in range(PRESENCE_KNOWN - 1)]
    presence.enter("a/x/b/7", "m", ADA)
    await batch(presence, clock)
    heavy = TopicFilter(tuple(f"a/*/*/{n}" for n in range(100)))
    one = Attending(presence, RollText(), heavy, dict.fromkeys((*names, "a/x/b/7"), 1))
    assert sum(1 for _ in one.look()) >= PRESENCE_KNOWN * heavy.weight // COMPARISONS
    assert len(json.loads(b"[" + one.items() + b"]")) == PRESENCE_KNOWN
    other = Attending(presence, RollText(), TopicFilter(("b/*",)), dict.fromkeys(names, 1))
    assert found(other) == []


def test_versions_are_read() -> None:
    def versions(query: str) -> dict[str, int]:
        return read_versions(Request(http_scope("GET", "/", query)))

    assert versions("presence_version=a/b:1&presence_version=c:0&topic=x") == {"a/b": 1, "c": 0}
    for wrong in ("a", "a:", ":1", "a:-1", "a:x", "a//b:1", "a/*:1", "a:" + "9" * 19):
        with pytest.raises(InvalidError) as caught:
            versions(f"presence_version={wrong}")
        assert caught.value.field == "presence_version"
    many = [f"presence_version=p/{n}:1" for n in range(PRESENCE_KNOWN + 1)]
    assert len(versions("&".join(many[:400]))) == 400  # as many as a URL may have
    request = Request(http_scope("POST", "/", ""))
    request.add([("presence_version", one.partition("=")[2]) for one in many])
    with pytest.raises(InvalidError, match="1,000") as caught:
        read_versions(request)
    assert caught.value.field == "presence_version"
