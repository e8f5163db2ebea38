"""A backup of a service that is published to as fast as the machine gives, put back, and looked at by its clients."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from tests.e2e.conftest import Serve
from tests.support import api
from tests.support.bearers import KEYS, ask, token
from tests.support.clients import TRANSPORTS, open_stream
from tests.support.http import Connection
from tests.support.server import ServerProcess, run_command

BATCHES: Final = (1, 1, 50, 200)
"""Events of each publish, of as many publishers."""

KNOWN: Final = 20_000
"""Events that are there before the publishers begin: the backup takes some looks."""


class Load:
    """What was acknowledged so far: the id of each event by its number."""

    def __init__(self) -> None:
        self.acknowledged: dict[int, str] = {}
        self._next = 0

    async def publish(self, url: str, publisher: int, size: int) -> None:
        connection = await Connection.open(url)
        try:
            while True:
                numbers = range(self._next, self._next + size)
                self._next += size
                ids = await api.post_lines(connection, f"load/{publisher}/{self._next % 7}", numbers)
                self.acknowledged.update(zip(numbers, ids, strict=True))
        finally:
            await connection.close()

    async def reach(self, events: int) -> None:
        while len(self.acknowledged) < events:
            await asyncio.sleep(0.01)


@asynccontextmanager
async def under_load(url: str) -> AsyncIterator[Load]:
    load = Load()
    tasks = [asyncio.create_task(load.publish(url, n, size)) for n, size in enumerate(BATCHES)]
    try:
        yield load
        assert not any(task.done() for task in tasks), [task.exception() for task in tasks if task.done()]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def run(*args: str) -> tuple[str, str]:
    """What a command that succeeds says, on standard output and on standard error."""
    done = run_command(*args)
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout, done.stderr


def restored(tmp_path: Path, backup: Path, *flags: str, **env: str) -> ServerProcess:
    """A service that is not started yet, with the backup in the place of its database."""
    server = ServerProcess(tmp_path / "restored", env=env)
    run("restore", str(backup), "--database", str(server.database), *flags)
    return server


async def test_all_that_was_acknowledged_before_is_in_it(serve: Serve, tmp_path: Path) -> None:
    server = serve(tail_events="100")
    await api.publish_many(server.url, "known", ["x" * 200] * KNOWN, batch=2_000)
    backup = tmp_path / "backup.db"
    async with under_load(server.url) as load:
        await load.reach(1_000)
        before = dict(load.acknowledged)
        said, progress = await asyncio.to_thread(run, "backup", str(backup), "--database", str(server.database))
        after = len(load.acknowledged)
        await load.reach(after + 1)  # and it is published to as before
        old = max(load.acknowledged.values(), key=api.offset)
    assert after > len(before), "nothing was published meanwhile"
    assert f"{backup}: " in said
    assert "copying: 100 %" in progress
    verified, _ = run("verify", str(backup))
    assert f"{backup} is whole" in verified
    assert server.stop() == 0
    with restored(tmp_path, backup) as again:
        events = await api.history(again.url, ["load/**"])
        kept = {event["data"]: event["id"].rpartition("-")[2] for event in events}
        assert len(kept) == len(events)
        offsets = {number: id.rpartition("-")[2] for number, id in before.items()}
        assert {number: kept.get(number) for number in offsets} == offsets
        assert len(await api.history(again.url, ["known"])) == KNOWN
        await is_chained(events)
        for transport in TRANSPORTS:
            async with open_stream(again.url, transport, "load/**", after=old) as stream:
                gap = await stream.gap()
                assert gap is not None
                assert (gap["reason"], gap["requested"]) == ("epoch", old)
                assert len(await stream.events(10)) == 10, "and what is kept comes"
        cursor = await api.publish(again.url, "load/new", 1)
        assert cursor.partition("-")[0] != old.partition("-")[0]
        assert again.stop() == 0
        assert again.faults() == []
    assert "is whole" in run("verify", "--database", str(again.database))[0]


async def is_chained(events: list[dict[str, Any]]) -> None:
    newest: dict[str, str | None] = {}
    for event in events:
        assert event["prev"] == newest.get(event["topic"]), event
        newest[event["topic"]] = event["id"]


async def test_trims_and_retention_meanwhile_leave_no_hole(serve: Serve, tmp_path: Path) -> None:
    """What is in it is one state of the log, whatever goes while it is copied."""
    rule = json.dumps([{"topics": "load/3/*", "max_count": 50}])
    server = serve(tail_events="100", retention=rule, retention_interval="0.3")
    await api.publish_many(server.url, "known", ["x" * 200] * KNOWN, batch=2_000)
    async with under_load(server.url) as load:
        await load.reach(1_000)
        backup = asyncio.create_task(
            asyncio.to_thread(run, "backup", str(tmp_path / "b.db"), "--database", str(server.database))
        )
        keep = KNOWN
        while not backup.done():
            keep = max(10, keep - 500)
            await api.trim(server.url, "known", keep)
            await api.trim(server.url, "load/2/*", 20)
        await backup
    assert server.stop() == 0
    said, _ = run("verify", str(tmp_path / "b.db"))
    assert "is whole" in said
    with restored(tmp_path, tmp_path / "b.db") as again:
        assert len(await api.history(again.url)) > 0
        assert again.stop() == 0


async def test_what_was_revoked_since_is_told_and_revoked_anew(serve: Serve, tmp_path: Path) -> None:
    server = serve(token_keys=KEYS)
    ada, root = token("ada", subscribe=["a"]), token("root", admin=True)

    async def may_read(url: str, text: str) -> bool:
        return (await ask(url, "GET", "/api/events?topic=a", text)).status == 200

    backup = tmp_path / "backup.db"
    run("backup", str(backup), "--database", str(server.database))
    assert (await ask(server.url, "POST", "/api/auth/revoke", root, {"sub": "ada"})).status == 200
    assert not await may_read(server.url, ada)
    server.kill9()
    database = ("--database", str(server.database))
    refused = run_command("restore", str(backup), *database)
    assert refused.returncode == 1
    assert "--force" in refused.stderr
    _, told = run("restore", str(backup), *database, "--force")
    assert "tokens that were revoked after the backup was made are good again" in told
    server.start()
    assert await may_read(server.url, ada)
    assert server.stop() == 0
    said, told = run("restore", str(backup), *database, "--force", "--revoke-all")
    assert "every token that was issued so far is revoked" in said
    assert "good again" not in told
    assert "is whole" in run("verify", *database)[0]
    server.start()
    assert not await may_read(server.url, ada)
    assert not await may_read(server.url, root)
    assert server.faults() == []


async def test_a_running_services_files_are_left_alone(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    id = await api.publish(server.url, "a", 1)
    database = ("--database", str(server.database))
    backup = tmp_path / "backup.db"
    run("backup", str(backup), *database)
    for args in (
        ("backup", str(server.database)),
        ("backup", f"{server.database}-wal"),
        ("backup", str(backup)),
        ("restore", str(backup), "--force"),
        ("restore", str(server.database), "--force"),
    ):
        done = run_command(*args, *database)
        assert done.returncode == 1, args
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "another Twinwire holds" in run_command("restore", str(backup), "--force", *database).stderr
    assert [event["id"] for event in await api.history(server.url, ["a"])] == [id]
    assert "is whole" in run("verify", *database)[0], "of a service that runs"


async def test_a_damaged_backup_is_told_by_status(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    await api.publish_many(server.url, "a", range(500))
    run("backup", str(tmp_path / "b.db"), "--database", str(server.database))
    with (tmp_path / "b.db").open("r+b") as file:
        file.seek(5 * 4096)
        file.write(b"\xff" * 4096)
    done = run_command("verify", str(tmp_path / "b.db"))
    assert done.returncode == 1
    assert "damaged" in done.stdout or "corrupt" in done.stderr
    assert "Traceback" not in done.stderr
