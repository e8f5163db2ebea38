"""`twinwire run` as somebody starts it, without a terminal: output, exit codes, signals, and what is left for later."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.reported import PROJECT, Reported
from tests.support.server import environment
from twinwire.running.family import Family
from twinwire.running.folder import earlier
from twinwire.running.spool import OUTPUT

TWINWIRE = [sys.executable, "-m", "twinwire", "run"]
DEADLINE = 60.0


@pytest.fixture
def env(service: Reported, tmp_path: Path) -> dict[str, str]:
    variables = {"TWINWIRE_URL": service.url, "TWINWIRE_RUNS_DIR": str(tmp_path / "runs")}
    return environment(variables)


def run(env: dict[str, str], *args: str, **more: Any) -> subprocess.CompletedProcess[bytes]:
    found = subprocess.run([*TWINWIRE, *args], env=env, capture_output=True, check=False, timeout=DEADLINE, **more)
    found.stderr = without_waiting(found.stderr)
    return found


class Started:
    """One that goes on while the test does something to it."""

    def __init__(
        self, env: dict[str, str], args: Sequence[str], *, start: Sequence[str] = TWINWIRE, **more: Any
    ) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([*start, *args], env=env, stdout=pipe, stderr=pipe, **more)
        assert self.process.stdout is not None
        self.stdout = self.process.stdout

    def end(self) -> tuple[int, bytes]:
        _, told = self.process.communicate(timeout=DEADLINE)
        return self.process.returncode, without_waiting(told)


def without_waiting(told: bytes) -> bytes:
    """What is said on a machine that is slow at the time."""
    return b"".join(line for line in told.splitlines(keepends=True) if b"sending what is left" not in line)


@pytest.fixture
def started() -> Iterator[list[Started]]:
    found: list[Started] = []
    yield found
    for one in found:
        one.process.kill()
        one.process.communicate()


def test_outputs_are_apart_and_as_they_are(service: Reported, env: dict[str, str], tmp_path: Path) -> None:
    program = "import os, sys; os.write(1, sys.stdin.buffer.read()); os.write(2, b'\\xff\\x00err'); sys.exit(3)"
    found = run(env, "--project", "Demo", "--", sys.executable, "-c", program, input=b"\x1b[1m\r\n\xe4")
    assert (found.returncode, found.stdout) == (3, b"\x1b[1m\r\n\xe4")
    assert found.stderr.startswith(b"\xff\x00err")
    assert service.runs[0].log in (b"\x1b[1m\r\n\xe4\xff\x00err", b"\xff\x00err\x1b[1m\r\n\xe4")
    assert service.runs[0].end == {"exit": 3, "signal": None}
    assert list((tmp_path / "runs").iterdir()) == []


def test_one_place_for_both_keeps_their_order(service: Reported, env: dict[str, str], tmp_path: Path) -> None:
    program = "import os\nfor n in range(500): os.write(1 + n % 2, b'%d\\n' % n)"
    with (tmp_path / "log").open("wb") as log:
        args = [*TWINWIRE, sys.executable, "-c", program]
        subprocess.run(args, env=env, stdout=log, stderr=log, check=True, timeout=DEADLINE)
    assert (tmp_path / "log").read_bytes() == b"".join(b"%d\n" % n for n in range(500)) == service.runs[0].log


def test_what_can_not_be_started(service: Reported, env: dict[str, str], tmp_path: Path) -> None:
    found = run(env, "--", "no-such-command-at-all", "x")
    assert found.returncode == 127
    assert found.stderr == b"twinwire: no-such-command-at-all: command not found\n"
    assert service.runs[0].log == found.stderr
    assert service.runs[0].end == {"exit": 127, "signal": None}
    (tmp_path / "file").write_text("echo no\n")
    found = run(env, "--", str(tmp_path / "file"))
    assert (found.returncode, found.stderr) == (126, f"twinwire: {tmp_path / 'file'}: Permission denied\n".encode())


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"])
def test_signals_go_to_the_command_and_its_end_is_ours(
    service: Reported, env: dict[str, str], started: list[Started], name: str
) -> None:
    started.append(one := Started(env, ["sh", "-c", "echo ready; exec sleep 60"]))
    assert one.stdout.readline() == b"ready\n"
    one.process.send_signal(getattr(signal, name))
    assert one.end() == (-getattr(signal, name), b"")
    assert service.runs[0].end == {"exit": None, "signal": name}


# They are waited for: one that came just before a read began would not interrupt it, and be told with the next one.
COUNTS = """
import os, signal, sys, threading
ours = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
signal.pthread_sigmask(signal.SIG_BLOCK, ours)
def read():
    while input():
        print("and", flush=True)
    os._exit(0)
threading.Thread(target=read).start()
print("ready", flush=True)
while True:
    print(signal.Signals(signal.sigwait(ours)).name, flush=True)
"""


def test_each_signal_comes_to_the_command_once(env: dict[str, str], started: list[Started]) -> None:
    """Whether it goes to us, or to all of our group as CI runners send it: make takes a second one for "at once"."""
    pipe = subprocess.PIPE
    started.append(one := Started(env, [sys.executable, "-c", COUNTS], stdin=pipe, process_group=0))
    stdin = one.process.stdin
    assert stdin is not None
    assert one.stdout.readline() == b"ready\n"
    for send in (os.killpg, os.kill, os.killpg):
        for name in ("SIGTERM", "SIGINT"):
            send(one.process.pid, getattr(signal, name))
            assert one.stdout.readline() == f"{name}\n".encode()
            os.kill(one.process.pid, signal.SIGHUP)  # they are seen to in their order: no other comes of that before
            assert one.stdout.readline() == b"SIGHUP\n"
    stdin.write(b"x\n\n")
    stdin.flush()
    assert one.stdout.read() == b"and\n"
    assert one.end()[0] == 0


def test_a_command_that_minds_no_signal_goes_on(env: dict[str, str], started: list[Started]) -> None:
    program = (
        "import signal; signal.signal(15, lambda *_: print('no', flush=True)); print('ready', flush=True); input()"
    )
    started.append(one := Started(env, [sys.executable, "-c", program], stdin=subprocess.PIPE))
    assert one.stdout.readline() == b"ready\n"
    one.process.send_signal(signal.SIGTERM)
    assert one.stdout.readline() == b"no\n"
    assert one.process.communicate(b"\n", timeout=DEADLINE)[1] == b""
    assert one.process.returncode == 0


def test_a_reader_that_has_had_enough(service: Reported, env: dict[str, str], started: list[Started]) -> None:
    """As in `make | head -1`: the command is told so by its own write."""
    started.append(one := Started(env, ["sh", "-c", "while echo line; do :; done; exit 9"]))
    assert one.stdout.readline() == b"line\n"
    one.stdout.close()
    assert one.process.wait(DEADLINE) in (9, -signal.SIGPIPE)


def test_secrets_and_markers(service: Reported, env: dict[str, str]) -> None:
    secrets = {"API_KEY": "it's hunter2", "TWINWIRE_TOKEN": "a.b.c", "PEM": "-----BEGIN\nMIIB\n"}
    script = 'echo "::stage say $API_KEY"; echo "$API_KEY $TWINWIRE_TOKEN"; printf "::progress 40 \\"$API_KEY\\"\n$PEM"'
    found = run(env | secrets, "--hide", "API_KEY", "--hide", "PEM", "sh", "-c", script, "it's hunter2")
    assert found.stdout == (
        b"::stage say it's hunter2\nit's hunter2 a.b.c\n::progress 40 \"it's hunter2\"\n-----BEGIN\nMIIB\n"
    ), "the terminal is not touched"
    (told,) = service.runs
    assert told.log == b'::stage say ***\n*** ***\n::progress 40 "***"\n***\n'
    assert told.of("stage") == ["say ***"]
    assert {"progress": 40, "message": "***"} in told.items
    assert told.command.endswith("'***'")
    assert b"hunter2" not in json.dumps(service.requests).encode()


@pytest.mark.parametrize(("value", "why"), [(None, "not set"), ("", "empty")])
def test_a_secret_that_is_not_there(service: Reported, env: dict[str, str], value: str | None, why: str) -> None:
    more = {} if value is None else {"NO_SUCH_SECRET": value}
    found = run(env | more, "--hide", "NO_SUCH_SECRET", "echo", "no")
    assert (found.returncode, found.stdout) == (2, b"")
    assert found.stderr == f"twinwire: --hide NO_SUCH_SECRET: this variable is {why}\n".encode()
    assert service.requests == []


@pytest.mark.parametrize("status", [401, 403, 404, 422])
def test_what_is_refused_is_told_once(service: Reported, env: dict[str, str], tmp_path: Path, status: int) -> None:
    service.fault = lambda method, path: status
    found = run(env, "sh", "-c", "echo out; exit 4")
    assert (found.returncode, found.stdout) == (4, b"out\n")
    (line,) = found.stderr.decode().splitlines()
    assert f"it is {status}" in line
    assert len(earlier(tmp_path / "runs")) == (status in (401, 403)), "with another token it may be sent"


def test_nobody_waits_for_a_service_that_is_away(
    service: Reported, env: dict[str, str], tmp_path: Path, started: list[Started]
) -> None:
    """Ctrl-C leaves what is left to the next one, which sends both, in order and once."""
    service.fault = lambda method, path: "before"
    started.append(one := Started(env, ["sh", "-c", "echo one; exit 5"]))
    assert one.process.stderr is not None
    assert b"sending what is left (4 bytes) for up to 30 s" in one.process.stderr.readline()
    one.process.send_signal(signal.SIGINT)
    told = one.process.stderr.read()
    assert one.process.wait(DEADLINE) == 5
    (path,) = earlier(tmp_path / "runs")
    assert told.startswith(f"twinwire: 4 bytes of this run wait in {path} for the next `twinwire run`: ".encode())
    service.fault = lambda method, path: None
    assert run(env, "echo", "two").stderr == b""
    assert sorted((one.log, one.end) for one in service.runs) == [
        (b"one\n", {"exit": 5, "signal": None}),
        (b"two\n", {"exit": 0, "signal": None}),
    ]
    assert list((tmp_path / "runs").iterdir()) == []


def test_nobody_waits_for_a_name_that_is_never_found(
    env: dict[str, str], tmp_path: Path, started: list[Started]
) -> None:
    """The call can't be cancelled (getaddrinfo(3)), and once it could hold up an exit."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, socket, threading\nsocket.getaddrinfo = lambda *args, **more: threading.Event().wait()\n"
        "synced = open(os.environ['SYNCED'], 'a', buffering=1)\n"
        "os.fsync = lambda one: print(os.readlink(f'/proc/self/fd/{one}'), file=synced)\n"
    )
    more = {"TWINWIRE_URL": "http://live.example", "PYTHONPATH": str(tmp_path), "SYNCED": str(tmp_path / "synced")}
    started.append(one := Started(env | more, ["sh", "-c", "echo one; exit 5"]))
    assert one.process.stderr is not None
    assert b"sending what is left (4 bytes)" in one.process.stderr.readline()
    one.process.send_signal(signal.SIGINT)
    assert b"4 bytes of this run wait in" in one.process.stderr.read()
    assert one.process.wait(DEADLINE) == 5
    (path,) = earlier(tmp_path / "runs")
    assert str(path / OUTPUT) in (tmp_path / "synced").read_text().splitlines(), "before it is said to wait"


def test_somebody_ends_it_from_the_page(service: Reported, env: dict[str, str], started: list[Started]) -> None:
    """With all that it has started, though its own group is not its alone."""
    started.append(one := Started(env, ["sh", "-c", "echo ready; while sleep 0.1; do echo on; done"]))
    service.wait(lambda: service.runs and service.runs[0].log.startswith(b"ready\n"))
    with service.changed:
        service.runs[0].is_cancelled = True
    code, told = one.end()
    assert (code, told) == (-signal.SIGTERM, b"")
    assert service.runs[0].end == {"exit": None, "signal": "SIGTERM"}


def test_what_minds_no_sigterm_ends_too(service: Reported, env: dict[str, str], started: list[Started]) -> None:
    """Though the command has ended by itself: what it has started is nobody's then."""
    hurry = (
        "from twinwire.running import program; program.GRACE = 0.5; import twinwire.__main__ as it; it.run_command()"
    )
    stays = "trap '' TERM; echo stays $$; while sleep 0.05 || :; do echo on; done"
    command = ["sh", "-c", 'sh -c "$STAYS" & wait']
    started.append(one := Started(env | {"STAYS": stays}, command, start=[sys.executable, "-c", hurry, "run"]))
    word, number = one.stdout.readline().split()
    family = Family(int(number))
    assert word == b"stays"
    assert family.living()
    service.wait(lambda: service.runs and service.runs[0].log.startswith(b"stays"))
    with service.changed:
        service.runs[0].is_cancelled = True
    assert one.end() == (-signal.SIGTERM, b"")
    assert family.living() == []
    assert service.runs[0].end == {"exit": None, "signal": "SIGTERM"}


def test_a_reader_that_rests_holds_up_no_cancelled_run(
    service: Reported, env: dict[str, str], started: list[Started]
) -> None:
    started.append(one := Started(env, ["sh", "-c", "echo ready; exec yes"]))
    service.wait(lambda: service.runs and service.runs[0].log.startswith(b"ready\n"))
    with service.changed:
        service.runs[0].is_cancelled = True
    assert one.process.wait(DEADLINE) == -signal.SIGTERM
    assert service.runs[0].end == {"exit": None, "signal": "SIGTERM"}


FAST = """
import os
lines = b"".join(b"%07d\\n" % n for n in range(1000))
for _ in range(4000):
    os.write(1, lines)
"""


def test_four_million_lines(service: Reported, env: dict[str, str], tmp_path: Path) -> None:
    """Neither the command nor a memory minds; the page has the beginning and the end, and a file has it all."""
    watch = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n"
    watch += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    args = [sys.executable, "-c", watch, *TWINWIRE, sys.executable, "-c", FAST]
    found = subprocess.run(args, env=env, capture_output=True, check=True, timeout=110)
    (told,) = service.runs
    (cut,) = told.of("cut")
    path = Path(cut["file"])
    whole = path.read_bytes()
    assert path.name == OUTPUT
    assert whole.count(b"\n") == 4_000_000
    assert len(told.log) <= 8 << 20
    assert cut["bytes"] + len(told.log) == len(whole)
    assert told.log[: 7 << 20] == whole[: 7 << 20]
    assert whole.endswith(told.log[-(60 << 10) :])
    assert f"{cut['bytes']:,} bytes from the middle of the output are not on the page; all of it: {path}" in (
        found.stderr.decode()
    )
    assert int(found.stdout) < 150_000, "KiB"


def test_the_project_is_the_folder(service: Reported, env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "Shop" / ".git").mkdir(parents=True)
    (tmp_path / "Shop" / "src").mkdir()
    found = run(env, "--link", "true", cwd=tmp_path / "Shop" / "src")
    assert list(service.projects) == ["Shop"]
    assert found.stderr == f"twinwire: {service.url}/project.html?id={PROJECT}\n".encode()


def test_a_folder_that_can_not_be_written_stops_nobody(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = run(env | {"TWINWIRE_RUNS_DIR": str(tmp_path / "file" / "x")}, "sh", "-c", "echo out; exit 6")
    assert (found.returncode, found.stdout) == (6, b"out\n")
    assert b"this run is not on its page: the folder for runs" in found.stderr


@pytest.mark.parametrize("left", ["sleep 600", "while :; do echo more; sleep 0.05; done"], ids=["silent", "talks"])
def test_what_a_command_leaves_behind_is_not_waited_for(left: str, env: dict[str, str], started: list[Started]) -> None:
    started.append(one := Started(env, ["sh", "-c", f"({left}) & echo pid $!"]))
    pid = next(int(line[4:]) for line in one.stdout if line.startswith(b"pid "))
    assert one.process.wait(DEADLINE) == 0
    os.kill(pid, signal.SIGKILL)
