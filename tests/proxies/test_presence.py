"""Who is present behind each mode of the rig: one member, there all the time, and gone in time when the network is.

The client on Node enters a place and is put through what the others are. Somebody without a proxy looks on: he sees one
member come, nobody go, and nobody twice, whatever becomes of connections and transports.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
import pytest_asyncio

from tests.proxies.cases import Case, cases
from tests.proxies.conftest import selected
from tests.proxies.modes import Both, BufferBody, StripUpgrade, Vanishing
from tests.proxies.nodes import PROGRAM, dispatch, node
from tests.proxies.rig import Mode
from tests.proxies.rounds import Listener, in_time
from tests.support.clients import open_stream
from tests.support.server import ServerProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")

GONE: Final = 45.0
"""Seconds after which one whose network is cut is gone: presence.md, section 6."""

SLACK: Final = 10.0
"""Seconds more, on a machine on which everything runs at a time."""


@dataclass
class Sight:
    """What somebody who looks on has seen of one place."""

    members: dict[str, dict[str, Any]] = field(default_factory=dict)
    most: int = 0
    came: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """Reasons."""
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def take(self, frame: dict[str, Any]) -> None:
        if "state" in frame:
            self.members = {one["member"]: one for one in frame["state"]}
        else:
            for one in frame["leaves"]:
                del self.members[one["member"]]
                self.left.append(one["reason"])
            self.members |= {one["member"]: one for one in (*frame["joins"], *frame["updates"])}
            self.came += [one["member"] for one in frame["joins"]]
        self.most = max(self.most, len(self.members))
        assert frame["members"] == len(self.members), frame

    async def until(self, count: int) -> None:
        """So many members are there."""
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.members) == count)


@dataclass
class Stage:
    """All cases under way, and what is seen of each."""

    listeners: dict[str, Listener]
    running: dict[str, "asyncio.Task[dict[str, Any]]"]
    sights: dict[str, Sight]
    going: dict[str, "asyncio.Task[None]"]


async def lose(listener: Listener, running: "asyncio.Task[dict[str, Any]]", sight: Sight) -> None:
    """When it has done all, its network goes; return when it has gone from its place."""
    told = await running
    assert told["transport"] in listener.case.ends_on, told["faults"]
    await in_time(sight.until(1))
    mode = listener.mode.far if isinstance(listener.mode, Both) else listener.mode
    if isinstance(mode, Vanishing):
        mode.vanish()
        await asyncio.wait_for(sight.until(0), GONE + SLACK)


async def look_on(url: str, sights: dict[str, Sight], ready: asyncio.Event) -> None:
    """By topic."""
    async with open_stream(url, "websocket", "rig/present/**", query={"presence": "1"}) as stream:
        ready.set()
        while True:
            for frame in await stream._receive():
                if frame.type == "presence":
                    sight = sights[frame.value["place"]]
                    async with sight.changed:
                        sight.take(frame.value)
                        sight.changed.notify_all()


def vanishing() -> list[Case]:
    """A path for each transport, from which the network goes."""
    ways: list[tuple[str, type[Mode] | None]] = [("websocket", None), ("sse", StripUpgrade), ("poll", BufferBody)]

    def make(way: type[Mode] | None) -> Mode:
        return Vanishing() if way is None else Both(way(), Vanishing())

    return [
        Case(f"{transport} and the network goes", lambda way=way: make(way), frozenset({transport}))  # type: ignore[misc]
        for transport, way in ways
    ]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stage(request: pytest.FixtureRequest, server: ServerProcess) -> AsyncIterator[Stage]:
    """The cases of the tests that were selected, all under way in one Node process."""
    async with AsyncExitStack() as stack:
        listeners: dict[str, Listener] = {}
        for case in selected(request.session, "stage"):
            listener = listeners[case.name] = Listener.of(case, "present", server.port)
            await stack.enter_async_context(listener.proxy)
        sights = {one.topic: Sight() for one in listeners.values()}
        ready = asyncio.Event()
        looking = asyncio.create_task(look_on(server.url, sights, ready))
        await in_time(ready.wait())
        streams = [[name, f"{one.proxy.url}/", one.topic, True] for name, one in listeners.items()]
        process = await asyncio.create_subprocess_exec(
            node(), "--experimental-websocket", str(PROGRAM), json.dumps(streams), stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        output = asyncio.create_task(dispatch(process.stdout, listeners))
        tasks = {name: asyncio.create_task(one.put_through(server.url)) for name, one in listeners.items()}
        seen = {name: sights[one.topic] for name, one in listeners.items()}
        going = {name: asyncio.create_task(lose(one, tasks[name], seen[name])) for name, one in listeners.items()}
        yield Stage(listeners, tasks, seen, going)
        if process.returncode is None:
            process.kill()
        await process.wait()
        for task in (looking, output, *going.values(), *tasks.values()):
            task.cancel()
        await asyncio.gather(looking, output, *going.values(), *tasks.values(), return_exceptions=True)


@pytest.mark.parametrize("case", [case for case in cases() if not case.forward], ids=str)
async def test_a_member_stays_one_member(case: Case, stage: Stage) -> None:
    sight, told = stage.sights[case.name], await stage.running[case.name]
    await in_time(sight.until(1))
    assert sight.most == 1, ("nobody is shown twice", sight.came, sight.left)
    assert len(set(sight.came)) <= 1, "and it is the same member all the time"
    if not case.outage:  # who is away for longer than that has gone
        assert sight.left == [], told["faults"]


@pytest.mark.parametrize("case", vanishing(), ids=str)
async def test_one_whose_network_is_cut_is_gone_in_time(case: Case, stage: Stage) -> None:
    await stage.going[case.name]
    assert stage.sights[case.name].left in (["lost"], ["expired"])
