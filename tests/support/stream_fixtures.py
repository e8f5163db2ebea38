"""The fixtures that tests of streams and of wires share: a bus in memory, a hub and a gate on a manual clock."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from service.access.authority import Authority, Template, Verifying
from service.access.drain import Drain
from service.access.gate import Gate
from service.access.hosts import Hosts
from service.access.origins import Origins
from service.access.reads import Reads
from service.access.revocation import Revocations
from service.access.shares import Most
from service.access.spending import Spending
from service.access.tickets import Tickets
from service.bus.bus import EventBus
from service.core.limits import EPHEMERAL_MAX, FILTER_TOPICS_MAX, REQUEST_MAX
from service.core.time import Clock
from service.log.base import ONE_TURN
from service.stream.control import Control
from service.stream.hub import StreamHub
from service.stream.hypercorn.pipes import HypercornPipes
from service.stream.opening import Opening
from service.stream.renewal import Renewal
from service.wire.answers import Answers
from service.wire.bodies import Bodies
from service.wire.drafts import DraftReader
from service.wire.ephemeral.reading import EphemeralReader
from service.wire.ephemeral.sending import EphemeralWire, Sending
from service.wire.frames import Frames
from service.wire.poll import PollWire
from service.wire.presence.ending import Endings
from service.wire.presence.entering import Entering
from service.wire.presence.saying import SayingPresence
from service.wire.publish import PublishWire
from service.wire.scanning import Scans
from service.wire.sse import SSEWire
from service.wire.state import StateWire
from service.wire.websocket import WebSocketWire
from tests.support.clock import ManualClock
from tests.support.wires import memory_bus


@dataclass
class House:
    """What stands around one bus, wired as the composition root does it, with every part in reach."""

    bus: EventBus
    clock: Clock
    drain: Drain
    gate: Gate
    hub: StreamHub
    opening: Opening
    pipes: HypercornPipes
    control: Control
    frames: Frames
    send_timeout: float
    reads: Reads
    body_max: int

    @classmethod
    def of(
        cls,
        bus: EventBus,
        clock: Clock,
        *,
        heartbeat: float = 20.0,
        send_timeout: float = 30.0,
        max_places: int = 0,
        origins: Sequence[str] = (),
        verifier: Verifying | None = None,
        anonymous: Template | None = None,
        most: Most | None = None,
        filters: int = FILTER_TOPICS_MAX,
        spending: Spending | None = None,
        reads: Reads | None = None,
        body_max: int = REQUEST_MAX,
    ) -> "House":
        drain, control, origins_of = Drain(), Control(bus.epoch, heartbeat), Origins(origins)
        tickets, revocations = Tickets(clock, b"s" * 32), Revocations(None)
        authority = Authority(origins_of, clock, tickets, revocations, verifier, anonymous=anonymous)
        gate = Gate(
            Hosts([]),
            origins_of,
            drain,
            authority,
            max_places=max_places,
            most=most,
            filters=filters,
            spending=spending,
        )
        reads = reads or Reads()
        hub = StreamHub(control, drain, authority, clock, send_timeout=send_timeout, reads=reads)
        hub.left = Endings(bus.presence, drain).left
        return cls(
            bus=bus,
            clock=clock,
            drain=drain,
            gate=gate,
            hub=hub,
            opening=Opening(bus, hub, clock),
            pipes=HypercornPipes(direct=True, timeout=send_timeout),
            control=control,
            frames=Frames(bus.epoch),
            send_timeout=send_timeout,
            reads=reads,
            body_max=body_max,
        )

    def websocket(self, data_max: int) -> WebSocketWire:
        reader = DraftReader(data_max)
        return WebSocketWire(
            self.gate,
            self.opening,
            self.pipes,
            self.frames,
            self.bus,
            reader,
            self.sending,
            self.saying,
            self.renewal,
            ONE_TURN,
            data_max=data_max,
        )

    @property
    def sending(self) -> Sending:
        return Sending(self.gate, self.bus.ephemeral, EphemeralReader(DraftReader, EPHEMERAL_MAX), self.bus.presence)

    @property
    def entering(self) -> Entering:
        return Entering(self.gate, self.bus.presence, self.clock)

    @property
    def saying(self) -> SayingPresence:
        return SayingPresence(self.entering, self.opening.besides, ONE_TURN)

    def ephemeral(self) -> EphemeralWire:
        return EphemeralWire(self.bodies, self.sending, ONE_TURN)

    @property
    def renewal(self) -> Renewal:
        return Renewal(self.gate, self.hub, self.bus, self.clock)

    def sse(self) -> SSEWire:
        return SSEWire(self.gate, self.opening, self.pipes, self.frames, self.bodies)

    def poll(self) -> PollWire:
        return PollWire(self.gate, self.drain, self.bus, self.control, self.frames, self.bodies, self._answers())

    def state(self) -> StateWire:
        return StateWire(self.gate, self.bus, self.frames, self._answers())

    def _answers(self) -> Answers:
        scans = Scans(self.bus.reading.turn, self.reads, self.gate)
        return Answers(self.gate, scans, self.pipes, self.send_timeout)

    def publish(self, data_max: int = 1024, **options: Any) -> PublishWire:
        return PublishWire(self.gate, self.bus, self.bodies, DraftReader(data_max, **options))

    @property
    def bodies(self) -> Bodies:
        return Bodies(64 << 20, self.send_timeout, self.body_max)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def bus() -> EventBus:
    return memory_bus()


@pytest.fixture
async def house(bus: EventBus, clock: ManualClock) -> House:
    return House.of(bus, clock, origins=("https://app.example",))


@pytest.fixture
def hub(house: House) -> StreamHub:
    return house.hub


@pytest.fixture(autouse=True)
def nothing_is_left_behind(bus: EventBus) -> Iterator[None]:
    """Whatever a test does, no subscription outlives its client."""
    yield
    assert not bus.subscriptions().total()
