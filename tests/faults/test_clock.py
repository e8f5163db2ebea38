"""The calendar is set while the service runs, and between two runs (F13, report 18)."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from tests.faults.disk import Disk
from tests.support import api
from tests.support.http import request
from tests.support.server import ServerProcess

Serve = Callable[..., ServerProcess]
YEAR = 365 * 86_400
NOTICED = 5.0


async def time_of_an_event(url: str) -> float:
    id = await api.publish(url, "t", 1)
    (event,) = [one for one in (await api.read(url, topic="t", after="earliest"))["events"] if one["id"] == id]
    return datetime.fromisoformat(event["time"]).timestamp()


async def check(url: str) -> tuple[int, str]:
    answer = await request(url, "GET", "/api/ready")
    return answer.status, answer.json()["checks"]["clock"]


async def confirm(url: str) -> Any:
    answer = await request(url, "POST", "/api/clock/confirm")
    assert answer.status == 200
    return answer.json()["moved"]


@pytest.mark.parametrize("jump", [-YEAR, -3_600, 3_600, 10 * YEAR])
async def test_f13_a_calendar_that_jumps_is_told_and_not_believed(serve: Serve, disk: Disk, jump: int) -> None:
    disk.set()
    server = serve(**disk.environment, TWINWIRE_RETENTION='[{"max_age":1000}]', TWINWIRE_RETENTION_INTERVAL="0.25")
    assert abs(await time_of_an_event(server.url) - time.time()) < NOTICED
    assert await check(server.url) == (200, "ok")
    disk.set(calendar=jump)
    try:
        assert abs(await time_of_an_event(server.url) - time.time()) < NOTICED
        status, told = await check(server.url)
        assert status == 200, "no reason to send clients elsewhere"
        assert ("ahead" if jump > 0 else "behind") in told
        lines = (await request(server.url, "GET", "/metrics")).text.splitlines()
        (doubt,) = [float(line.split()[1]) for line in lines if line.startswith("twinwire_clock_doubt_seconds ")]
        assert abs(doubt - jump) < NOTICED
        await asyncio.sleep(1.0)  # some passes of retention
        assert len((await api.read(server.url, topic="t", after="earliest"))["events"]) == 2, "nothing was old"
        assert server.log.read_text().count("clock_doubted") == 1
    finally:
        disk.set()
    assert await check(server.url) == (200, "ok")
    assert abs(await time_of_an_event(server.url) - time.time()) < NOTICED


async def test_f13_an_operator_who_knows_says_that_it_is_right(serve: Serve, disk: Disk) -> None:
    disk.set(calendar=-YEAR)  # a machine that has not found the network yet
    server = serve(**disk.environment)
    try:
        assert abs(await time_of_an_event(server.url) - (time.time() - YEAR)) < NOTICED
        disk.set()
        assert (await check(server.url))[1] != "ok"
        assert abs(await confirm(server.url) - YEAR) < NOTICED
        assert abs(await time_of_an_event(server.url) - time.time()) < NOTICED
        assert await check(server.url) == (200, "ok")
        disk.set(calendar=-3_600)
        assert abs(await confirm(server.url) + 3_600) < NOTICED
        assert abs(await time_of_an_event(server.url) - (time.time() - 3_600)) < NOTICED, "back, once"
    finally:
        disk.set()


async def test_report_18_a_log_from_the_future_is_noticed_at_the_start(serve: Serve, disk: Disk) -> None:
    disk.set(calendar=10 * YEAR)
    server = serve(**disk.environment)
    try:
        await time_of_an_event(server.url)
        assert server.stop() == 0
        disk.set()
        server.start()
        status, told = await check(server.url)
        assert (status, "behind" in told) == (200, True)
        assert abs(await time_of_an_event(server.url) - (time.time() + 10 * YEAR)) < NOTICED
        await confirm(server.url)
        assert abs(await time_of_an_event(server.url) - time.time()) < NOTICED
        page = await api.read(server.url, topic="t", after="earliest")
        assert len(page["events"]) == 3
    finally:
        disk.set()
