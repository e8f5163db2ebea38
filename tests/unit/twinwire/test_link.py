"""One link over a transport that does as it is told."""

import asyncio
from typing import Any

import pytest

from tests.unit.twinwire.scripted import CONNECTION, Http, Wire, event
from twinwire.errors import Fault
from twinwire.frames import Frame
from twinwire.link import Link
from twinwire.timing import Timing


class Owner:
    def __init__(self) -> None:
        self.frames: list[str] = []
        self.news = asyncio.Event()
        self.room = asyncio.Event()
        self.room.set()
        self.gone_links: list[Link] = []

    async def frame(self, link: Link, frame: Frame, raw: str) -> None:
        await self.room.wait()
        self.frames.append(frame.id or frame.type)
        self.news.set()

    def heard(self, link: Link, frame: Frame, raw: str) -> None:
        self.frames.append(f"heard {frame.type}")
        self.news.set()

    def changed(self, link: Link) -> None:
        self.news.set()

    def gone(self, link: Link) -> None:
        self.gone_links.append(link)
        self.news.set()

    async def until(self, what: Any) -> None:
        async with asyncio.timeout(5):
            while not what():
                self.news.clear()
                await self.news.wait()


class Rig:
    def __init__(self, **timing: float) -> None:
        self.wire, self.owner = Wire(), Owner()
        http: Any = Http(Timing(**timing))
        self.say = self.wire.say
        self.link = Link("websocket", None, self.wire, http, self.owner).open()

    async def connected(self) -> None:
        self.say(CONNECTION)
        assert await self.link.opened
        self.link.go()


async def test_nothing_goes_on_before_it_is_told_to() -> None:
    rig = Rig()
    rig.say(CONNECTION, event(2))
    assert await rig.link.opened
    await asyncio.sleep(0)
    assert rig.owner.frames == []
    rig.link.go()
    await rig.owner.until(lambda: rig.owner.frames == ["e-2"])
    rig.link.close()
    await rig.link.ended()


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        (event(1), "protocol"),
        ('{"type":"heartbeat","id":"e-1"}', "protocol"),
        ('{"type":"goodbye","reason":"restart","code":1012,"retry":1500}', "goodbye"),
        ('{"type":"problem","status":401,"title":"Unauthorized"}', "http"),
    ],
)
async def test_what_comes_in_place_of_the_first_frame(first: str, kind: str) -> None:
    rig = Rig()
    rig.say(first)
    assert not await rig.link.opened
    assert rig.link.fault is not None
    assert rig.link.fault.kind == kind
    await rig.link.ended()


async def test_a_goodbye_says_when_to_come_back() -> None:
    rig = Rig()
    await rig.connected()
    rig.say('{"type":"goodbye","reason":"auth","code":1008,"retry":null,"detail":"expired"}')
    await rig.owner.until(lambda: rig.link.fault)
    assert rig.link.fault is not None
    assert (rig.link.fault.refusal, rig.link.fault.retry_after) == ("expired", None)
    rig = Rig()
    rig.say('{"type":"goodbye","reason":"restart","code":1012,"retry":1500}')
    assert not await rig.link.opened
    assert rig.link.fault is not None
    assert rig.link.fault.retry_after == 1.5


async def test_silence_before_the_first_frame_and_after_it() -> None:
    rig = Rig(connect=0.05)
    assert not await rig.link.opened
    assert rig.link.fault is not None
    assert rig.link.fault.kind == "timeout"
    rig = Rig(connect=0.5)
    rig.say('{"type":"connection","id":"e-1","heartbeat":0.04}')
    assert await rig.link.opened
    rig.link.go()
    await rig.owner.until(lambda: rig.link.fault)
    assert rig.link.fault is not None
    assert rig.link.fault.kind == "stalled"
    assert rig.wire.is_let_go


async def test_the_time_for_which_nobody_takes_what_came_is_no_silence() -> None:
    rig = Rig()
    rig.owner.room.clear()
    rig.say('{"type":"connection","id":"e-1","heartbeat":0.04}')
    assert await rig.link.opened
    rig.link.go()
    rig.say(event(2))
    await asyncio.sleep(0.3)
    assert rig.link.fault is None
    rig.owner.room.set()
    await rig.owner.until(lambda: rig.owner.frames)
    rig.link.close()
    await rig.link.ended()


async def test_it_is_productive_when_it_has_lived() -> None:
    rig = Rig(productive=0.02)
    await rig.connected()
    assert not rig.link.is_productive
    await rig.owner.until(lambda: rig.link.is_productive)
    rig.link.close()
    await rig.link.ended()


@pytest.mark.parametrize(
    "end", [Fault("network", "cut"), ValueError("of a library"), Fault("closed", "", code=1012)], ids=repr
)
async def test_every_end_is_told_and_leaves_nothing(end: Fault | Exception) -> None:
    rig = Rig()
    await rig.connected()
    rig.say(end)
    await rig.owner.until(lambda: rig.owner.gone_links == [rig.link])
    assert rig.link.fault is not None
    assert rig.wire.is_closed
    assert rig.wire.is_let_go
    assert not await rig.link.send("x")


async def test_an_event_without_a_position_is_no_event_and_a_strange_one_a_fault() -> None:
    rig = Rig()
    await rig.connected()
    rig.say('{"topic":"t","type":"k","data":1}', event(2))
    await rig.owner.until(lambda: rig.owner.frames == ["heard k", "e-2"])
    rig.say('{"id":"2026","topic":"t","type":"k","data":1}')
    await rig.owner.until(lambda: rig.link.fault)
    assert rig.link.fault is not None
    assert rig.link.fault.kind == "protocol"


async def test_it_says_something_where_a_path_cuts_what_is_idle() -> None:
    rig = Rig()
    await rig.connected()
    rig.link.keep_alive(0.01)
    async with asyncio.timeout(5):
        while len(rig.wire.sent) < 3:
            await asyncio.sleep(0.01)
    rig.link.close()
    await rig.link.ended()
    count = len(rig.wire.sent)
    await asyncio.sleep(0.05)
    assert len(rig.wire.sent) == count


async def test_what_is_dropped_keeps_its_reason() -> None:
    rig = Rig()
    await rig.connected()
    rig.link.drop(Fault("protocol", "something is missing", retry_after=0.0))
    await rig.link.ended()
    assert rig.link.fault == Fault("protocol", "something is missing", retry_after=0.0)
