"""A run reaches the service whole, in order and once, whatever is in the way; what no waiting helps with ends it."""

import asyncio
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.support.reported import PROJECT, Fault, Reported
from tests.support.spools import new_spool
from tests.unit.twinwire.running.conftest import QUICK
from twinwire.errors import TwinwireError
from twinwire.running.markers import Progress, Stage
from twinwire.running.planning import Item
from twinwire.running.reports import Answer, Reports, Run
from twinwire.running.sender import Sender
from twinwire.running.spool import OUTPUT, End, Spool

Asked = Callable[[], Reports]


def a_sender(spool: Spool, asked: Asked, alive: float = 20.0) -> Sender:
    return Sender(spool, asked(), timing=QUICK, alive=alive)


def fill(spool: Spool, draw: random.Random, count: int) -> bytes:
    """With a command's output, and its end."""
    written = b""
    for number in range(count):
        text = "".join(draw.choice("ab\u00e4\n") for _ in range(draw.choice([5, 30_000]))).encode()
        spool.append(text, [(len(text), Stage(f"s{number}"))])
        written += text
    spool.finish(End(0))
    return written


@pytest.mark.parametrize("seed", range(6))
async def test_once_over_lost_answers_and_cuts_and_refusals(
    tmp_path: Path, service: Reported, asked: Asked, seed: int
) -> None:
    draw = random.Random(seed)
    service.fault = lambda method, path: draw.choice([None, None, "before", "after", 429, 500, 502, 503])
    spool = new_spool(tmp_path)
    written = fill(spool, draw, 20)
    await a_sender(spool, asked).send()
    (run,) = service.runs
    assert run.log == written
    assert run.of("stage") == [f"s{number}" for number in range(20)]
    assert run.end == {"exit": 0, "signal": None}
    assert run.items[-1]["end"] == run.end


class KilledError(BaseException):
    """What no handler sees."""


class Mortal(Reports):
    """Dies now and then, before something was sent or after."""

    def __init__(self, reports: Reports, draw: random.Random) -> None:
        super().__init__(reports._http)
        self._draw = draw

    async def send(self, run: Run, first: int, items: Sequence[Item]) -> Answer:
        if self._draw.random() < 0.2:
            raise KilledError
        answer = await super().send(run, first, items)
        if self._draw.random() < 0.2:
            raise KilledError
        return answer


@pytest.mark.parametrize("seed", range(6))
async def test_whoever_is_killed_is_followed_by_one_who_goes_on(
    tmp_path: Path, service: Reported, asked: Asked, seed: int
) -> None:
    """And a service that has forgotten all of it, or a part, is told that again."""
    draw = random.Random(seed)
    service.limits = service.limits | {"body": 20_000}
    spool = new_spool(tmp_path)
    written = fill(spool, draw, 12)
    kills = 0
    while True:
        try:
            await Sender(spool, Mortal(asked(), draw), timing=QUICK).send()
            break
        except KilledError:
            kills += 1
        spool.close()
        spool = Spool(spool.path)
        if draw.random() < 0.1:
            service.runs.clear()
    (run,) = service.runs
    assert kills
    assert run.log == written
    assert run.of("stage") == [f"s{number}" for number in range(12)]
    assert len(run.of("end")) == 1


async def test_live_lines_come_together(tmp_path: Path, service: Reported, asked: Asked) -> None:
    spool = new_spool(tmp_path)
    sending = asyncio.create_task(a_sender(spool, asked).send())
    await asyncio.to_thread(service.wait, lambda: service.runs)
    before = len(service.requests)
    for number in range(2_000):
        spool.append(b"%d\n" % number, [(1, Progress(number // 20))])
    await asyncio.to_thread(service.wait, lambda: service.runs[0].log.endswith(b"1999\n"))
    assert len(service.requests) - before <= 3
    spool.finish(End(0))
    await sending
    assert service.runs[0].of("progress")[-1] == 99
    assert sum("output" in item for item in service.runs[0].items) < 5


async def test_silence_is_told_to_be_no_end(tmp_path: Path, service: Reported, asked: Asked) -> None:
    spool = new_spool(tmp_path)
    sending = asyncio.create_task(a_sender(spool, asked, alive=0.01).send())
    await asyncio.to_thread(service.wait, lambda: service.runs and len(service.runs[0].of("alive")) >= 3)
    spool.append(b"late\n")
    spool.finish(End(1))
    await sending
    assert service.runs[0].log == b"late\n"
    assert service.runs[0].end == {"exit": 1, "signal": None}


async def test_a_cancelled_run_is_told_once(tmp_path: Path, service: Reported, asked: Asked) -> None:
    spool = new_spool(tmp_path)
    sender = a_sender(spool, asked, alive=0.01)
    cancelled: list[bool] = []
    sender.cancel = lambda: cancelled.append(True)
    sending = asyncio.create_task(sender.send())
    await asyncio.to_thread(service.wait, lambda: service.runs)
    service.runs[0].is_cancelled = True
    before = len(service.requests)
    await asyncio.to_thread(service.wait, lambda: len(service.requests) > before + 3)
    spool.finish(End(None, "SIGTERM"))
    await sending
    assert cancelled == [True]


@pytest.mark.parametrize("status", [401, 403, 422, 404, 409])
async def test_what_no_waiting_helps_with(tmp_path: Path, service: Reported, asked: Asked, status: int) -> None:
    spool = new_spool(tmp_path)
    service.fault = lambda method, path: status if path.endswith("reports") else None
    fill(spool, random.Random(0), 1)
    with pytest.raises(TwinwireError, match=f"it is {status}"):
        await a_sender(spool, asked).send()
    assert len(service.requests) <= 10
    service.fault = lambda method, path: status
    with pytest.raises(TwinwireError, match=f"it is {status}"):
        await a_sender(spool, asked).send()


async def test_the_service_says_when(tmp_path: Path, service: Reported, asked: Asked) -> None:
    spool = new_spool(tmp_path)
    fill(spool, random.Random(0), 1)
    tried: list[str] = []
    service.fault, service.retry_after = lambda method, path: tried.append(path) or 429, "600"
    sender = a_sender(spool, asked)
    sending = asyncio.create_task(sender.send())
    async with asyncio.timeout(20):
        while not sender.trouble:
            await asyncio.sleep(0.001)
    await asyncio.sleep(0.1)  # fifty times as long as it would wait by itself
    sending.cancel()
    await asyncio.wait([sending])
    assert len(tried) == 1
    assert sender.trouble == "429 Trouble: it is 429"


async def test_more_than_the_service_takes(tmp_path: Path, service: Reported, asked: Asked) -> None:
    """Also if it takes less than it has said, and of something on the way that takes less yet."""
    spool = new_spool(tmp_path)
    service.most = 250_000
    spool.append(b"0123456\n" * 60_000)
    spool.finish(End(0))
    sender = a_sender(spool, asked)
    await sender.send()
    (run,) = service.runs
    (cut,) = run.of("cut")
    assert cut["file"] == str(spool.path / OUTPUT)
    assert cut["bytes"] == sender.cut == 480_000 - len(run.log)
    assert run.log == (b"0123456\n" * 60_000)[: len(run.log)]
    assert run.end == {"exit": 0, "signal": None}


async def test_something_on_the_way_takes_small_requests(tmp_path: Path, service: Reported, asked: Asked) -> None:
    spool = new_spool(tmp_path)
    written = fill(spool, random.Random(1), 12)
    sizes: list[int] = []
    service.limits = service.limits | {"body": 100_000}
    state = {"count": 0}

    def fault(method: str, path: str) -> Fault:
        state["count"] += path.endswith("reports")
        return 413 if path.endswith("reports") and state["count"] <= 3 else None

    service.fault = fault
    await a_sender(spool, asked).send()
    assert service.runs[0].log == written
    sizes = [sum(len(item.get("output", "")) for item in body.get("items", ())) for _, body in service.requests]
    assert 0 < max(sizes) <= 100_000 // 8


async def test_a_service_that_has_more_than_this_machine(tmp_path: Path, service: Reported, asked: Asked) -> None:
    spool = new_spool(tmp_path)
    fill(spool, random.Random(0), 1)
    await a_sender(spool, asked).send()
    (spool.path / "sent.jsonl").write_bytes(b"")
    with pytest.raises(ValueError, match="not known"):
        await a_sender(spool, asked).send()
    assert service.projects == {"tests": PROJECT}
