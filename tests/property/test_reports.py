"""The invariant of reports: whatever is repeated, races, is lost on the way or killed, the log of a command is what it
put out, each byte once, and what was told of it as events is the same.

Hypothesis cuts bytes anywhere, also within characters, sends them again from any item before, by two at a time, loses
answers, kills or restarts the service, and trims the events.
"""

import asyncio
import base64
import codecs
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.apps.projects.runs.lines import Wanted, lines_of
from service.bus.bus import EventBus
from service.core.errors import ConflictError, DrainingError
from service.core.event import Draft
from service.core.topics import TopicFilter
from service.log.base import Guard, Receipt, Statement
from tests.property.machine import SETTINGS
from tests.support.projects import Plain, World
from tests.support.reporter import Reporter, log_of

PARTS = [b"\n", b"line\n", "ä€😀".encode(), b"\xc3", b"\xe2\x82", b"\xff", b""]
CHUNKS = st.lists(st.one_of(st.sampled_from(PARTS), st.binary(max_size=5)), min_size=1, max_size=5)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), CHUNKS, st.integers(0, 6)),
        st.tuples(st.just("race"), CHUNKS, st.integers(0, 6)),
        st.tuples(st.just("lose"), CHUNKS, st.just(0)),
        st.tuples(st.sampled_from(["stage", "gap", "restart", "trim"]), st.just([]), st.integers(1, 3)),
    ),
    max_size=12,
)


class LosingBus:
    """Hands everything to a real bus. While `loses`, who has published is not told that it was stored."""

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus
        self.loses = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    async def publish(
        self, drafts: Sequence[Draft], also: Sequence[Statement] = (), guards: Sequence[Guard] = ()
    ) -> Receipt:
        receipt = await self._bus.publish(drafts, also, guards)
        if self.loses:
            raise DrainingError("killed before it could answer")
        return receipt


class Machine:
    """One command of a project, the items that its reporter has, and what the service has told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.items: list[dict[str, Any]] = []
        self.output = b""
        self.told: list[dict[str, Any]] = []
        self.project = ""

    @asynccontextmanager
    async def service(self) -> AsyncIterator[Reporter]:
        """One life of it."""
        async with World.open(self.path) as world:
            self.world, self.bus = world, LosingBus(world.bus)
            service = await world.service([Plain()], bus=self.bus)
            self.project = self.project or (await service.create("P", None)).id
            one = Reporter(service, self.project)
            await one.begin()
            yield one
            self.told += world.of("run_output")

    def put_out(self, chunks: Sequence[bytes]) -> None:
        self.items += [{"output_base64": base64.b64encode(chunk).decode()} for chunk in chunks]
        self.output += b"".join(chunks)

    async def send(self, one: Reporter, back: int) -> None:
        """What is not known to be accepted, and some that is."""
        start = max(1, one.next - back)
        if items := self.items[start - 1 :]:
            await one.report(*items, start=start)

    async def step(self, one: Reporter, name: str, chunks: Sequence[bytes], back: int) -> None:
        self.put_out(chunks)
        if name == "send":
            await self.send(one, back)
        elif name == "race":
            others = [Reporter(one.service, one.project) for _ in range(3)]
            for number, other in enumerate(others):
                other.number, other.next = one.number, max(1, one.next - back * number)
            await asyncio.gather(*(self.send(other, 0) for other in others))
            one.next = others[0].next
        elif name == "lose":
            self.bus.loses = True
            with suppress(DrainingError):
                await self.send(one, back)
            self.bus.loses = False
        elif name == "stage":
            self.items.append({"stage": f"s{back}"})
        elif name == "gap":
            before = await one.service.runs.reading.detail(one.project, one.number)
            try:
                await one.report({"output": "X"}, start=len(self.items) + 1 + back)
                raise AssertionError("a gap was accepted")
            except ConflictError:
                assert (await one.service.runs.reading.detail(one.project, one.number)).bytes == before.bytes
        elif name == "trim":
            await self.world.bus.trim(TopicFilter((f"projects/{one.project}",)), keep=0)

    async def check(self, one: Reporter) -> None:
        assert await log_of(one.service, one.project, one.number) == self.output
        reading = one.service.runs.reading
        run = await reading.kept(one.project, one.number)
        text = self.output.removesuffix(b"\n")
        expected = [line.decode("utf-8", "replace") for line in text.split(b"\n")] if self.output else []
        assert [line.text for line in (await lines_of(reading, run, Wanted(0, 10_000))).lines] == expected
        assert (run.run.bytes, run.run.lines) == (len(self.output), len(expected))
        told = [*self.told, *self.world.of("run_output")]
        assert "".join(one["text"] for one in told) == codecs.decode(self.output, "utf-8", "replace")
        line = 1
        for one_told in told:
            assert one_told["line"] == line
            line += one_told["text"].count("\n")


async def live(path: Path, steps: Sequence[tuple[str, list[bytes], int]]) -> None:
    machine, left = Machine(path), list(steps)
    is_over = False
    while not is_over:
        async with machine.service() as one:
            while left and (step := left.pop(0))[0] != "restart":
                await machine.step(one, *step)
            is_over = not left
            if is_over:
                machine.items.append({"end": {"exit": 0}})
                await machine.send(one, 3)
                await machine.check(one)


@settings(SETTINGS, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_the_log_is_what_was_put_out_whatever_happens(steps: list[tuple[str, list[bytes], int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(live(Path(folder) / "t.db", steps))
