"""One attack, from a fresh server to a verdict: fill, calm, storm, calm again; then the same once more, and more.

The storm is judged from its begin until all is given back: what a stranger leaves behind burdens the others too.
"""

import asyncio
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.hostile.attack import Attack, Attacker, Siege
from tests.hostile.ours import OURS
from tests.hostile.verdict import RETURN, Measured
from tests.hostile.victim import Held, Told, Victim
from tests.hostile.witness import Seen, WitnessProcess
from tests.support.http import request
from tests.support.websocket import WebSocketClient

HONEST: Final = "honest"
"""The attack that is none."""
KILL: Final = 2 << 30
"""Bytes of growth at which an attack has made its point, and the server is ended for the sake of the machine."""
LOOK: Final = 0.05
"""Seconds between two looks at the memory."""
SPARE: Final = 0.25
"""Of a core, beyond what it took in the calm: so much more may a server do when nobody attacks any more."""
SETTLE: Final = 0.4
"""Seconds for the witness to start; what it sees until then is not counted."""
BEFOREHAND: Final = 4
"""Looks at what is held in the calm; the least counts, since the witness comes and goes."""


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of the phases, how often an attack is repeated, and the share of the stocks that is filled in."""

    calm: float
    storm: float
    again: float
    rounds: int
    scale: float
    is_short: bool = False


FULL: Final = Times(calm=2.0, storm=5.0, again=2.0, rounds=5, scale=1.0)
QUICK: Final = Times(calm=0.3, storm=0.8, again=0.0, rounds=1, scale=0.2, is_short=True)


class Stage:
    """A victim that is filled as an attack needs it, and its witness."""

    def __init__(self, attack: Attack, scale: float) -> None:
        self.setting = setting(attack)
        self._folder = TemporaryDirectory(prefix="hostile-")
        self.victim = Victim(Path(self._folder.name), env=attack.env, descriptors=attack.descriptors)
        try:
            self.victim.start()
            asyncio.run(self._fill(attack, scale))
            self.witness = WitnessProcess(self.victim.url, self.victim.pid)
        except BaseException:
            self.victim.discard()
            raise

    async def _fill(self, attack: Attack, scale: float) -> None:
        if attack.needs is not None:
            await self.victim.fill(attack.needs, scale)
        await _warm(self.victim)

    def close(self) -> None:
        self.witness.discard()
        self.victim.discard()
        self._folder.cleanup()


def setting(attack: Attack) -> tuple[object, ...]:
    """What has to be the same for two attacks to meet the same server."""
    return (str(attack.needs), sorted(attack.env.items()), attack.descriptors or 0, attack.leaves)


@dataclass(slots=True)
class Runner:
    """Runs attacks, one after another; `honest` is what honest use of so many connections, or fewer, costs in bytes.

    A server is kept for the next attack only if the times are short, and it has withstood the last one.
    """

    times: Times
    honest: dict[int, int] = field(default_factory=dict)
    _stage: Stage | None = None

    def measure(self, attack: Attack, connections: int) -> Measured:
        """That of honest use is what the memory of later ones is compared with."""
        stage = self._stage_for(attack)
        measured = asyncio.run(self._run(attack, connections, stage))
        if attack.name == HONEST:
            self.honest[connections] = measured.memory
        measured.honest = max((cost for count, cost in self.honest.items() if count <= connections), default=0)
        if measured.broken or not self.times.is_short:
            self.close()
        return measured

    def close(self) -> None:
        """Ends the server that is kept."""
        if self._stage is not None:
            self._stage.close()
            self._stage = None

    def _stage_for(self, attack: Attack) -> Stage:
        if self._stage is None or self._stage.setting != setting(attack):
            self.close()
            self._stage = Stage(attack, self.times.scale)
        return self._stage

    async def _run(self, attack: Attack, connections: int, stage: Stage) -> Measured:
        victim = stage.victim
        scene = await Scene.set(victim, stage.witness, self.times.calm)
        measured = Measured(attack, connections, scene.calm, scene.calm, Told())
        begun, logged, faults = time.monotonic(), victim.log.stat().st_size, len(victim.faults())
        before = victim.reset_peak_memory()
        for number in range(self.times.rounds):
            seconds = max(self.times.again if number else self.times.storm, attack.seconds)
            await scene.storm(measured, seconds, before)
            if measured.given_back is None:
                break  # it will not do so the next time either
        measured.storm = scene.worst
        measured.told = victim.told(begun)
        measured.returncode = victim.returncode
        measured.tracebacks = len(victim.faults()) - faults
        measured.logged = victim.log.stat().st_size - logged
        return measured


@dataclass(slots=True)
class Scene:
    """A victim and its witness, and how both were before."""

    victim: Victim
    witness: WitnessProcess
    calm: Seen
    held: Held
    busy: float
    worst: Seen

    @classmethod
    async def set(cls, victim: Victim, witness: WitnessProcess, seconds: float) -> "Scene":
        if (await witness.mark()).answers == 0:
            await asyncio.sleep(SETTLE)
            await witness.mark()
        busy = await victim.busy(seconds)
        calm = await witness.mark()
        looks = [await victim.held() for _ in range(BEFOREHAND)]
        held = Held(
            min(look.sockets for look in looks),
            max(look.files for look in looks),
            min(look.tasks for look in looks),
            looks[-1].gauges,
        )
        return cls(victim, witness, calm, held, busy, Seen(0.0, 0.0, 0.0, 0, 0))

    async def storm(self, measured: Measured, seconds: float, before: int) -> None:
        """One round: the attack, and the time until all is given back."""
        guard = asyncio.create_task(self._guard(measured, before))
        try:
            await self._storm(measured, seconds)
        finally:
            guard.cancel()
        self.worst = _worse(self.worst, await self.witness.mark())
        if self.victim.returncode is None:
            measured.memory = max(measured.memory, self.victim.peak_memory() - before)
            measured.resident.append(self.victim.memory() - int(await self._tail()))

    async def _storm(self, measured: Measured, seconds: float) -> None:
        siege = Siege(self.victim.url, measured.connections)
        strangers = [Attacker(siege, number) for number in range(siege.connections)]
        attackers = [asyncio.create_task(one.attack(measured.attack.act)) for one in strangers]
        await asyncio.wait(attackers, timeout=seconds)
        measured.breaches += [breach for breach in siege.breaches if breach not in measured.breaches]
        for attacker in attackers:
            attacker.cancel()
        await asyncio.gather(*attackers, return_exceptions=True)
        for stranger in strangers:
            stranger.vanish()
        faults = [one.exception() for one in attackers if not one.cancelled() and one.exception() is not None]
        if faults:
            raise AssertionError("the attack itself has failed") from faults[0]
        await self._await_return(measured, time.monotonic())

    async def _guard(self, measured: Measured, before: int) -> None:
        """Ends the server when its memory gets out of hand: the machine is not the victim."""
        while self.victim.returncode is None:
            if (growth := self.victim.memory() - before) > KILL:
                measured.is_cut, measured.memory = True, growth
                self.victim.signal(signal.SIGKILL)
                return
            await asyncio.sleep(LOOK)

    async def _await_return(self, measured: Measured, left: float) -> None:
        """Ask until nothing is held any more that was not held before, RETURN seconds at most."""
        measured.given_back = None
        while self.victim.returncode is None and time.monotonic() - left < RETURN:
            spent = time.monotonic() - left
            try:
                kept = (await self.victim.held()).beyond(self.held)
            except (OSError, TimeoutError) as error:
                kept = [f"no answer ({type(error).__name__})"]
            busy = await self.victim.busy(0.2)
            measured.kept = kept + ([f"busy {busy:.0%}"] if busy > self.busy + SPARE else [])
            if not measured.kept:
                measured.given_back = spent
                return

    async def _tail(self) -> float:
        """Bytes that the tail holds: it may fill up, to its own bound."""
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(RETURN):
                text = (await request(self.victim.url, "GET", "/metrics", headers={"Connection": "close", **OURS})).text
            return float(text.partition("\ntwinwire_tail_bytes ")[2].partition("\n")[0] or 0)
        return 0.0


async def _warm(victim: Victim) -> None:
    """What is opened and imported at the first use of anything is there before the memory is looked at."""
    event = {"topic": "warm/up", "type": "log", "data": 1}
    assert (await request(victim.url, "POST", "/api/events", headers=OURS, json_body=event)).status == 201
    for path in ("/api/events?after=earliest&limit=10", "/", "/api/topics?limit=1", "/metrics", "/api/openapi.json"):
        await request(victim.url, "GET", path, headers={"Connection": "close", **OURS})
    client = await WebSocketClient.open(victim.url, query={"topic": "warm/*", "after": "earliest"}, headers=OURS)
    await client.receive()
    client.reset()


def _worse(one: Seen, other: Seen) -> Seen:
    return Seen(
        max(one.health_max, other.health_max),
        max(one.health_p99, other.health_p99),
        max(one.live_p99, other.live_p99),
        one.answers + other.answers,
        one.events + other.events,
        tuple(dict.fromkeys((*one.failures, *other.failures))),
    )
