"""docs/tokens.md: every recipe is run in its own language, and a real server is asked what its token may.

Python's frameworks are development dependencies and Node is needed anyway; PHP and Go are run where they are.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.bearers import ask
from tests.support.needs import program
from tests.support.server import ROOT, ServerProcess, environment, run_command

DEADLINE: Final = 60.0
"""Seconds for one recipe; Go compiles its standard library first."""

SIGNED_IN: Final = """
import functools, json, types
from live import live_token
user = types.SimpleNamespace(id=42, pk=42, is_authenticated=True)
def show(answer, cache):
    assert "no-store" in cache, cache
    print(answer["token"])
"""

DRIVERS: Final[Mapping[str, str]] = {
    "live.py": "print(live_token('42'))",
    "views.py": """
import django
from django.conf import settings
settings.configure()
django.setup()
from django.test import RequestFactory
import views
request = RequestFactory().get("/live/token")
request.user = user
answer = views.token(request)
show(json.loads(answer.content), answer["Cache-Control"])
""",
    "main.py": """
import sys
sys.modules["auth"] = types.SimpleNamespace(current_user=lambda: user)
from fastapi.testclient import TestClient
import main
answer = TestClient(main.app).get("/live/token")
show(answer.json(), answer.headers["Cache-Control"])
""",
    "app.py": """
import sys
sys.modules["auth"] = types.SimpleNamespace(current_user=user, login_required=lambda view: view)
import app
answer = app.app.test_client().get("/live/token")
show(answer.json, answer.headers["Cache-Control"])
""",
}
"""What stands in for the application around a recipe."""

EXPRESS: Final = """
import { live } from "./live.js";
const response = {
  set(name, value) { if (`${name} ${value}` !== "Cache-Control no-store") throw value; return this; },
  json(answer) { console.log(answer.token); },
};
const app = { get: (path, signedIn, handler) => signedIn({ user: { id: 42 } }, response, handler) };
live(app, (request, response, next) => next(request, response));
"""

GO: Final = 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println(LiveToken("42")) }\n'


def recipes() -> dict[str, str]:
    """Each block that has a name."""
    text = (ROOT / "docs" / "tokens.md").read_text("utf-8")
    return dict(re.findall(r"^```\w+ ([\w.]+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE))


@pytest.fixture(scope="module")
def keys() -> str:
    """As the page says."""
    return run_command("token", "--new-key").stdout.strip()


@pytest.fixture(scope="module")
def server(keys: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    env = {"TWINWIRE_TOKEN_KEYS": keys, "TWINWIRE_APPS": "none"}
    with ServerProcess(tmp_path_factory.mktemp("guarded"), env=env) as process:
        yield process
        assert process.faults() == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, block in recipes().items():
        (tmp_path / name).write_text(block)
    return tmp_path


def run(*args: str, cwd: Path, keys: str) -> str:
    env = {
        **environment(),
        "TWINWIRE_TOKEN_KEYS": keys,
        "PYTHONPATH": str(cwd),
        "GO111MODULE": "off",
        "GOTOOLCHAIN": "local",
    }
    done = subprocess.run(args, cwd=cwd, env=env, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


async def hold(server: ServerProcess, text: str) -> None:
    """It may what the page says, and nothing else."""

    async def read(topic: str) -> int:
        return (await ask(server.url, "GET", f"/api/events?topic={topic}", text)).status

    async def publish(topic: str) -> int:
        return (await ask(server.url, "POST", "/api/events", text, {"topic": topic, "type": "x", "data": 1})).status

    assert [await read(topic) for topic in ("users/42/**", "news/today")] == [200, 200]
    assert [await read(topic) for topic in ("users/43/inbox", "**", "chat/1")] == [403, 403, 403]
    assert [await publish(topic) for topic in ("chat/1", "news/today", "users/42/inbox")] == [201, 403, 403]
    session: Any = (await ask(server.url, "GET", "/api/session", text)).json()
    assert (session["subject"], session["admin"]) == ("42", False)
    assert session["expires"]


def test_every_recipe_is_run() -> None:
    assert set(recipes()) == {*DRIVERS, "live.js", "live.php", "live.go"}
    for name, block in recipes().items():
        assert len([line for line in block.splitlines() if line.strip()]) <= 25, name


@pytest.mark.parametrize("name", DRIVERS)
async def test_python(server: ServerProcess, keys: str, folder: Path, name: str) -> None:
    (folder / "driver.py").write_text(SIGNED_IN + DRIVERS[name])
    await hold(server, run(sys.executable, "-W", "ignore", "driver.py", cwd=folder, keys=keys))


async def test_express(server: ServerProcess, keys: str, folder: Path) -> None:
    node = program("node")
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "driver.js").write_text(EXPRESS)
    await hold(server, run(node, "driver.js", cwd=folder, keys=keys))


async def test_php(server: ServerProcess, keys: str, folder: Path) -> None:
    php = shutil.which("php") or pytest.skip("no php")
    (folder / "driver.php").write_text("<?php require 'live.php'; echo live_token('42');")
    await hold(server, run(php, "driver.php", cwd=folder, keys=keys))


async def test_go(server: ServerProcess, keys: str, folder: Path) -> None:
    go = shutil.which("go") or pytest.skip("no go")
    (folder / "main.go").write_text(GO)
    await hold(server, run(go, "run", "live.go", "main.go", cwd=folder, keys=keys))


def test_inspect_says_that_it_is_valid(keys: str, folder: Path) -> None:
    """The page's last word, with a recipe's token."""
    (folder / "driver.py").write_text(SIGNED_IN + DRIVERS["live.py"])
    (folder / "token").write_text(run(sys.executable, "driver.py", cwd=folder, keys=keys))
    env = {"TWINWIRE_TOKEN_KEYS": keys}
    shown = run_command("token", "--inspect", str(folder / "token"), "--json", env=env)
    assert shown.returncode == 0, shown.stderr
    found = json.loads(shown.stdout)
    assert (found["subject"], found["subscribe"], found["publish"]) == ("42", ["users/42/**", "news/*"], ["chat/*"])
