"""`twinwire run` against a real service: whatever happens to that and to the network, the page has the log, once."""

import json
import random
import re
import shlex
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any, Final

from tests.support.cable import Cable
from tests.support.server import ROOT, ServerProcess, environment

TWINWIRE: Final = [sys.executable, "-m", "twinwire", "run"]
CUT: Final = 20.0
"""Seconds for which the network is away, while the command goes on."""

TALKS: Final = """
import os, sys, time
number = 0
for word in sys.stdin:
    for _ in range(int(word)):
        number += 1
        kind = number % 50
        text = b"::stage part %d" % (number // 500) if number % 500 == 0 else b"%d \\xc3\\xa4 line" % number
        text += b" \\xff\\xfe" if kind == 7 else b" " * 900 if kind == 9 else b""
        os.write(1 + (kind == 3), text + b"\\n")
    os.write(1, b"done %s" % word.encode())
    time.sleep(0.05)
sys.exit(5)
"""


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        found: bytes = answer.read()
        return found


def only_run(base: str, name: str) -> tuple[str, Any]:
    """The project of this name, and its only run."""
    projects = json.loads(get(f"{base}/api/projects"))["projects"]
    (project,) = [one["id"] for one in projects if one["name"] == name]
    (run,) = json.loads(get(f"{base}/api/projects/{project}/runs"))["runs"]
    return f"{base}/api/projects/{project}/runs/{run['number']}", run


def test_three_kills_and_a_cut(tmp_path: Path) -> None:
    """The page's log equals the command's output byte for byte, each line once."""
    draw = random.Random(18)
    with ServerProcess(tmp_path / "service") as server, Cable(server.port) as cable:
        env = environment({"TWINWIRE_URL": cable.url, "TWINWIRE_RUNS_DIR": str(tmp_path / "runs")})
        args = [*TWINWIRE, "--project", "Kills", "--", sys.executable, "-c", TALKS]
        pipe = subprocess.PIPE
        with subprocess.Popen(args, env=env, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT) as process:
            talk = Talk(process)
            talk.say(300)
            for _ in range(3):
                talk.say(draw.randrange(2_000))
                server.kill9()
                talk.say(draw.randrange(500))
                server.start()
                talk.say(draw.randrange(500))
            cable.pull()
            until = time.monotonic() + CUT
            while time.monotonic() < until:
                talk.say(50)
            cable.plug()
            talk.say(100)
            written = talk.end().partition(b"twinwire: sending what is left")[0]
        assert process.returncode == 5
        assert list((tmp_path / "runs").iterdir()) == [], written[-500:]
        url, run = only_run(server.url, "Kills")
        assert get(f"{url}/log") == written
        lines = [line.split()[0] for line in written.splitlines() if line[:1].isdigit()]
        assert len(lines) == len(set(lines)) > 1_000
        assert (run["status"], run["exit"], run["bytes"], run["cut"]) == ("failed", 5, len(written), 0)
        stages = json.loads(get(url))["stages"]
        assert [stage["name"] for stage in stages] == [f"part {n}" for n in range(1, len(stages) + 1)]
        assert stages
        assert server.faults() == []


class Talk:
    """With the command: it says so many lines, and that it has."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin, self._stdout = process.stdin, process.stdout
        self._heard: list[bytes] = []

    def say(self, count: int) -> None:
        self._stdin.write(b"%d\n" % count)
        self._stdin.flush()
        while not self._heard or not self._heard[-1].startswith(b"done "):
            line = self._stdout.readline()
            assert line, self._heard[-5:]
            self._heard.append(line)
        self._heard.append(b"")

    def end(self) -> bytes:
        self._stdin.close()
        self._heard.append(self._stdout.read())
        return b"".join(self._heard)


def test_one_project_however_many_start_together(tmp_path: Path, url: str) -> None:
    """With different keys; and what is too long for the service is told, and has its file."""
    env = environment({"TWINWIRE_URL": url, "TWINWIRE_RUNS_DIR": str(tmp_path / "runs")})
    args = [*TWINWIRE, "--project", "Together", "echo", "one"]
    several = [subprocess.Popen(args, env=env, stdout=subprocess.DEVNULL) for _ in range(4)]
    assert [one.wait(60) for one in several] == [0] * 4
    projects = [one for one in json.loads(get(f"{url}/api/projects"))["projects"] if one["name"] == "Together"]
    (project,) = projects
    assert project["brief"] is None
    runs = json.loads(get(f"{url}/api/projects/{project['id']}/runs"))["runs"]
    assert [(run["number"], run["status"], run["lines"]) for run in runs] == [(n, "completed", 1) for n in (4, 3, 2, 1)]
    long = ["sh", "-c", "yes 0123456789abcdef | head -c 12000001"]
    found = subprocess.run([*TWINWIRE, "--project", project["id"], *long], env=env, capture_output=True, check=True)
    (file,) = (tmp_path / "runs").glob("*/output.log")
    assert file.read_bytes() == found.stdout
    assert str(file).encode() in found.stderr
    run = json.loads(get(f"{url}/api/projects/{project['id']}/runs/5"))
    log = get(f"{url}/api/projects/{project['id']}/runs/5/log")
    head, _, rest = log.partition(b"[... ")
    told, _, tail = rest.partition(b" ...]\n")
    assert str(file).encode() in told
    assert found.stdout.startswith(head)
    assert found.stdout.endswith(tail)
    assert len(head) + len(tail) + run["cut"] == 12_000_001
    assert len(tail) > 60_000


def test_two_minutes_of_the_document(tmp_path: Path, url: str) -> None:
    """Its command as it stands there, and the page that it names."""
    (line,) = re.findall(r"^ *```bash\n *(.*)\n *```", (ROOT / "docs" / "run.md").read_text("utf-8"), re.MULTILINE)
    twinwire = f"{shlex.quote(sys.executable)} -m twinwire"
    env = environment({"TWINWIRE_URL": url, "TWINWIRE_RUNS_DIR": str(tmp_path / "runs")})
    args = ["bash", "-c", line.replace(".venv/bin/twinwire", twinwire)]
    found = subprocess.run(args, env=env, capture_output=True, check=True, timeout=60)
    assert found.stdout.startswith(b"::stage build\ncompiled\n::progress 50 half way\n::stage test\nall is well")
    page = found.stderr.decode().split()[-1]
    assert get(page).startswith(b"<!doctype html>")
    api, run = only_run(url, "Demo")
    assert (run["status"], run["exit"]) == ("completed", 0)
    assert [stage["name"] for stage in json.loads(get(api))["stages"]] == ["build", "test"]
    assert page == f"{url}/project.html?id={run['project']}"
    assert get(f"{api}/log") == found.stdout
