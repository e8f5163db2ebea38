"""A backup and a restore on a disk that is full, and killed in the middle: nothing half of them looks whole."""

import asyncio
import hashlib
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.faults.disk import Disk
from tests.support import api
from tests.support.server import ROOT, ServerProcess, command, environment, run_command

Serve = Callable[..., ServerProcess]

EVENTS: Final = 3_000
SLOW: Final = 0.02
"""Seconds that each read of a database takes longer: a run takes long enough to be killed."""


async def fill(server: ServerProcess) -> None:
    await api.publish_many(server.url, "t", ["x" * 400] * EVENTS, batch=1_000)


@contextmanager
def begun(*args: str, **env: str) -> Iterator["subprocess.Popen[str]"]:
    """A command that has said how far it is, and goes on."""
    with subprocess.Popen(
        command(*args), env=environment(env), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        try:
            line = process.stderr.readline()
            assert "copying" in line, line
            yield process
        finally:
            process.kill()


def part_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.twinwire-part")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def test_a_backup_on_a_full_disk_is_told_and_leaves_nothing(serve: Serve, disk: Disk, tmp_path: Path) -> None:
    disk.set()
    server = serve()
    await fill(server)
    backup = tmp_path / "backup.db"
    disk.set(room=200)
    try:
        done = await asyncio.to_thread(
            run_command, "backup", str(backup), "--database", str(server.database), env=dict(disk.environment)
        )
    finally:
        disk.set()
    assert done.returncode == 1
    assert f"no space left for the backup {backup}" in done.stderr
    assert not list(tmp_path.glob("backup.db*"))
    assert (await api.publish(server.url, "t", 1)) is not None, "the service goes on"
    assert run_command("backup", str(backup), "--database", str(server.database)).returncode == 0
    assert run_command("verify", str(backup)).returncode == 0


async def test_a_backup_beyond_a_limit_of_a_files_size_is_told(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    await fill(server)
    line = " ".join(["ulimit -f 100;", *command("backup", "b.db", "--database", str(server.database))])
    done = subprocess.run(
        ["bash", "-c", line], env=environment(), cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "no space left for the backup b.db" in done.stderr
    assert not list(tmp_path.glob("b.db*"))


async def test_a_restore_on_a_full_disk_is_told_and_leaves_the_old_one(
    serve: Serve, disk: Disk, tmp_path: Path
) -> None:
    disk.set()
    server = serve()
    id = await api.publish(server.url, "old", 1)
    server.kill9()
    other = serve()
    await fill(other)
    backup = tmp_path / "backup.db"
    assert run_command("backup", str(backup), "--database", str(other.database)).returncode == 0
    disk.set(room=sum(path.stat().st_size for path in server.directory.glob("twinwire.db*")) // 1024 + 300)
    try:
        done = run_command(
            "restore", str(backup), "--database", str(server.database), "--force", env=dict(disk.environment)
        )
    finally:
        disk.set()
    assert done.returncode == 1
    assert "no space left for the database" in done.stderr
    assert not part_of(server.database).exists()
    server.start()
    assert [event["id"] for event in await api.history(server.url)] == [id], "under its own epoch"


async def test_a_backup_that_is_killed_is_not_there(serve: Serve, disk: Disk, tmp_path: Path) -> None:
    disk.set()
    server = serve()
    await fill(server)
    backup = tmp_path / "backup.db"
    args = ("backup", str(backup), "--database", str(server.database))
    server.stop()  # what lies in the journal is not read slowly
    disk.set(read=SLOW)
    try:
        with begun(*args, **disk.environment) as process:
            process.kill()
            assert process.wait() == -signal.SIGKILL
    finally:
        disk.set()
    assert not backup.exists()
    left = part_of(backup)
    assert left.exists(), "it was not in the middle"
    refused = run_command("verify", str(left))
    assert refused.returncode == 1
    assert "not whole" in refused.stderr or "no database of Twinwire" in refused.stderr, refused.stderr
    refused = run_command("restore", str(left), "--database", str(tmp_path / "x.db"))
    assert refused.returncode == 1
    assert not (tmp_path / "x.db").exists()
    server.start()
    assert run_command(*args).returncode == 0
    assert run_command("verify", str(backup)).returncode == 0
    assert [path.name for path in tmp_path.glob("backup.db*")] == ["backup.db"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_backup_that_is_ended_takes_away_what_it_has(
    serve: Serve, disk: Disk, tmp_path: Path, number: signal.Signals
) -> None:
    disk.set()
    server = serve()
    await fill(server)
    server.stop()
    disk.set(read=SLOW)
    try:
        args = ("backup", str(tmp_path / "backup.db"), "--database", str(server.database))
        with begun(*args, **disk.environment) as process:
            process.send_signal(number)
            assert process.wait(30) == 128 + number
    finally:
        disk.set()
    assert not list(tmp_path.glob("backup.db*"))


async def test_a_restore_that_is_killed_leaves_the_old_one(serve: Serve, disk: Disk, tmp_path: Path) -> None:
    disk.set()
    server = serve()
    old = [await api.publish(server.url, "old", n) for n in range(20)]
    server.kill9()
    other = serve()
    await fill(other)
    backup = tmp_path / "backup.db"
    assert run_command("backup", str(backup), "--database", str(other.database)).returncode == 0
    args = ("restore", str(backup), "--database", str(server.database), "--force")
    before = {path.name: digest(path) for path in server.directory.glob("twinwire.db*")}
    disk.set(read=SLOW)
    try:
        with begun(*args, **disk.environment) as process:
            process.kill()
            assert process.wait() == -signal.SIGKILL
    finally:
        disk.set()
    left = part_of(server.database)
    assert left.exists(), "it was not in the middle"
    there = [path for path in server.directory.glob("twinwire.db*") if not path.name.startswith(left.name)]
    found = {path.name: digest(path) for path in there}
    assert found == before | {name: found[name] for name in found if name.endswith(".lock")}
    server.start()
    assert [event["id"] for event in await api.history(server.url)] == old, "under its own epoch"
    assert server.stop() == 0
    assert run_command(*args).returncode == 0
    assert not list(left.parent.glob(f"{left.name}*"))
    server.start()
    assert len(await api.history(server.url, ["t"])) == EVENTS
