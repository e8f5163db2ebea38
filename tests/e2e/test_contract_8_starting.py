"""docs/protocol.md, section 8: starting it."""

import contextlib
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import api
from tests.support.http import request
from tests.support.server import STOP_DEADLINE, URL, command, environment, free_port, run_command

pytestmark = pytest.mark.process


@contextlib.contextmanager
def serving(directory: Path, *args: str, **env: str) -> Iterator[str]:
    """`twinwire serve ARGS` in `directory`; the URL that it prints. Nothing is filled in for it."""
    child_env = {name: value for name, value in environment().items() if not name.startswith("TWINWIRE_")}
    process = subprocess.Popen(
        command("serve", *args),
        env=child_env | env,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=(directory / "log").open("w"),
        text=True,
    )
    assert process.stdout is not None
    try:
        found = next((match for line in process.stdout if (match := URL.search(line))), None)
        assert found is not None, (directory / "log").read_text()
        yield found[0]
        process.terminate()
        assert process.wait(STOP_DEADLINE) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


async def test_8_port_0_takes_a_free_one_and_says_which(tmp_path: Path) -> None:
    """8: the URL line is printed once the service accepts connections: the very first request is answered."""
    with serving(tmp_path, "--port", "0", "--database", str(tmp_path / "x.db")) as url:
        assert (await request(url.rstrip("/"), "GET", "/api/ready")).status == 200


async def test_8_flags(tmp_path: Path) -> None:
    """8: `--host`, `--port`, `--database`; the database is created at start, migrated."""
    port = free_port()
    database = tmp_path / "flags.db"
    with serving(tmp_path, "--host", "127.0.0.1", "--port", str(port), "--database", str(database)) as url:
        assert url == f"http://127.0.0.1:{port}/"
        await api.publish(url.rstrip("/"), "a")
        assert database.stat().st_size > 0


async def test_8_environment(tmp_path: Path) -> None:
    """8: TWINWIRE_HOST, TWINWIRE_PORT, TWINWIRE_DATABASE."""
    port = free_port()
    database = tmp_path / "env.db"
    env = {
        "TWINWIRE_HOST": "127.0.0.1",
        "TWINWIRE_PORT": str(port),
        "TWINWIRE_DATABASE": str(database),
    }
    with serving(tmp_path, **env) as url:
        assert url == f"http://127.0.0.1:{port}/"
    assert database.exists()


async def test_8_flags_beat_the_environment(tmp_path: Path) -> None:
    """8: flags beat the environment, each for itself."""
    taken, free = free_port(), free_port()
    env = {"TWINWIRE_PORT": str(taken), "TWINWIRE_DATABASE": str(tmp_path / "env.db")}
    with serving(tmp_path, "--port", str(free), "--database", str(tmp_path / "flag.db"), **env) as url:
        assert url == f"http://127.0.0.1:{free}/"
    assert (tmp_path / "flag.db").exists()
    assert not (tmp_path / "env.db").exists()


async def test_8_defaults(tmp_path: Path) -> None:
    """8: loopback, and `twinwire.db` in the working directory."""
    with serving(tmp_path, "--port", "0") as url:
        port = int(url.rstrip("/").rpartition(":")[2])
        assert _listening_address(port) == "127.0.0.1"
    assert (tmp_path / "twinwire.db").exists()


def _listening_address(port: int) -> str:
    """The IPv4 address on which somebody listens on `port` (proc(5), net/tcp: hexadecimal, host byte
    order).
    """
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    (local,) = [row[1] for row in rows if row[3] == "0A" and int(row[1].partition(":")[2], 16) == port]
    return socket.inet_ntoa(bytes.fromhex(local.partition(":")[0])[::-1])


def test_8_the_default_port_is_8000() -> None:
    """8: defaults: port 8000, as the help says."""
    result = run_command("serve", "--help")
    assert result.returncode == 0
    assert re.search(r"--port.*8000", result.stdout, re.DOTALL), result.stdout


def test_8_a_taken_port_is_a_clear_error(tmp_path: Path) -> None:
    """8: when it cannot listen it says so in one line and exits with an error."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = str(holder.getsockname()[1])
        result = run_command("serve", "--port", port, "--database", str(tmp_path / "x.db"))
    assert result.returncode not in {0, None}
    assert port in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("args", [["--port", "70000"], ["--port", "x"], ["--nonsense"], ["extra"]])
def test_8_bad_flags_are_refused(args: list[str], tmp_path: Path) -> None:
    """8: a flag that cannot be meant ends with a usage error, not with a default."""
    result = run_command("serve", "--database", str(tmp_path / "x.db"), *args)
    assert result.returncode != 0
    assert "Traceback" not in result.stderr


async def test_8_the_working_directory_does_not_matter(tmp_path: Path) -> None:
    """8: pages and migrations are found wherever it is started."""
    assert list(tmp_path.iterdir()) == []
    with serving(tmp_path, "--port", "0") as url:
        response = await request(url.rstrip("/"), "GET", "/")
        assert response.status == 200
