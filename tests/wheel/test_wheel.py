"""The wheel, in a new environment and an empty folder, as somebody has it who has nothing else of ours."""

import json
import re
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path
from typing import Any

import pytest

from tests.support.documents import first_line_of_the_readme
from tests.support.server import ROOT, ServerProcess
from tests.support.tour import take
from tests.wheel.conftest import Installed, run

LOADED = "import sys, twinwire; print([n for n in sys.modules if n in ('quart', 'hypercorn', 'service', 'pydantic')])"


def test_the_client_alone(installed: Installed, tmp_path: Path) -> None:
    programs = installed("")
    python, twinwire = programs / "python", programs / "twinwire"
    there = {line.partition(" ")[0] for line in run(python, "-m", "pip", "list", cwd=tmp_path).splitlines()}
    assert "quart" not in {name.lower() for name in there}
    assert run(python, "-c", LOADED, cwd=tmp_path) == "[]\n"
    with ServerProcess(tmp_path / "server", env={"TWINWIRE_APPS": "none"}) as server:
        env = {"TWINWIRE_URL": server.url, "PATH": "/usr/bin:/bin"}
        said = first_line_of_the_readme(python, tmp_path, env)
        assert said.endswith("tour/1 {'text': 'hello'}\n")
        id = run(twinwire, "publish", "wheel", "note", '{"n":1}', "--url", server.url, cwd=tmp_path).strip()
        tail = run(twinwire, "tail", "wheel", "--after", "earliest", "--once", "--url", server.url, cwd=tmp_path)
        assert id in tail
        assert run(twinwire, "state", "wheel", "--json", "--url", server.url, cwd=tmp_path).startswith('{"cursor":')
    assert "twinwire_outbox" in run(twinwire, "relay", "--sql", "postgresql", cwd=tmp_path)
    refused = subprocess.run([twinwire, "serve"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "No such command 'serve'. The server's commands come with `pip install 'twinwire[server]'`" in refused.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["server"], "an empty folder stays one"


async def test_the_server_and_the_tour(installed: Installed, tmp_path: Path) -> None:
    programs = installed("[server]")
    folder = tmp_path / "empty"
    run(programs / "twinwire", "check", "--database", tmp_path / "a.db", cwd=tmp_path)
    # In place of this checkout's, on which PYTHONPATH lies: what stands before the command's own arguments is dropped.
    ours = ("sh", "-c", 'shift 3; exec env -u PYTHONPATH "$TWINWIRE_COMMAND" "$@"', "_")
    env = {"TWINWIRE_COMMAND": str(programs / "twinwire")}
    with ServerProcess(folder, env=env, wrapper=ours) as server:
        await take(server.url, f"env -u PYTHONPATH {programs / 'twinwire'}")


def test_what_is_in_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        files = opened.namelist()
        (metadata,) = [name for name in files if name.endswith("METADATA")]
        told = Parser().parsestr(opened.read(metadata).decode())
    assert {name.partition("/")[0] for name in files if ".dist-info" not in name} == {"service", "twinwire"}
    assert "twinwire/py.typed" in files
    assert "service/_data/static/lab.html" in files
    assert any(name.startswith("service/_data/migrations/0001") for name in files)
    base = [one for one in told.get_all("Requires-Dist") or [] if "extra ==" not in one]
    assert sorted(re.split(r"[<>=]", one)[0] for one in base) == ["click", "httpx2", "msgspec", "websockets"]
    assert set(told.get_all("Provides-Extra") or []) == {"server", "sqlalchemy", "brotli", "django", "otel"}
    assert told.get_content_type() == "text/plain", "of the headers"
    assert told["Description-Content-Type"] == "text/markdown"
    assert str(told.get_payload()).startswith("# Twinwire")


LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
REPOSITORY = "https://git.example/twinwire/twinwire"


def metadata(source: Path, repository: str) -> Any:
    env = {"TWINWIRE_REPOSITORY": repository}
    return json.loads(run(sys.executable, "-m", "hatchling", "metadata", cwd=source, env=env))


def test_no_link_leads_nowhere(source: Path) -> None:
    told = metadata(source, "")
    text, readme = told["readme"]["text"], (ROOT / "README.md").read_text("utf-8")
    assert LINK.findall(CODE.sub("", text)) == []
    assert CODE.findall(text) == CODE.findall(readme), "code is as it was"
    assert "urls" not in told
    assert "docs/python.md is the client" in text


def test_a_releases_links_lead_to_its_tag(source: Path) -> None:
    told = metadata(source, f"{REPOSITORY}/")
    tag = f"v{told['version']}"
    links = LINK.findall(CODE.sub("", told["readme"]["text"]))
    assert f"{REPOSITORY}/raw/{tag}/docs/screenshot.png" in links
    pages = [link for link in links if "/raw/" not in link]
    assert len(pages) > 10
    for link in pages:
        assert link.startswith(f"{REPOSITORY}/blob/{tag}/")
        assert (ROOT / link.removeprefix(f"{REPOSITORY}/blob/{tag}/").partition("#")[0]).exists(), link
    assert told["urls"].pop("Source") == REPOSITORY
    for address in told["urls"].values():
        assert (ROOT / address.removeprefix(f"{REPOSITORY}/blob/{tag}/")).exists(), address


@pytest.mark.parametrize("wrong", ["twinwire", "http://git.example/t", "https://user:word@git.example/t"])
def test_what_is_no_address_ends_the_build(source: Path, wrong: str) -> None:
    with pytest.raises(AssertionError, match="TWINWIRE_REPOSITORY"):
        metadata(source, wrong)
