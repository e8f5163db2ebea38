"""deploy/twinwire.service: what systemd thinks of it, and whether the service lives with what it forbids."""

import asyncio
import ctypes
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from service.server import watchdog
from service.settings import Settings, every_setting
from tests.deploy.fronts import DEPLOY, text
from tests.support import api
from tests.support.clients import STREAMING, open_stream
from tests.support.needs import program
from tests.support.server import HOST, ROOT, ServerProcess

UNIT: Final = DEPLOY / "twinwire.service"
EXPOSURE_MAX: Final = 2.0
"""Of 10, by `systemd-analyze security`, which counts what is left open."""
SERVER_GRACE: Final = 3
"""Seconds: `graceful_timeout` of hypercorn.toml."""

MDWE: Final = (65, 66, 1)
"""PR_SET_MDWE, PR_GET_MDWE and PR_MDWE_REFUSE_EXEC_GAIN (prctl(2), Linux 6.3): `MemoryDenyWriteExecute=`."""
WRAPPER: Final = """
import ctypes, os, sys
assert ctypes.CDLL(None).prctl({set}, {refuse}, 0, 0, 0) == 0
os.execvp(sys.argv[1], sys.argv[1:])
"""


def directives(name: str) -> list[str]:
    """All values of a directive, in their order."""
    return re.findall(rf"^{name}=(.*)$", text("twinwire.service"), re.MULTILINE)


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [program("systemd-analyze", "no systemd-analyze: install Debian's systemd"), *arguments]
    env = {**os.environ, "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0", "LC_ALL": "C"}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=env)


def exposure(unit: Path) -> float:
    done = analyze("security", "--offline=true", "--no-pager", str(unit))
    found = re.search(r"Overall exposure level for \S+: (\d+\.\d)", done.stdout)
    assert found is not None, done.stdout + done.stderr
    return float(found[1])


def test_little_is_left_open() -> None:
    assert exposure(UNIT) < EXPOSURE_MAX


def test_the_measure_tells_an_open_unit_from_a_hardened_one(tmp_path: Path) -> None:
    bare = tmp_path / "bare.service"
    bare.write_text("[Service]\nExecStart=/bin/true\n")
    assert exposure(bare) > 9


def test_systemd_knows_every_line(tmp_path: Path) -> None:
    """It warns of names and values that it does not know, and would go on without them."""
    copy = tmp_path / "twinwire.service"
    copy.write_text(text("twinwire.service").replace("/opt/twinwire/bin/twinwire", "/bin/true"))
    done = analyze("verify", "--man=no", "--generators=no", str(copy))
    told = [line for line in done.stderr.splitlines() if "twinwire.service" in line]
    assert told == []


def test_it_starts_the_command_with_settings_that_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    assert directives("ExecStart") == ["/opt/twinwire/bin/twinwire serve"]
    values = dict(one.split("=", 1) for one in directives("Environment"))
    assert values.keys() <= {name for name, _ in every_setting()}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    settings = Settings.read()
    (state,) = directives("StateDirectory")
    assert settings.log.database.parent == Path("/var/lib") / state
    (credential,) = directives("LoadCredential")
    assert settings.access.token_keys.get_secret_value() == f"%d/{credential.partition(':')[0]}"


def test_it_waits_longer_than_a_stop_takes() -> None:
    defaults = Settings.read({"drain_delay": 0.0, "grace": 10.0}).server
    (seconds,) = map(int, directives("TimeoutStopSec"))
    assert seconds > defaults.drain_delay + defaults.grace + SERVER_GRACE + 2 * watchdog.EXTRA
    assert f"graceful_timeout = {SERVER_GRACE} " in (ROOT / "hypercorn.toml").read_text()


async def use(server: ServerProcess) -> None:
    """Streams, publishing, a trim and a page of history."""
    for transport in STREAMING:
        async with open_stream(server.url, transport, "a") as stream:
            cursor = await api.publish(server.url, "a")
            assert [event.id for event in await stream.events(1)] == [cursor]
    await api.trim(server.url, "a", 1)
    await api.read(server.url, topic="a", after="earliest")


async def test_it_serves_without_memory_that_is_written_and_executed(tmp_path: Path) -> None:
    set_, get, refuse = MDWE
    if ctypes.CDLL(None).prctl(get, 0, 0, 0, 0) < 0:
        pytest.skip("this kernel has no PR_SET_MDWE: Linux 6.3 brings it")
    refusing = [sys.executable, "-c", WRAPPER.format(set=set_, refuse=refuse)]
    with ServerProcess(tmp_path, wrapper=refusing) as server:
        await use(server)
        server.signal()
        assert await server.await_exit() == 0


def allowed_calls() -> set[str]:
    """The system calls that `SystemCallFilter=` leaves, by name."""
    allowed: set[str] = set()
    for line in directives("SystemCallFilter"):
        is_denied, names = line.startswith("~"), line.removeprefix("~").split()
        found = {call for name in names for call in expanded(name)}
        allowed = allowed - found if is_denied else allowed | found
    return allowed


def expanded(name: str) -> set[str]:
    """A group's calls, those of the groups in it too."""
    if not name.startswith("@"):
        return {name}
    lines = [line.strip() for line in analyze("syscall-filter", "--no-pager", name).stdout.splitlines()[1:]]
    return {call for line in lines if line and not line.startswith("#") for call in expanded(line)}


async def test_it_makes_no_system_call_that_is_filtered(tmp_path: Path) -> None:
    """From its start to its end, all of its threads; `-D` makes the tracer its child."""
    written = tmp_path / "calls"
    os.mkfifo(written)
    end = os.open(written, os.O_RDONLY | os.O_NONBLOCK)  # else neither side would wait for the other
    tracing = [program("strace"), "-D", "-f", "-qq", "-c", "-o", str(written)]
    with ServerProcess(tmp_path / "server", wrapper=tracing) as server:
        await use(server)
        server.signal()
        assert await server.await_exit() == 0
    os.set_blocking(end, True)
    with os.fdopen(end) as reading:
        table = await asyncio.to_thread(reading.read)  # until the tracer has ended, too
    calls = set(re.findall(r"^ *\d+\.\d+ .* (\w+)$", table, re.MULTILINE)) - {"total"}
    assert {"execve", "accept4", "pwrite64"} <= calls, "it was traced"
    for_root = {"fchown"} if os.geteuid() == 0 else set()  # SQLite's, of files that it makes (os_unix.c, robustFchown)
    assert calls - for_root - allowed_calls() == set()


def test_nobody_else_reaches_it() -> None:
    """It listens on loopback, behind the proxy that it trusts."""
    assert directives("Environment").count(f"TWINWIRE_TRUSTED_HOPS={HOST}") == 1
    assert not [one for one in directives("Environment") if one.startswith("TWINWIRE_HOST=")]
