"""The disk is not trusted to be quick, alone and in its place. The rows are those of docs/reliability.md."""

import asyncio
import errno
import json
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from service.log.sqlite.writer import QUIET_AFTER
from tests.faults.disk import Disk
from tests.support import api
from tests.support.http import Connection, Response, request
from tests.support.server import ServerProcess

Serve = Callable[..., ServerProcess]
NOTICED = 5.0
"""Seconds within which something has to show; a second is promised, on a machine that is not busy."""


async def until(condition: Callable[[], Any], what: str, within: float = NOTICED) -> None:
    """Ask until it is so."""
    deadline = time.monotonic() + within
    while not await condition():
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        await asyncio.sleep(0.02)


async def publish(url: str, n: int = 0) -> Response:
    return await request(url, "POST", "/api/events", json_body={"topic": "t", "type": "log", "data": n})


async def is_ready(url: str) -> bool:
    return (await request(url, "GET", "/api/ready")).status == 200


async def is_not_ready(url: str) -> bool:
    return not await is_ready(url)


@contextmanager
def foreign(database: Path, statement: str) -> Iterator[sqlite3.Connection]:
    """Another program, in the middle of a transaction."""
    connection = sqlite3.connect(database, isolation_level=None, timeout=0)
    try:
        connection.execute(statement)
        connection.execute("SELECT count(*) FROM events").fetchall()
        yield connection
    finally:
        connection.close()


def kept(database: Path) -> int:
    """Events in a file that nobody serves, as whoever opens it finds them."""
    connection = sqlite3.connect(database)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        (count,) = connection.execute("SELECT count(*) FROM events").fetchone()
        return int(count)
    finally:
        connection.close()


# F2, reports 5 and 36: files that are not where they were


def _rename(server: ServerProcess) -> Path:
    return server.database.rename(server.directory / "away.db")


def _rename_folder(server: ServerProcess) -> Path:
    folder = server.directory.rename(server.directory.with_name("away"))
    server.log = folder / "server.log"
    return folder / server.database.name


def _replace(server: ServerProcess) -> Path:
    """By a copy, as a restore in use does; the one in use is kept under another name."""
    old = server.directory / "old.db"
    old.hardlink_to(server.database)
    copy = server.directory / "copy.db"
    shutil.copy(server.database, copy)
    copy.replace(server.database)
    return old


def _remove_journal(server: ServerProcess) -> Path:
    Path(f"{server.database}-wal").unlink()
    return server.database


@pytest.mark.parametrize("happens", [_rename, _rename_folder, _replace, _remove_journal])
async def test_f2_nothing_is_acknowledged_that_nobody_will_find(
    serve: Serve, happens: Callable[[ServerProcess], Path]
) -> None:
    server = serve()
    acknowledged = 0
    for n in range(20):
        acknowledged += (await publish(server.url, n)).status == 201
    file = happens(server)
    answers = [await publish(server.url, n) for n in range(5)]
    assert {answer.status for answer in answers} == {503}
    assert all(answer.header("retry-after") for answer in answers)
    assert "while it was in use" in answers[0].json()["detail"]
    await until(lambda: is_not_ready(server.url), "not ready")
    ready = (await request(server.url, "GET", "/api/ready")).json()
    assert "while it was in use" in ready["checks"]["log"]
    assert len((await api.read(server.url, topic="t", after="earliest"))["events"]) == acknowledged, "reads go on"
    assert (await request(server.url, "GET", "/api/health")).status == 200

    async def is_told() -> bool:
        return "log_failed" in server.log.read_text()

    await until(is_told, "a line in the log")
    await asyncio.sleep(1.0)
    server.kill9()
    assert server.log.read_text().count("log_failed") == 1
    if happens is _replace:
        Path(f"{server.database}-wal").rename(f"{file}-wal")
    assert kept(file) == acknowledged == 20


async def test_f2_a_database_that_is_written_over_in_its_place_takes_nothing_more(serve: Serve) -> None:
    """By `cp`, with an older copy: its name and its inode are what they were."""
    server = serve()
    for n in range(20):
        assert (await publish(server.url, n)).status == 201
    copy = server.directory / "copy.db"
    shutil.copy(server.database, copy)
    for n in range(20):
        assert (await publish(server.url, n)).status == 201
    shutil.copy(copy, server.database)
    answers = [await publish(server.url, n) for n in range(5)]
    assert {answer.status for answer in answers} == {503}
    assert all(answer.header("retry-after") for answer in answers)
    assert "written over by another program" in answers[0].json()["detail"]
    await until(lambda: is_not_ready(server.url), "not ready")

    async def is_told() -> bool:
        return "log_failed" in server.log.read_text()

    await until(is_told, "a line in the log")
    assert server.stop() == 0
    assert server.log.read_text().count("log_failed") == 1


async def test_f2_a_file_that_comes_back_is_used_again(serve: Serve) -> None:
    server = serve()
    assert (await publish(server.url)).status == 201
    away = server.database.rename(server.directory / "away.db")
    assert (await publish(server.url)).status == 503
    away.rename(server.database)
    await until(lambda: is_ready(server.url), "ready again")
    assert (await publish(server.url)).status == 201
    server.kill9()
    server.start()
    assert len((await api.read(server.url, topic="t", after="earliest"))["events"]) == 2


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
async def test_report_6_one_service_a_database_whatever_it_is_called(
    serve: Serve, tmp_path: Path, link: Callable[[Path, Path], None]
) -> None:
    server = serve()
    assert (await publish(server.url)).status == 201
    other = tmp_path / "elsewhere" / "other.db"
    other.parent.mkdir()
    link(other, server.database)
    second = ServerProcess(tmp_path / "second", args=["--database", str(other)])
    with pytest.raises(AssertionError, match=r"another Twinwire holds|names \(hard links\)"):
        second.start()
    assert (await publish(server.url)).status == 201


async def test_report_7_the_journal_of_a_linked_database_is_cut(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "real" / "log.db")
    server = serve("--database", str(link))
    body = json.dumps({"topic": "t", "type": "log", "data": "x" * 60_000}).encode()
    connection, headers = await Connection.open(server.url), {"Content-Type": "application/json"}
    for _ in range(200):
        answer = await connection.request("POST", "/api/events", body=body, headers=headers)
        assert answer.status == 201
    await connection.close()
    journal = tmp_path / "real" / "log.db-wal"

    async def is_cut() -> bool:
        return journal.stat().st_size < 2 << 20

    await until(is_cut, "a checkpoint", QUIET_AFTER + NOTICED)
    assert not (tmp_path / "link.db-wal").exists()


# F1, F5: the disk is not ours alone


async def test_f1_another_programs_reading_holds_up_nobody(serve: Serve) -> None:
    server = serve()
    await api.publish_many(server.url, "t", ["x" * 2_000] * 2_000)
    with foreign(server.database, "BEGIN"):
        worst, connection = 0.0, await Connection.open(server.url)
        until_ = time.monotonic() + 3.0
        while time.monotonic() < until_:
            began = time.monotonic()
            await api.post_lines(connection, "t", ["x" * 2_000] * 50)
            worst = max(worst, time.monotonic() - began)
        await connection.close()
    assert worst < 2.0, "a checkpoint that waits for a reader takes five"

    async def is_cut() -> bool:
        return Path(f"{server.database}-wal").stat().st_size < 2 << 20

    await asyncio.sleep(0)
    deadline = time.monotonic() + 30
    while not await is_cut():
        assert time.monotonic() < deadline, "made up for"
        await asyncio.sleep(0.1)


async def test_f5_a_foreign_lock_is_told_to_all_at_once(serve: Serve) -> None:
    server = serve()
    assert (await publish(server.url)).status == 201
    with foreign(server.database, "BEGIN IMMEDIATE"):
        began = time.monotonic()
        answers = await asyncio.gather(*(publish(server.url, n) for n in range(12)))
        taken = time.monotonic() - began
        assert {answer.status for answer in answers} == {503}
        assert all(answer.header("retry-after") for answer in answers)
        assert taken < NOTICED, "one wait for the lock, and not one each"
        await until(lambda: is_not_ready(server.url), "not ready")
        assert (await request(server.url, "GET", "/api/events?topic=t&after=earliest")).status == 200
    await until(lambda: is_ready(server.url), "ready again")
    assert (await publish(server.url)).status == 201


async def test_offsets_that_another_program_has_given_end_the_writing(serve: Serve) -> None:
    server = serve()
    assert (await publish(server.url)).status == 201
    other = sqlite3.connect(server.database, isolation_level=None)
    other.execute("INSERT INTO events (offset, topic, prev, time, type, data) VALUES (2, 1, 1, 1, 'log', '1')")
    other.close()
    await until(lambda: is_not_ready(server.url), "not ready, though nobody has published")
    assert (await publish(server.url)).status == 503


# F4, F11: the disk is slow, or fails


async def fill(server: ServerProcess, topics: int, each: int) -> None:
    """Events that lie apart, and then a service that has none of them in memory."""
    for _ in range(each):
        lines = [json.dumps({"topic": f"cold/{n}", "type": "log", "data": "x" * 400}) for n in range(topics)]
        answer = await request(
            server.url, "POST", "/api/events", body="\n".join(lines).encode(), headers={"Content-Type": api.NDJSON}
        )
        assert answer.status == 201
    assert server.stop() == 0
    server.start()


async def test_f4_a_slow_disk_is_for_those_who_read_it(serve: Serve, disk: Disk) -> None:
    """At 20 ms a read a page of a cold topic takes seconds: the loop stood still for 16 s."""
    disk.set()
    server = serve(**disk.environment, TWINWIRE_TAIL_EVENTS="1")
    await fill(server, 200, 30)
    disk.set(read=0.02)
    readers = [
        asyncio.create_task(api.read_response(server.url, topic=f"cold/{n}", after="earliest", limit=1_000))
        for n in range(20)
    ]
    worst: list[float] = []
    connection = await Connection.open(server.url)
    try:
        while not all(reader.done() for reader in readers) and len(worst) < 200:
            began = time.monotonic()
            assert (await connection.request("GET", "/api/health")).status == 200
            worst.append(time.monotonic() - began)
            await asyncio.sleep(0.01)
        assert len(worst) > 20, "the disk was quick"
        slow = sum(one > 0.25 for one in worst)
        assert slow <= 2, f"{slow} of {len(worst)} took over 0.25 s, {max(worst):.2f} at most"
        disk.set()
        for reader in readers:
            assert len((await reader).json()["events"]) == 30
    finally:
        disk.set()
        await connection.close()


@pytest.mark.parametrize("fault", ["read_errno", "write_errno"])
async def test_f11_a_disk_that_fails_is_told_and_used_again(serve: Serve, disk: Disk, fault: str) -> None:
    disk.set()
    server = serve(**disk.environment, TWINWIRE_TAIL_EVENTS="1")
    await fill(server, 200, 30)
    disk.set(**{fault: errno.EIO})
    try:

        async def is_noticed() -> bool:
            if fault == "read_errno":
                answer = await api.read_response(server.url, topic="cold/7", after="earliest")
                return answer.status == 503 and await is_not_ready(server.url)
            body = "\n".join(json.dumps({"topic": "t", "type": "log", "data": "x" * 50_000}) for _ in range(100))
            answer = await request(
                server.url, "POST", "/api/events", body=body.encode(), headers={"Content-Type": api.NDJSON}
            )
            return await is_not_ready(server.url)

        await until(is_noticed, "not ready")
    finally:
        disk.set()
    await until(lambda: is_ready(server.url), "ready again")
    assert (await publish(server.url)).status == 201
    assert len((await api.read(server.url, topic="cold/7", after="earliest"))["events"]) == 30


# F16: the disk is full

SMALL = 6_144
"""KiB of a disk: two thirds of it are left beside the ballast."""

NO_RESERVE = {"TWINWIRE_DISK_RESERVE": "0"}
"""The disk is to be full to the last byte."""


async def fill_up(url: str) -> int:
    """Publish until nothing is taken any more, large or small; returns how many were."""
    taken, size = 0, 20_000
    while size:
        draft = {"topic": f"t/{taken % 5}", "type": "log", "data": "x" * size}
        if (await request(url, "POST", "/api/events", json_body=draft)).status == 201:
            taken += 1
        else:
            size //= 8
    return taken


async def trim(url: str, keep: int) -> Response:
    return await request(url, "POST", "/api/topics/trim", json_body={"topic": "t/*", "keep": keep})


async def ballast(url: str) -> tuple[float, float]:
    """Bytes of it, and how often it was spent."""
    lines = (await request(url, "GET", "/metrics")).text.splitlines()
    found = dict(line.split() for line in lines if line.startswith("twinwire_log_ballast"))
    return float(found["twinwire_log_ballast_bytes"]), float(found["twinwire_log_ballast_spent_total"])


async def test_f16_room_can_be_made_on_a_full_disk(serve: Serve, disk: Disk) -> None:
    disk.set(room=SMALL)
    server = serve(**disk.environment, **NO_RESERVE)
    url = server.url
    try:
        assert (await ballast(url))[0] > 0
        taken = await fill_up(url)
        assert taken > 50
        assert await is_not_ready(url)
        answer = await trim(url, 2)
        assert (answer.status, answer.json()) == (200, {"removed": taken - 10})
        assert await ballast(url) == (0, 1)
        await until(lambda: is_ready(url), "ready, since there is room in the database")
        size = server.database.stat().st_size
        again = await fill_up(url)
        assert again > 20
        assert server.database.stat().st_size == size, "what was freed for a trim is not published into"
        assert (await trim(url, 2)).json() == {"removed": again}, "so the next one finds it"
        server.kill9()
        server.start()
        assert await ballast(url) == (0, 0), "that it is spent outlasts the process"
        assert await fill_up(url) > 20
        assert server.database.stat().st_size == size
        disk.set()

        async def is_whole() -> bool:
            return (await ballast(url))[0] > 0

        await until(is_whole, "made again once there is room")
        assert (await publish(url)).status == 201
    finally:
        disk.set()
    assert server.stop() == 0
    assert kept(server.database) > 0


async def test_f16_retention_makes_room_on_a_full_disk_by_itself(serve: Serve, disk: Disk) -> None:
    disk.set(room=SMALL)
    rule = '[{"topics":"t/*","max_count":3}]'
    server = serve(**disk.environment, **NO_RESERVE, TWINWIRE_RETENTION=rule, TWINWIRE_RETENTION_INTERVAL="3")
    try:
        await fill_up(server.url)

        async def is_taken() -> bool:
            return (await publish(server.url)).status == 201

        await until(is_taken, "published")
    finally:
        disk.set()


async def test_f16_a_service_starts_on_a_full_disk_and_is_read(serve: Serve, disk: Disk) -> None:
    disk.set()
    server = serve(**disk.environment, **NO_RESERVE)
    await api.publish_many(server.url, "t", ["x" * 1_000] * 100)
    assert server.stop() == 0
    folder = server.database.parent
    index = 33  # KiB, of the journal: then there is none for the journal
    disk.set(room=sum(path.stat().st_size for path in folder.glob("twinwire.db*")) // 1024 + index)
    try:
        server.start()
        assert len((await api.read(server.url, topic="t", after="earliest"))["events"]) == 100
        assert (await publish(server.url)).status == 503
        answer = await request(server.url, "POST", "/api/topics/trim", json_body={"topic": "t", "keep": 1})
        assert answer.json() == {"removed": 99}
        await until(lambda: is_ready(server.url), "ready")
        assert (await publish(server.url)).status == 201
    finally:
        disk.set()


async def test_f16_a_ballast_that_cannot_be_made_stops_nobody(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "server0" / "twinwire.db.ballast").mkdir(parents=True)
    server = serve()
    assert (await publish(server.url)).status == 201
    assert (await ballast(server.url))[0] == 0
    assert server.log.read_text().count("ballast_not_made") == 1


# F17: the disk fills

RESERVED = 16_384
"""KiB of a disk, half of which is kept."""

BATCH = [{"topic": "t", "type": "log", "data": "x" * 10_000}] * 20
"""Of those, 30 reach the reserve, and do not fill the disk, however late that is noticed."""


async def left(url: str) -> float:
    """Bytes of the disk, as the service has seen them last."""
    lines = (await request(url, "GET", "/metrics")).text.splitlines()
    found = dict(line.split() for line in lines if line.startswith("twinwire_disk"))
    return float(found["twinwire_disk_free_bytes"])


async def test_f17_publishing_ends_before_the_disk_is_full_and_begins_again_by_itself(serve: Serve, disk: Disk) -> None:
    disk.set(room=RESERVED)
    server = serve(**disk.environment, TWINWIRE_DISK_RESERVE=str(RESERVED * 512))
    url = server.url

    async def is_refused() -> bool:
        nonlocal refused
        refused = await publish(url)
        return refused.status == 503

    async def is_taken() -> bool:
        return (await publish(url)).status == 201

    try:
        refused = await publish(url)
        for _ in range(30):
            await request(url, "POST", "/api/events", json_body=BATCH)
        await until(is_refused, "refused")
        assert refused.header("retry-after") == "10"
        assert "TWINWIRE_DISK_RESERVE" in refused.json()["detail"]
        assert await left(url) > RESERVED * 256, "a quarter of it is free"
        disk.set(room=RESERVED - 3_072)  # others take some: it is no question of a journal's length any more
        ready = await request(url, "GET", "/api/ready")
        assert (ready.status, ready.json()["checks"]["log"]) == (200, "ok")
        assert "bytes of the disk are left" in ready.json()["checks"]["disk"]
        assert len((await api.read(url, topic="t", after="earliest", limit=5))["events"]) == 5, "reads go on"
        answer = await request(url, "POST", "/api/topics/trim", json_body={"topic": "t", "keep": 10})
        assert answer.json()["removed"] > 400
        await until(is_taken, "taken, into what the trim has freed")
        assert (await ballast(url))[1] == 0
        server.kill9()
        server.start()
        assert await is_taken(), "a start finds what is free inside"
        disk.set(room=2 * RESERVED)

        async def is_well() -> bool:
            return bool((await request(url, "GET", "/api/ready")).json()["checks"]["disk"] == "ok")

        await until(is_well, "room on the disk")
        assert (await publish(url)).status == 201

        async def is_told() -> bool:  # by a thread of its own, a moment later
            return "disk_reserve_left" in server.log.read_text()

        await until(is_told, "the line that says so")
    finally:
        disk.set()
    told = server.log.read_text()
    assert told.count("disk_reserve_reached") == 2  # once a start
    assert told.count("disk_reserve_left") == 1
    assert "log_failed" not in told
