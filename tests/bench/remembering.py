"""`python -m tests.bench.remembering`: what a fan-out takes more because it is remembered for timelines.

In one process: two buses on logs in memory, one of which remembers, get the same publishes in turn, and what counts is
the CPU time of this thread. The same work was done as often in its shortest round as in the others, so the shortest of
each side are held against each other: other work on the machine makes rounds longer, and none shorter. A write is what
it is in a service, a call that sends over TCP on the loopback; a process of its own takes it. Left out are the requests
that publish, the encodings and the disk: so what is told is more than what a service has of it.
"""

import asyncio
import multiprocessing
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from service.bus.bus import EventBus
from service.bus.start import Start
from service.clock import SystemClock
from service.core.event import Draft
from service.core.topics import TopicFilter
from service.settings import Settings
from tests.support.memorylog import MemoryEventLog
from tests.support.wires import OffsetText

ROUNDS: Final = 31
BOUND: Final = 2.0
"""Per cent."""
DATA: Final = '"' + "x" * 150 + '"'
FRAME: Final = DATA.encode()


def _drain(receiver: socket.socket) -> None:
    while receiver.recv(1 << 20):
        pass


class Wire:
    """An outlet with one call of the kernel for a write, which waits for a late receiver: that takes no CPU time."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            self._sender = socket.create_connection(server.getsockname())
            receiver, _ = server.accept()
        self._sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._drainer = multiprocessing.get_context("fork").Process(target=_drain, args=(receiver,), daemon=True)
        self._drainer.start()
        receiver.close()

    def write(self, payload: Any) -> bool:
        self._sender.sendall(FRAME)
        return True

    def behind(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Scene:
    """`topics` with `each` subscribers; in a round `publishes` of `batch` events, which go from topic to topic."""

    name: str
    topics: int
    each: int
    publishes: int
    batch: int

    def drafts(self) -> Iterator[Sequence[Draft]]:
        for number in range(self.publishes):
            first = number * self.batch
            yield [Draft(f"t/{(first + n) % self.topics}", "log", DATA) for n in range(self.batch)]


SCENES: Final = (
    Scene("1 topic, 500 subscribers, one event at a time", 1, 500, 100, 1),
    Scene("1 topic, 500 subscribers, batches of 100", 1, 500, 50, 100),
    Scene("2,000 topics, 5 subscribers each, one event at a time", 2_000, 5, 2_000, 1),
    Scene("2,000 topics, 5 subscribers each, batches of 100", 2_000, 5, 40, 100),
)


async def filled(scene: Scene, remembered: int, wire: Wire) -> EventBus:
    clock = SystemClock()
    bus = EventBus(MemoryEventLog(clock), clock, tail_events=10_000, tail_bytes=32 << 20, remembered=remembered)
    encoding = OffsetText()
    for topic in range(scene.topics):
        for _ in range(scene.each):
            subscription, _ = await bus.subscribe(TopicFilter((f"t/{topic}",)), Start.now(), encoding)
            subscription.go_live(wire)
    return bus


async def spent(bus: EventBus, scene: Scene) -> float:
    drafts = list(scene.drafts())
    before = time.thread_time()
    for some in drafts:
        await bus.publish(some)
    await bus.settle()
    return time.thread_time() - before


async def cost(scene: Scene, wire: Wire) -> float:
    """Per cent that remembering takes more; who is first in a round changes."""
    usual = Settings.read({}).operations.timeline
    buses = [await filled(scene, remembered, wire) for remembered in (0, usual)]
    found: tuple[list[float], list[float]] = ([], [])
    for number in range(ROUNDS):
        for side in (0, 1) if number % 2 else (1, 0):
            found[side].append(await spent(buses[side], scene))
    without, remembered = map(min, found)
    return 100 * (remembered / without - 1)


async def main() -> int:
    """1 if one of them costs more than BOUND."""
    wire = Wire()
    costs = []
    print("| | costs more |\n|---|---:|")
    for scene in SCENES:
        costs.append(await cost(scene, wire))
        print(f"| {scene.name} | {costs[-1]:+.1f} % |", flush=True)
    return int(max(costs) >= BOUND)


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
