"""Crashes and bad disks: what was acknowledged is kept, and what cannot work says so in one line."""

import asyncio
import json
import os
import resource
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Serve
from tests.support import api
from tests.support.clients import open_stream
from tests.support.http import Connection, Response, request
from tests.support.server import ROOT, ServerProcess, run_command

PUBLISHERS = 6
JSON = {"Content-Type": "application/json"}


async def publish_until_gone(url: str, number: int, acknowledged: dict[str, int]) -> None:
    """Publish counts from `number` on, one after another, until the connection breaks."""
    connection = await Connection.open(url)
    try:
        while True:
            body = json.dumps({"topic": "kill", "type": "log", "data": number}).encode()
            response = await connection.request("POST", "/api/events", headers=JSON, body=body)
            assert response.status == 201, response.text
            acknowledged[response.json()["id"]] = number
            number += 1
    except OSError:
        connection.reset()


async def test_kill_9_while_publishing_keeps_what_was_acknowledged(serve: Serve) -> None:
    """At any instant: acknowledged is kept, delivered exists, no offset is used twice, order stays."""
    server = serve()
    acknowledged: dict[str, int] = {}
    delivered: dict[str, int] = {}
    for round_ in range(4):
        publishers = [
            asyncio.create_task(publish_until_gone(server.url, (round_ * PUBLISHERS + n) * 1_000_000, acknowledged))
            for n in range(PUBLISHERS)
        ]
        async with open_stream(server.url, "websocket", "kill") as stream:
            for event in await stream.events(50 + 37 * round_):
                delivered[event.id] = event.data
            await server.akill9()
        await asyncio.gather(*publishers)
        await server.astart()
    stored = await api.history(server.url, ["kill"])
    kept = {event["id"]: event["data"] for event in stored}
    assert len(kept) == len(stored)
    assert {cursor: kept.get(cursor) for cursor in acknowledged} == acknowledged
    assert {cursor: kept.get(cursor) for cursor in delivered} == delivered
    assert [event["prev"] for event in stored] == [None, *(event["id"] for event in stored[:-1])]
    offsets = [api.offset(event["id"]) for event in stored]
    assert offsets == list(range(1, len(offsets) + 1))


async def test_nothing_is_replayed_wrongly_right_after_a_restart(serve: Serve) -> None:
    """The head is read from the disk at start: replay, gaps and `latest` are right before anyone
    publishes.
    """
    server = serve()
    ids = await api.publish_many(server.url, "a", range(10))
    server.kill9()
    server.start()
    async with open_stream(server.url, "sse", "a", after=ids[3]) as stream:
        assert stream.connection["head"] == ids[-1]
        assert [event.id for event in await stream.events(6)] == ids[4:]
    async with open_stream(server.url, "sse", "a", after=ids[-1]) as stream:
        assert stream.connection["resumed"] is True
    assert (await api.read(server.url, topic="a"))["cursor"] == ids[-1]


async def post(url: str, data: str) -> Response:
    return await request(url, "POST", "/api/events", json_body={"topic": "full", "type": "log", "data": data})


async def test_a_full_disk_is_503_and_recovers(serve: Serve) -> None:
    """Disk full (here: RLIMIT_FSIZE) gives 503 with Retry-After, readers go on, and space ends it by
    itself.
    """
    server = serve()
    ids = [(await post(server.url, "before")).json()["id"]]
    log = server.log.stat().st_size
    limit = max(log, *(path.stat().st_size for path in server.directory.glob("twinwire.db*"))) + 128 * 1024
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    response = await post(server.url, "x" * 30_000)
    while response.status == 201:
        ids.append(response.json()["id"])
        response = await post(server.url, "x" * 30_000)
        assert len(ids) < 1000, "the limit has no effect"
    response.problem(503)
    assert int(response.header("retry-after") or "0") > 0
    assert [event["id"] for event in await api.history(server.url, ["full"])] == ids
    assert (await request(server.url, "GET", "/api/health")).status == 200
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    response = await post(server.url, "after")
    assert response.status == 201, response.text
    ids.append(response.json()["id"])
    assert [event["id"] for event in await api.history(server.url, ["full"])] == ids
    server.kill9()
    server.start()
    assert [event["id"] for event in await api.history(server.url, ["full"])] == ids


def refusal(database: Path, *args: str) -> str:
    """The one line with which `serve` refuses this database."""
    result = run_command("serve", "--port", "0", "--database", str(database), *args)
    assert result.returncode not in {0, None}
    assert "Traceback" not in result.stderr
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, result.stderr
    return lines[0]


@pytest.fixture
def database(serve: Serve) -> Path:
    """A database that a server has used and left in order."""
    server = serve()
    assert server.stop() == 0
    return server.database


def test_a_database_that_another_process_holds(database: Path) -> None:
    """Locked: says so and names the file, instead of waiting for ever."""
    code = (
        "import sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('pragma locking_mode = exclusive')\n"
        "connection.execute('begin exclusive')\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        message = refusal(database)
        holder.communicate("")
    assert "lock" in message
    assert str(database) in message


def test_a_database_that_another_server_uses(serve: Serve) -> None:
    """Two servers on one file would each believe to be the only writer: the second one is refused."""
    server = serve()
    message = refusal(server.database)
    assert str(server.database) in message
    assert server.stop() == 0


@pytest.mark.parametrize("damage", ["text", "header", "schema"])
def test_a_corrupt_database(database: Path, damage: str) -> None:
    """Corrupt: says so and names the file; the file is left as it is."""
    content = database.read_bytes()
    broken = {
        "text": b"this is no database\n" * 500,
        "header": content[:16] + b"\xff" * 84 + content[100:],
        "schema": content[:100] + b"\xff" * 3996 + content[4096:],
    }[damage]
    database.write_bytes(broken)
    message = refusal(database)
    assert str(database) in message
    assert database.read_bytes() == broken


def test_a_database_of_a_newer_version(database: Path) -> None:
    """A schema that this program does not know is not touched."""
    table = _migrations_table(database)
    with sqlite3.connect(database) as connection:
        columns = [row[1] for row in connection.execute(f"pragma table_info({table})")]
        row = list(connection.execute(f"select * from {table} order by 1 desc limit 1").fetchone())
        row[0] = 9999 if isinstance(row[0], int) else "9999_from_the_future.sql"
        connection.execute(f"insert into {table} values ({','.join('?' * len(columns))})", row)
    connection.close()
    message = refusal(database)
    assert "newer" in message
    assert str(database) in message


def _migrations_table(database: Path) -> str:
    """The table in which the service records its migrations."""
    connection = sqlite3.connect(database)
    names = [row[0] for row in connection.execute("select name from sqlite_schema where type = 'table'")]
    connection.close()
    (table,) = [name for name in names if "migration" in name]
    return str(table)


def test_an_edited_migration_is_refused(database: Path) -> None:
    """The recorded checksum and the file disagree: nobody knows what this database looks like."""
    table = _migrations_table(database)
    with sqlite3.connect(database) as connection:
        connection.execute(f"update {table} set checksum = 'edited'")
    connection.close()
    assert str(database) in refusal(database)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere; the next test covers root")
def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    """Read-only: says so."""
    directory = tmp_path / "read-only"
    directory.mkdir(mode=0o555)
    assert str(directory) in refusal(directory / "x.db")


@pytest.mark.parametrize("place", ["missing/x.db", "file/x.db", "directory"])
def test_a_place_where_no_database_can_be(tmp_path: Path, place: str) -> None:
    """No such directory, a file on the way, a directory instead of a file: one line that names the place."""
    (tmp_path / "file").write_text("")
    (tmp_path / "directory").mkdir()
    assert str(tmp_path) in refusal(tmp_path / place)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A copy of hypercorn.toml to be spoiled."""
    path = tmp_path / "hypercorn.toml"
    path.write_text((ROOT / "hypercorn.toml").read_text())
    return path


def test_the_shipped_configuration_passes_the_check(config: Path, tmp_path: Path) -> None:
    """`twinwire check` says that all is well with the file as it is shipped."""
    result = run_command("check", "--config", str(config), "--database", str(tmp_path / "x.db"))
    assert result.returncode == 0, result.stderr


def test_an_unknown_key_is_refused(config: Path, tmp_path: Path) -> None:
    """Hypercorn accepts an unknown key in silence; `serve` and `check` name it."""
    config.write_text("keep_alive_time_out = 65\n" + config.read_text())
    message = refusal(tmp_path / "x.db", "--config", str(config))
    assert "keep_alive_time_out" in message
    result = run_command("check", "--config", str(config), "--database", str(tmp_path / "x.db"))
    assert result.returncode != 0
    assert "keep_alive_time_out" in result.stderr + result.stdout


def test_more_than_one_worker_is_refused(config: Path, tmp_path: Path) -> None:
    """Each worker would have a bus of its own, and half of the clients would hear nothing."""
    lines = [line for line in config.read_text().splitlines() if not line.startswith("workers")]
    config.write_text("\n".join(["workers = 2", *lines]))
    message = refusal(tmp_path / "x.db", "--config", str(config))
    assert "workers" in message


def test_a_configuration_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file or bad TOML ends with one line that names the file."""
    broken = tmp_path / "broken.toml"
    broken.write_text("bind = [")
    for path in (broken, tmp_path / "missing.toml"):
        assert str(path) in refusal(tmp_path / "x.db", "--config", str(path))


async def test_a_clean_stop_leaves_one_file(serve: Serve) -> None:
    """After a drain everything is in the database file: it can be copied as it is."""
    server: ServerProcess = serve()
    ids = await api.publish_many(server.url, "a", range(100))
    assert server.stop() == 0
    connection = sqlite3.connect(f"file:{server.database}?mode=ro", uri=True)
    assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
    connection.close()
    wal = server.database.with_name(server.database.name + "-wal")
    assert not wal.exists() or wal.stat().st_size == 0
    server.start()
    assert [event["id"] for event in await api.history(server.url, ["a"])] == ids
