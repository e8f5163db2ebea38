"""What earlier runs have left is sent by the next one, each once, whoever else is at it."""

import asyncio
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tests.support.reported import PROJECT, Fault, Reported
from tests.support.spools import new_spool
from twinwire.errors import TwinwireError
from twinwire.running.folder import earlier
from twinwire.running.leftovers import Leftovers
from twinwire.running.markers import Stage
from twinwire.running.reports import AGO_MAX, Reports
from twinwire.running.sender import Sender
from twinwire.running.spool import ABOUT, MARKS, OUTPUT, SENT, About, End, Mark, Spool

Asked = Callable[[], Reports]


def left(folder: Path, url: str, text: bytes, *, is_killed: bool = False) -> Path:
    spool = new_spool(folder, url=url)
    spool.append(text)
    if not is_killed:
        spool.finish(End(0))
    spool.close()
    return spool.path


async def test_all_of_it_once(tmp_path: Path, service: Reported, asked: Asked) -> None:
    left(tmp_path, service.url, b"one")
    left(tmp_path, service.url, b"two", is_killed=True)
    elsewhere = left(tmp_path, "http://elsewhere", b"three")
    own, held = new_spool(tmp_path, url=service.url), new_spool(tmp_path, url=service.url)
    (tmp_path / "half").mkdir()
    (left(tmp_path, service.url, b"odd") / ABOUT).write_text("{")
    several = [Leftovers(tmp_path, service.url, own.about.key, asked()) for _ in range(3)]
    await asyncio.gather(*(one.send() for one in several))
    assert sum(one.sent for one in several) == 2
    assert sorted((run.log, run.end) for run in service.runs) == [
        (b"one", {"exit": 0, "signal": None}),
        (b"two", {"exit": None, "signal": None}),
    ]
    assert {elsewhere, own.path, held.path} < set(earlier(tmp_path))
    assert len(earlier(tmp_path)) == 4


async def test_it_took_as_long_as_it_took(tmp_path: Path, service: Reported, asked: Asked) -> None:
    """However late that is sent; who was killed ended when he put something out last."""
    now = time.time()
    for started, took, is_killed in ((3_600.0, 600.0, False), (7_200.0, 1_800.0, True), (9e6, 9e5, False)):
        path = left(tmp_path, service.url, b"x", is_killed=is_killed)
        about = msgspec.json.decode((path / ABOUT).read_bytes(), type=About)
        (path / ABOUT).write_bytes(msgspec.json.encode(msgspec.structs.replace(about, started=now - started)))
        if not is_killed:
            (path / MARKS).write_bytes(msgspec.json.encode(Mark(1, end=End(0), after=took)) + b"\n")
        for name in (ABOUT, OUTPUT, MARKS):
            os.utime(path / name, (now, now - started + took))
    await Leftovers(tmp_path, service.url, "", asked()).send()
    begun = [body["ago"] for path, body in service.requests if path.endswith("/runs")]
    ended = [item["at"] for run in service.runs for item in run.items if "end" in item]
    assert sorted(zip(begun, ended, strict=True)) == [
        (pytest.approx(3_600, abs=60), 600.0),
        (pytest.approx(7_200, abs=60), pytest.approx(1_800, abs=0.01)),
        (AGO_MAX, 9e5),
    ]


@pytest.mark.parametrize("seed", range(12))
async def test_after_a_power_cut_it_ends_with_nothing_twice(
    tmp_path: Path, service: Reported, asked: Asked, seed: int
) -> None:
    """Which has taken the end of each file, some more than what the service has by then."""
    draw = random.Random(seed)
    service.limits = service.limits | {"body": 15_000}
    requests = [draw.randrange(1, 7)]

    def fault(method: str, path: str) -> Fault:
        requests[0] -= 1
        return None if requests[0] >= 0 else 401

    service.fault = fault
    spool = new_spool(tmp_path, url=service.url)
    written = b""
    for number in range(12):
        text = f"{number} ".encode() + b"x" * draw.choice([4_000, 7_000]) + b"\n"
        spool.append(text, [(draw.randrange(len(text)), Stage(f"s{number}"))])
        written += text
    spool.finish(End(0))
    with pytest.raises(TwinwireError):
        await Sender(spool, asked()).send()
    spool.close()
    for name in (OUTPUT, MARKS, SENT):
        if (spool.path / name).exists() and draw.random() < 0.7:
            os.truncate(spool.path / name, draw.randrange((spool.path / name).stat().st_size + 1))
    left_over = (spool.path / OUTPUT).read_bytes()
    service.fault = lambda method, path: None
    leftovers = Leftovers(tmp_path, service.url, "", asked())
    await leftovers.send()
    (run,) = service.runs
    assert leftovers.sent == 1
    assert run.end in ({"exit": 0, "signal": None}, {"exit": None, "signal": None})
    assert written.startswith(run.log)
    assert run.of("stage") == [f"s{number}" for number in range(len(run.of("stage")))]
    if leftovers.told:
        assert str(spool.path / OUTPUT) in leftovers.told[0]
        assert (spool.path / OUTPUT).read_bytes() == left_over
    else:
        assert len(run.log) >= len(left_over)
        assert list(tmp_path.iterdir()) == []


async def test_what_is_too_long_stays_in_its_file(tmp_path: Path, service: Reported, asked: Asked) -> None:
    service.limits = service.limits | {"bytes": 100_000}
    path = left(tmp_path, service.url, b"0123456\n" * 30_000)
    await Leftovers(tmp_path, service.url, "", asked()).send()
    assert [one.name for one in path.iterdir()] == [OUTPUT]
    assert service.runs[0].of("cut")[0]["file"] == str(path / OUTPUT)
    await Leftovers(tmp_path, service.url, "", asked()).send()
    assert len(service.runs) == 1


async def test_what_is_never_taken_is_dropped_and_told(tmp_path: Path, service: Reported, asked: Asked) -> None:
    left(tmp_path, service.url, b"one")
    left(tmp_path, service.url, b"two")
    service.fault = lambda method, path: 422
    leftovers = Leftovers(tmp_path, service.url, "", asked())
    await leftovers.send()
    assert leftovers.told == ["an earlier run of tests (make test) is dropped: 422 Trouble: it is 422"] * 2
    assert list(tmp_path.iterdir()) == []


async def test_with_a_token_that_may_not_it_waits(tmp_path: Path, service: Reported, asked: Asked) -> None:
    path = left(tmp_path, service.url, b"one")
    left(tmp_path, service.url, b"two")
    service.fault = lambda method, path: 403
    leftovers = Leftovers(tmp_path, service.url, "", asked())
    await leftovers.send()
    assert leftovers.waiting == f"earlier runs wait in {tmp_path}: 403 Trouble: it is 403"
    assert leftovers.told == []
    Spool(path).close()
    service.fault = lambda method, path: None
    await leftovers.send()
    assert leftovers.sent == 2


async def test_while_its_files_can_not_be_written_it_waits(tmp_path: Path, service: Reported, asked: Asked) -> None:
    path = left(tmp_path, service.url, b"one")
    (path / SENT).mkdir()
    leftovers = Leftovers(tmp_path, service.url, "", asked())
    await leftovers.send()
    assert leftovers.waiting == f"earlier runs wait in {tmp_path}: Is a directory"
    assert leftovers.told == []
    (path / SENT).rmdir()
    await leftovers.send()
    assert leftovers.sent == 1


async def test_what_one_project_refuses_holds_up_no_other(tmp_path: Path, service: Reported, asked: Asked) -> None:
    left(tmp_path, service.url, b"one")
    left(tmp_path, service.url, b"two")
    refused: list[str] = []
    service.fault = lambda method, path: 403 if len(refused) < 1 and refused.append(path) is None else None
    leftovers = Leftovers(tmp_path, service.url, "", asked())
    await leftovers.send()
    assert (leftovers.sent, len(service.runs), len(earlier(tmp_path))) == (1, 1, 1)


async def test_a_name_that_means_another_project_by_now(tmp_path: Path, service: Reported, asked: Asked) -> None:
    """What was begun in one goes on there."""
    spool = new_spool(tmp_path, url=service.url)
    spool.append(b"one")
    spool.finish(End(0))
    spool.settle(PROJECT)
    spool.close()
    service.projects = {"tests": "other", "before": PROJECT}
    await Leftovers(tmp_path, service.url, "", asked()).send()
    runs = f"/api/projects/{PROJECT}/runs"
    assert {path for path, _ in service.requests} == {runs, f"{runs}/1/reports"}
