"""Under a terminal everything is as without us: what is shown, keys, the window, job control, how it ends."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.reported import Reported
from tests.support.server import environment
from tests.support.terminals import Terminal

TWINWIRE = [sys.executable, "-m", "twinwire", "run", "--project", "Demo", "--"]

ASKS = """
import os, sys
print([os.isatty(n) for n in (0, 1, 2)], os.get_terminal_size(), flush=True)
name = input("name? ")
print("hello", name)
sys.exit(7)
"""


@pytest.fixture
def env(service: Reported, tmp_path: Path) -> dict[str, str]:
    return {"TWINWIRE_URL": service.url, "TWINWIRE_RUNS_DIR": str(tmp_path / "runs"), "TERM": "xterm"}


def test_a_command_that_asks(service: Reported, env: dict[str, str], tmp_path: Path) -> None:
    """What is shown without us, and with us, are the same bytes; the log has the ends of lines that it wrote."""
    shown = []
    for args in ([sys.executable, "-c", ASKS], [*TWINWIRE, sys.executable, "-c", ASKS]):
        with Terminal(args, env, size=(30, 90)) as terminal:
            terminal.expect(b"name? ")
            terminal.type(b"\xc3\xa4nn\x7f\r")
            assert terminal.end() == 7
            shown.append(terminal.shown)
            assert terminal.attributes == terminal.before
    assert shown[0] == shown[1]
    assert b"[True, True, True] os.terminal_size(columns=90, lines=30)\r\n" in shown[0]
    (run,) = service.runs
    assert run.log == shown[0].replace(b"\r\n", b"\n")
    assert run.end == {"exit": 7, "signal": None}
    assert list((tmp_path / "runs").iterdir()) == []


LAST = "import sys; print('x' * 60_000); print('last', flush=True)"


def test_what_it_shows_last_is_shown_as_it_is(service: Reported, env: dict[str, str]) -> None:
    """The user's terminal was as before while the command's last output was on its way: its lines were ended twice."""
    with Terminal([*TWINWIRE, sys.executable, "-c", LAST], env) as terminal:
        assert terminal.end() == 0
        assert terminal.shown.endswith(b"x\r\nlast\r\n")
        assert terminal.attributes == terminal.before


LISTENS = """
import os, signal, sys
def told(number, frame):
    print(signal.Signals(number).name, *os.get_terminal_size(), flush=True)
for number in (signal.SIGWINCH, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, told)
print("ready", flush=True)
while True:
    signal.pause()
"""


def test_the_window_signals_and_ctrl_c(service: Reported, env: dict[str, str]) -> None:
    with Terminal([*TWINWIRE, sys.executable, "-c", LISTENS], env) as terminal:
        terminal.expect(b"ready")
        assert terminal.is_raw
        terminal.resize(50, 132)
        terminal.expect(b"SIGWINCH 132 50")
        for name in ("SIGTERM", "SIGHUP"):
            terminal.signal(getattr(signal, name))
            terminal.expect(f"{name} 132 50".encode())
        terminal.type(b"\x03")
        assert terminal.end() == -signal.SIGINT, "as it has ended"
        assert terminal.attributes == terminal.before
    assert service.runs[0].end == {"exit": None, "signal": "SIGINT"}


def test_job_control_of_a_shell(service: Reported, env: dict[str, str]) -> None:
    """Stopped, run on in the background, fetched back, and at its end."""
    with Terminal(["bash", "--norc", "--noprofile", "-i"], env | {"PS1": "$ "}) as terminal:
        terminal.expect(b"$ ")
        terminal.type(" ".join(TWINWIRE).encode() + b" sh -c 'echo be''gun; cat; echo af''ter'\r")
        terminal.expect(b"begun\r\n")
        terminal.type(b"one\r")
        terminal.expect(b"one\r\none\r\n")
        terminal.type(b"\x1a")
        terminal.expect(b"Stopped")
        terminal.expect(b"$ ")  # the shell reads keys as they are, too: what is raw behind this is ours
        terminal.type(b"fg\r")
        terminal.expect(b"af''ter'\r\n")
        terminal.until_raw()
        terminal.type(b"two\r")
        terminal.expect(b"two\r\n")
        terminal.type(b"\x04")
        terminal.expect(b"after")
        terminal.expect(b"$ ")
        terminal.type(b"echo ex''it=$?; exit\r")
        terminal.expect(b"exit=0")
        assert terminal.end() == 0
    assert service.runs[0].log.endswith(b"after\n")


def test_who_is_killed_leaves_no_command_behind(service: Reported, env: dict[str, str], tmp_path: Path) -> None:
    """It is as if the window had been closed; the next one sends what is there."""
    program = f"""
import os, signal, time
signal.signal(signal.SIGHUP, lambda *_: (open({str(tmp_path / "told")!r}, "w").close(), os._exit(0)))
print("ready", flush=True)
signal.pause()
"""
    with Terminal([*TWINWIRE, sys.executable, "-c", program], env) as terminal:
        terminal.expect(b"ready\r\n")
        terminal.process.kill()
        terminal.process.wait()
    again = subprocess.run([*TWINWIRE, "true"], env=environment(env), capture_output=True, check=False, timeout=60)
    assert again.returncode == 0
    assert (tmp_path / "told").exists()
    assert {(run.log, run.end["exit"] if run.end else "") for run in service.runs} == {(b"ready\n", None), (b"", 0)}


SEES = "import os, sys; print([os.isatty(n) for n in (0, 1, 2)], sys.stdin.readline())"


def test_an_output_alone_that_is_a_terminal(service: Reported, env: dict[str, str]) -> None:
    with Terminal([*TWINWIRE, sys.executable, "-c", SEES], env, stdin=subprocess.PIPE) as terminal:
        assert terminal.process.stdin is not None
        terminal.process.stdin.write(b"given\n")
        terminal.process.stdin.close()
        assert terminal.end() == 0
        assert terminal.shown == b"[False, True, True] given\r\n\r\n"
    assert service.runs[0].log == b"[False, True, True] given\n\n"


def test_what_is_no_command(env: dict[str, str]) -> None:
    with Terminal([*TWINWIRE, "/nowhere/at/all"], env) as terminal:
        assert terminal.end() == 127
        assert terminal.attributes == terminal.before
        assert b"/nowhere/at/all: No such file or directory" in terminal.shown
