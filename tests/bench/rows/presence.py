"""Members: what each costs while nothing happens, what joins cost who looks on, and two hundred cursors."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Final, Self

from tests.bench.measure import Context, Row, Sample
from tests.bench.process import CLIENT_CORE, ROOT, pin
from tests.bench.servers import Twinwire

MEMBERS: Final = 10_000
MEMBER_BYTES: Final = 600.0
IDLE_PERCENT: Final = 2.0
JOINS: Final = 1_000
WATCHERS: Final = 20
JOIN_FRAMES: Final = 8.0
PEOPLE: Final = 200
MOVES: Final = 10.0
"""Of a cursor, each second."""

PLENTY: Final = {"TWINWIRE_CALLER_MEMBERS": "50000"}
"""All of them come from one address here, without a subject."""


class Crowd:
    """The program of `crowd.py`: `with Crowd(...) as one: ...; one.go_on(); one.result()`."""

    def __init__(self, ours: Twinwire, verb: str, *numbers: float) -> None:
        told = [f"{number:g}" for number in numbers]
        self._command = [sys.executable, "-m", "tests.bench.crowd", verb, str(ours.process.port), *told]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=pin(CLIENT_CORE),
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line == "ready\n", f"{self._command[3]}: {line!r}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    def result(self) -> Mapping[str, Any]:
        """Let it go on, and wait for its end."""
        out, _ = self._process.communicate("go on\n", timeout=300)
        assert self._process.returncode == 0, f"{self._command[3]} failed"
        return dict(json.loads(out.splitlines()[-1]))


def rows(context: Context) -> Iterator[Row]:
    yield from _idle(context)
    yield _joins(context)
    yield from _cursors(context)


def _idle(context: Context) -> Iterator[Row]:
    """The same connections without members are the reference: what they cost is no member's."""
    memory: list[Sample] = []
    idle: list[Sample] = []
    for _ in context.rounds("idle members"):
        with_members, without = (_round(context, is_present=one) for one in (True, False))
        memory.append(Sample(with_members[0] / MEMBERS, without[0] / MEMBERS, (with_members[0] - without[0]) / MEMBERS))
        idle.append(Sample(with_members[1], without[1], with_members[1] - without[1]))
    what = f"{MEMBERS:,} members on {MEMBERS // 25} connections"
    yield Row(
        "presence-memory",
        what,
        "bytes a member over the same connections without any",
        "B",
        "at most",
        MEMBER_BYTES,
        memory,
    )
    yield Row(
        "presence-idle",
        what,
        "% of a core over the same connections without any",
        "%",
        "at most",
        IDLE_PERCENT,
        idle,
        calibrated=True,
    )


def _round(context: Context, *, is_present: bool) -> tuple[float, float]:
    """Bytes over the idle process, and per cent of a core."""
    ours = context.twinwire(PLENTY)
    seconds = max(20.0, context.scale.heartbeat_seconds / 2)
    with ours.process as process:
        before = process.memory()
        with Crowd(ours, "members", MEMBERS, is_present) as crowd:
            time.sleep(context.scale.idle_settle)
            process.settle()
            used = process.memory() - before
            spent = process.cpu_seconds()
            time.sleep(seconds)
            spent = process.cpu_seconds() - spent
            crowd.result()
    return used, 100 * spent / seconds


def _joins(context: Context) -> Row:
    samples: list[Sample] = []
    details: list[Mapping[str, Any]] = []
    for _ in context.rounds("joins"):
        ours = context.twinwire(PLENTY)
        with ours.process, Crowd(ours, "joins", JOINS, WATCHERS) as crowd:
            found = crowd.result()
        samples.append(Sample.alone(found["frames"]))
        details.append(found)
    what = f"{JOINS:,} members join one place within a second, {WATCHERS} watchers"
    return Row("presence-joins", what, "frames a watcher", "", "at most", JOIN_FRAMES, samples, {"rounds": details})


def _cursors(context: Context) -> Iterator[Row]:
    """Nobody has promised anything of these: the bound is what they all send, each to all others."""
    frames: list[Sample] = []
    sizes: list[Sample] = []
    cpu: list[Sample] = []
    details: list[Mapping[str, Any]] = []
    seconds = max(5.0, context.scale.latency_seconds)
    for _ in context.rounds("cursors"):
        ours = context.twinwire(PLENTY)
        with ours.process as process, Crowd(ours, "cursors", PEOPLE, MOVES, seconds) as crowd:
            process.settle()
            spent, began = process.cpu_seconds(), time.monotonic()
            found = crowd.result()
            spent = (process.cpu_seconds() - spent) / (time.monotonic() - began)
        frames.append(Sample.alone(found["frames"]))
        sizes.append(Sample.alone(found["bytes"] / 1024))
        cpu.append(Sample.alone(100 * spent))
        details.append(found)
    what = f"{PEOPLE} people at one place, each moves a cursor {MOVES:g} times a second"
    most = PEOPLE * MOVES
    told = {"rounds": details}
    yield Row("presence-cursors-frames", what, "frames a second and client", "1/s", "at most", most, frames, told)
    yield Row("presence-cursors-bytes", what, "KiB a second and client", "KiB/s", "at most", most / 4, sizes)
    yield Row("presence-cursors-cpu", what, "% of the server's core", "%", "at most", 100.0, cpu, calibrated=True)
