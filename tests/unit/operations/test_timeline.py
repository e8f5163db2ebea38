"""Why did Ada not get event X? And the other answers, each from what happened and not from what might have."""

import asyncio
from typing import Any

import pytest

from service.access.caller import Caller
from service.access.rights import EVERYTHING, Grants, Rights
from service.bus.bus import EventBus
from service.bus.start import Start
from service.core.errors import InvalidError, NotFoundError
from service.core.topics import TopicFilter
from service.operations.connections import Connections
from service.operations.timeline import GROUPS_SHOWN, WHYS, Timeline
from service.stream.ending import RESTART
from tests.support.clock import ManualClock
from tests.support.memorylog import MemoryEventLog
from tests.support.stream_fixtures import House
from tests.support.streams import Running, T, stream_on
from tests.support.wires import FakePipe, drafts, until

pytestmark = pytest.mark.usefixtures("fed")

BOTH = TopicFilter(("t", "u"))
ADA = Caller("ada", EVERYTHING)


@pytest.fixture
async def bus(clock: ManualClock) -> EventBus:
    return EventBus(MemoryEventLog(clock), clock, tail_events=100, tail_bytes=1 << 20, remembered=1_000)


@pytest.fixture
def timeline(house: House, bus: EventBus, clock: ManualClock) -> Timeline:
    return Timeline(bus, Connections(house.hub, bus, clock), clock)


async def verdict(timeline: Timeline, bus: EventBus, offset: int, who: Running) -> tuple[bool | None, str]:
    found = (await timeline.trace(bus.cursor(offset), who.stream.peer.id))["connection"]
    assert found["connection"] == who.stream.peer.id
    assert found["detail"] == WHYS[found["why"]]
    return found["got"], found["why"]


# The six


async def test_she_has_no_right_to_it(house: House, bus: EventBus, timeline: Timeline) -> None:
    rights = Rights(Grants(("t",)))
    async with stream_on(house, topics=T, caller=Caller("ada", rights)) as ada:
        await ada.live()
        await bus.publish(drafts(1, "u"))
        assert await verdict(timeline, bus, 1, ada) == (False, "rights")


async def test_she_has_lost_the_right_to_it(house: House, bus: EventBus, timeline: Timeline) -> None:
    async with stream_on(house, topics=BOTH, caller=ADA) as ada:
        await ada.live()
        await bus.publish(drafts(1, "u"))
        await house.renewal.renew(ada.stream, Caller("ada", Rights(Grants(("t",)))))
        await bus.publish(drafts(1, "u"))
        assert await verdict(timeline, bus, 1, ada) == (True, "live")
        assert await verdict(timeline, bus, 2, ada) == (False, "rights")
        found = await timeline.trace(bus.cursor(2), ada.stream.peer.id)
        turn = found["connection"]["turn"]
        assert (turn["turn"], turn["before"]) == ("reduced", ["t", "u"])


async def test_she_asks_for_others(house: House, bus: EventBus, timeline: Timeline) -> None:
    async with stream_on(house, topics=T, caller=ADA) as ada:
        await ada.live()
        await bus.publish(drafts(1, "u"))
        assert await verdict(timeline, bus, 1, ada) == (False, "filter")
        ada.stream.change(BOTH)
        await ada.live()
        await bus.publish(drafts(1, "u"))
        assert await verdict(timeline, bus, 2, ada) == (True, "live")
        assert await verdict(timeline, bus, 1, ada) == (False, "filter"), "of its time"


async def test_she_is_on_her_way(
    house: House, bus: EventBus, timeline: Timeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bus.publish(drafts(3_000))
    page, goes_on = bus.reading.page, asyncio.Event()

    async def held(group: Any, after: int) -> Any:
        if after >= 1_000:
            await goes_on.wait()
        return await page(group, after)

    monkeypatch.setattr(bus.reading, "page", held)
    async with stream_on(house, start="earliest", caller=ADA) as ada:
        await until(lambda: ada.stream.subscription.offset >= 1_000)
        assert await verdict(timeline, bus, 3_000, ada) == (False, "replaying")
        assert await verdict(timeline, bus, 1, ada) == (True, "replayed")
        goes_on.set()
        await ada.live()
        assert await verdict(timeline, bus, 3_000, ada) == (True, "replayed")


@pytest.mark.parametrize("direct", [True, False])
async def test_her_socket_is_full(house: House, bus: EventBus, timeline: Timeline, direct: bool) -> None:
    async with stream_on(house, caller=ADA, pipe=FakePipe(direct)) as ada:
        await ada.live()
        await bus.publish(drafts(1))
        await ada.live()
        ada.pipe.fill()
        await bus.publish(drafts(1))
        await until(lambda: direct or ada.stream.subscription.offset == 2)  # what it waits with is sent, to the server
        await bus.publish(drafts(1))
        assert await verdict(timeline, bus, 3, ada) == (False, "socket")
        ada.pipe.empty()
        await until(lambda: 3 in ada.pipe.events)
        assert (await verdict(timeline, bus, 3, ada))[0] is True


async def test_she_had_gone(house: House, bus: EventBus, timeline: Timeline) -> None:
    async with stream_on(house, caller=ADA) as ada:
        await ada.live()
        await bus.publish(drafts(1))
        ada.stream.end(RESTART)
        await ada.over()
        await bus.publish(drafts(1))
        await bus.publish(drafts(1, "u"))
        assert await verdict(timeline, bus, 1, ada) == (True, "live")
        assert await verdict(timeline, bus, 2, ada) == (False, "gone")
        assert await verdict(timeline, bus, 3, ada) == (False, "filter"), "she would not have got it either way"


async def test_it_was_removed_before_she_came_back(house: House, bus: EventBus, timeline: Timeline) -> None:
    await bus.publish(drafts(5))
    await bus.trim(T, 2)
    async with stream_on(house, start=bus.cursor(1), caller=ADA) as ada:
        await ada.live()
        assert await verdict(timeline, bus, 2, ada) == (False, "gap")
        assert await verdict(timeline, bus, 1, ada) == (False, "earlier"), "her client says that she has it"
        assert await verdict(timeline, bus, 4, ada) == (True, "replayed")
        found = await timeline.trace(bus.cursor(2), ada.stream.peer.id)
        assert (found["topic"], found["time"], found["connection"]["turn"]["reason"]) == (None, None, "trimmed")
        assert found["fanned_out"]["written"] is None, "who would have got it is told by its topic"


async def test_it_was_removed_while_she_read(house: House, bus: EventBus, timeline: Timeline) -> None:
    await bus.publish(drafts(3_000))
    pipe = FakePipe()
    async with stream_on(house, start="earliest", pipe=pipe, caller=ADA) as ada:
        await until(lambda: bool(pipe.events))
        pipe.fill()
        await bus.trim(T, 5)
        assert await verdict(timeline, bus, 2_900, ada) == (False, "gap"), "she will be told"
        pipe.empty()
        await ada.live()
        assert await verdict(timeline, bus, 2_900, ada) == (False, "gap")
        assert await verdict(timeline, bus, 2_999, ada) == (True, "replayed")


# The others


async def test_it_came_before_she_did(house: House, bus: EventBus, timeline: Timeline) -> None:
    await bus.publish(drafts(2))
    async with stream_on(house, caller=ADA) as ada:
        await ada.live()
        assert await verdict(timeline, bus, 2, ada) == (False, "earlier")


async def test_what_is_gone_and_was_passed_is_not_known(house: House, bus: EventBus, timeline: Timeline) -> None:
    async with stream_on(house, caller=ADA) as ada:
        await ada.live()
        await bus.publish(drafts(3))
        await bus.trim(T, 1)
        assert await verdict(timeline, bus, 1, ada) == (None, "unknown")
        assert await verdict(timeline, bus, 3, ada) == (True, "live")


async def test_what_turns_have_forgotten_is_not_claimed(house: House, bus: EventBus, timeline: Timeline) -> None:
    async with stream_on(house, caller=ADA) as ada:
        await ada.live()
        await bus.publish(drafts(3))
        ada.stream.peer.trail.blurred = 1
        assert await verdict(timeline, bus, 1, ada) == (True, "passed")
        ada.stream.peer.trail.forgotten = 2
        assert await verdict(timeline, bus, 2, ada) == (None, "unknown")
        assert await verdict(timeline, bus, 3, ada) == (True, "live")


# What became of an event


async def test_a_trace_has_its_steps_and_to_how_many_it_went(house: House, bus: EventBus, timeline: Timeline) -> None:
    async with (
        stream_on(house, caller=ADA) as one,
        stream_on(house, caller=ADA) as full,
        stream_on(house, topics=TopicFilter(("*",))) as wild,
        stream_on(house, topics=TopicFilter(("u",))) as other,
    ):
        for running in (one, full, wild, other):
            await running.live()
        full.pipe.fill()
        await bus.publish([*drafts(1), *drafts(1, "u")])
        found = await timeline.trace(bus.cursor(1), None)
        assert "connection" not in found
        assert (found["id"], found["topic"], found["type"], found["remembered"]) == (bus.cursor(1), "t", "x", True)
        assert found["accepted"]["time"] == found["committed"]["time"] == found["time"]
        assert found["committed"]["ms"] == found["fanned_out"]["ms"] == 0
        sums = {name: found["fanned_out"][name] for name in ("groups", "written", "left", "others")}
        assert sums == {"groups": 2, "written": 2, "left": 1, "others": 0}
        assert found["fanned_out"]["largest"] == [
            {"transport": "websocket", "topics": ["t"], "written": 1, "left": 1},
            {"transport": "websocket", "topics": ["*"], "written": 1, "left": 0},
        ]
        full.pipe.empty()


async def test_of_many_groups_the_largest_are_told(house: House, bus: EventBus, timeline: Timeline) -> None:
    subscriptions = [
        await bus.subscribe(TopicFilter(("t", f"u/{n % 30}")), Start.now(), house.frames.websocket_messages)
        for n in range(50)
    ]
    for subscription, _ in subscriptions:
        assert subscription.go_live(FakePipe())
    await bus.publish(drafts(1))
    fanned_out = (await timeline.trace(bus.cursor(1), None))["fanned_out"]
    for subscription, _ in subscriptions:
        subscription.close()
    assert (fanned_out["groups"], fanned_out["written"], len(fanned_out["largest"])) == (30, 50, GROUPS_SHOWN)
    assert {one["written"] for one in fanned_out["largest"]} == {2}


async def test_what_is_forgotten_is_null(house: House, clock: ManualClock) -> None:
    bus = EventBus(MemoryEventLog(clock), clock, tail_events=100, tail_bytes=1 << 20)
    timeline = Timeline(bus, Connections(house.hub, bus, clock), clock)
    await bus.publish(drafts(1))
    found = await timeline.trace(bus.cursor(1), None)
    assert [found[name] for name in ("remembered", "accepted", "committed", "fanned_out")] == [False, None, None, None]
    assert found["topic"] == "t"


@pytest.mark.parametrize(
    ("id", "kind"),
    [
        ("", InvalidError),
        ("memory-0", InvalidError),
        ("x" * 70, InvalidError),
        ("elsewhere-1", NotFoundError),
        ("memory-2", NotFoundError),
    ],
)
async def test_what_is_no_event_of_this_log_is_refused(
    bus: EventBus, timeline: Timeline, id: str, kind: type[Exception]
) -> None:
    await bus.publish(drafts(1))
    with pytest.raises(kind):
        await timeline.trace(id, None)
    with pytest.raises(NotFoundError) as refused:
        await timeline.trace("memory-1", "nobody")
    assert refused.value.field == "connection"


# What a connection went through


async def test_a_timeline_has_each_turn_in_its_order(house: House, bus: EventBus, timeline: Timeline) -> None:
    await bus.publish(drafts(4))
    await bus.trim(T, 2)
    async with stream_on(house, start=bus.cursor(1), caller=ADA) as ada:
        await ada.live()
        ada.pipe.fill()
        await bus.publish(drafts(1))
        ada.pipe.empty()
        await ada.live()
        ada.stream.change(BOTH)
        await ada.live()
        await house.renewal.renew(ada.stream, Caller("ada", Rights(Grants(("t",)))))
        await ada.live()
        ada.stream.end(RESTART)
        await ada.over()
    found = timeline.of(ada.stream.peer.id)
    assert [(one["turn"], one["cursor"], one.get("reason")) for one in found["turns"]] == [
        ("opened", bus.cursor(2), None),
        ("gap", bus.cursor(2), "trimmed"),
        ("caught_up", bus.cursor(4), None),
        ("behind", bus.cursor(4), "socket"),
        ("caught_up", bus.cursor(5), None),
        ("filter", bus.cursor(5), None),
        ("caught_up", bus.cursor(5), None),
        ("renewed", bus.cursor(5), None),
        ("reduced", bus.cursor(5), None),
        ("caught_up", bus.cursor(5), None),
        ("ended", bus.cursor(5), "restart"),
    ]
    assert (found["whole"], found["state"], found["topics"]) == (True, "gone", ["t"])
    assert found["turns"][1]["after"] == bus.cursor(1)
    with pytest.raises(NotFoundError):
        timeline.of("nobody")
