"""The generated application, used as people use it: unzipped, tested by its own tests, started, visited."""

import asyncio
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, Request, build_opener

import pytest

from tests.support.projects import BRIEF, World

NASTY_NAME = '\'"""\\N{x} <script>alert(1)</script> ${title} {0} %s `rm` | ]] \\ 👩‍💻 日本'
NASTY_BRIEF = """
class: import text, def int, lambda float, none bool, yield date, self text, rowid int, oid int, _x text;
""".replace("_x", "x_")
WORDS_BRIEF = (
    "app: entities text, submit text, action int; tests: test text; storage: table text, order int;"
    "select: from text, where int, group bool; unittest: setup text; model: fields text, kind text, label text;"
    "index: name text, name_ text; none: true bool, false bool; new: edit text, delete text; con: nul text;"
    "json: values text, key int; str: format text; ids: done text; favicon: page int, limit int, offset int"
)
RELATIONS_BRIEF = (
    "tools: name text, deposit float; loans: tool -> tools, person text, due date, extends -> loans;"
    "select: order -> groups, by -> groups; groups: where -> select, only bool; nothing: x bool"
)
PROJECTS = {
    "example": ("Tasks & people", BRIEF),
    "nasty": (NASTY_NAME, NASTY_BRIEF),
    "words": ("-", WORDS_BRIEF),
    "relations": ("Tools, and who has them", RELATIONS_BRIEF),
}
TIME_LIMIT = 60
"""Seconds for a subprocess before the test gives up on it."""

ENVIRONMENT = {**os.environ, "PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "error"}


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    text: str


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def visit(method: str, url: str, body: bytes | None = None, **headers: str) -> Answer:
    request = Request(url, body, {name.replace("_", "-"): value for name, value in headers.items()}, method=method)
    try:
        with build_opener(_NoRedirect).open(request, timeout=TIME_LIMIT) as response:
            return Answer(response.status, dict(response.headers), response.read().decode())
    except HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers), error.read().decode())


def send(method: str, url: str, value: Any) -> Answer:
    return visit(method, url, json.dumps(value).encode(), Content_Type="application/json")


def submit(url: str, values: dict[str, str]) -> Answer:
    return visit("POST", url, urlencode(values).encode(), Content_Type="application/x-www-form-urlencoded")


async def _generate(folder: Path, name: str, brief: str) -> bytes:
    async with World.open(folder / "test.db") as world:
        service = await world.service()
        id = (await service.create(name, brief)).id
        run = await service.generate(id)
        end = await world.completion(run.id)
        assert end.data["status"] == "completed", end.data
        return (await service.archive(id))[1]


@pytest.fixture(scope="module", params=list(PROJECTS))
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The name of a case, and the folder where its archive was unpacked."""
    folder = tmp_path_factory.mktemp(request.param)
    archive = asyncio.run(_generate(folder, *PROJECTS[request.param]))
    return request.param, unpacked(archive, folder / "app")


def unpacked(archive: bytes, folder: Path) -> Path:
    """The one folder in it."""
    with zipfile.ZipFile(io.BytesIO(archive)) as unzipped:
        unzipped.extractall(folder)
    (inner,) = folder.iterdir()
    return inner


def _hear_interrupts() -> None:
    """A shell makes what it starts in the background deaf to Ctrl-C, and Python keeps it so; tests may run there."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def running(folder: Path, *options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The application on a free port, and its URL as it prints it."""
    command = [sys.executable, "-m", "app", "--port", "0", *options]
    process = subprocess.Popen(
        command, cwd=folder, env=ENVIRONMENT, text=True, stdout=subprocess.PIPE, preexec_fn=_hear_interrupts
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        found = re.search(r"http://\S+/", line)
        assert found, line
        yield found[0].rstrip("/"), process
    finally:
        process.kill()
        process.communicate(timeout=TIME_LIMIT)


def test_its_own_tests_pass(project: tuple[str, Path]) -> None:
    name, folder = project
    command = [sys.executable, "-m", "unittest", "discover"]
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, text=True, capture_output=True, timeout=TIME_LIMIT)
    assert done.returncode == 0, done.stderr
    count = re.search(r"^Ran (\d+) tests", done.stderr, re.MULTILINE)
    assert count
    entities = len(PROJECTS[name][1].strip().rstrip(";").split(";"))
    assert int(count[1]) >= 20 + 9 * entities


def test_it_is_clean_python(project: tuple[str, Path]) -> None:
    """What users keep is held to the rules that we keep."""
    _, folder = project
    ruff = shutil.which("ruff", path=Path(sys.executable).parent) or shutil.which("ruff")
    assert ruff
    shared = ["--isolated", "--no-cache", "--target-version", "py310", "--line-length", "100"]
    rules = ["--select", "E,F,W,I,UP,B,C4,SIM,RET"]
    for command in (["check", *shared, *rules, "."], ["format", *shared, "--check", "."]):
        done = subprocess.run([ruff, *command], cwd=folder, text=True, capture_output=True, timeout=TIME_LIMIT)
        assert done.returncode == 0, done.stdout


def test_it_can_be_installed_under_a_legal_name(project: tuple[str, Path]) -> None:
    name, folder = project
    settings = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", settings["name"])
    assert settings["description"] == PROJECTS[name][0]


def test_its_openapi_document_describes_what_is_there(project: tuple[str, Path]) -> None:
    name, folder = project
    document = json.loads((folder / "app/static/openapi.json").read_text("utf-8"))
    assert document["info"]["title"] == PROJECTS[name][0]
    with running(folder) as (url, _):
        for path in document["paths"]:
            if "{" not in path:
                assert visit("GET", url + path).text == "[]"


def test_pages_and_api_of_the_example(project: tuple[str, Path]) -> None:
    name, folder = project
    entity, values, changes = {
        "example": ("people", {"name": "Ada <3", "email": "", "age": "36"}, {"name": "Grace", "age": 85}),
        "nasty": ("class", {"import": "Ada <3", "def": "1"}, {"import": "Grace", "lambda": 0.5, "none": True}),
        "words": ("app", {"entities": "Ada <3", "submit": "x"}, {"entities": "Grace", "action": -1}),
        "relations": ("loans", {"person": "Ada <3", "tool": ""}, {"person": "Grace", "extends": None}),
    }[name]
    first = next(iter(values))
    with running(folder) as (url, _):
        home = visit("GET", f"{url}/")
        assert f">{PROJECTS[name][0]}<" in unescape(home.text)
        assert "<script>" not in home.text
        assert f'href="/{entity}"' in home.text
        created = submit(f"{url}/{entity}/new", values)
        assert (created.status, created.headers["Location"]) == (303, f"/{entity}?done=created")
        assert "Ada &lt;3" in visit("GET", f"{url}/{entity}").text
        (record,) = json.loads(visit("GET", f"{url}/api/{entity}").text)
        assert record[first] == "Ada <3"
        own = f"{url}/api/{entity}/{record['id']}"
        assert send("PUT", own, changes).status == 200
        assert json.loads(visit("GET", own).text).items() >= changes.items()
        assert 'value="Grace"' in visit("GET", f"{url}/{entity}/{record['id']}/edit").text
        wrong = submit(f"{url}/{entity}/{record['id']}/edit", {first: ""})
        assert (wrong.status, f'id="field-{first}-error"' in wrong.text) == (422, True)
        assert submit(f"{url}/{entity}/{record['id']}/delete", {}).status == 303
        assert visit("GET", own).status == 404
        refused = send("POST", f"{url}/api/{entity}", {first: 1})
        assert (refused.status, json.loads(refused.text)["fields"]) == (422, {first: "has to be text"})


def test_relations_lead_from_list_to_list(tmp_path: Path) -> None:
    """A choice, a name that is a way, a deletion that is refused; and what is searched and sorted is kept in pages."""
    app = unpacked(asyncio.run(_generate(tmp_path, *PROJECTS["relations"])), tmp_path / "app")
    with running(app) as (url, _):
        for name in ("Äxte & Beile", "saw"):
            assert send("POST", f"{url}/api/tools", {"name": name}).status == 201
        assert '<option value="1">Äxte &amp; Beile</option>' in visit("GET", f"{url}/loans/new").text
        for number in range(60):
            person = f"100% of {number:02}" if number < 55 else "other"
            assert send("POST", f"{url}/api/loans", {"person": person, "tool": 1 + number % 2}).status == 201
        assert '<a href="/tools/1/edit">Äxte &amp; Beile</a>' in visit("GET", f"{url}/loans").text
        refused = visit("DELETE", f"{url}/api/tools/1")
        assert (refused.status, "loans (tool)" in refused.text) == (409, True)
        assert '<a href="/loans?where=tool%3A1">30 loans</a> (as tool)' in visit("GET", f"{url}/tools/1/delete").text
        query = urlencode({"search": "0% OF", "sort": "person", "page": 2})
        page = visit("GET", f"{url}/loans?{query}").text
        assert (page.count(">100% of "), ">100% of 54<" in page, 'aria-sort="ascending"' in page) == (5, True, True)
        found = visit("GET", f"{url}/api/loans?{urlencode({'search': 'äXTE', 'sort': '-person', 'limit': 2})}")
        assert found.headers["X-Total-Count"] == "30"
        assert [one["person"] for one in json.loads(found.text)] == ["other", "other"]
        assert send("POST", f"{url}/api/loans", {"person": "x", "tool": 9}).status == 422


def test_other_sites_can_not_post(project: tuple[str, Path]) -> None:
    _, folder = project
    with running(folder) as (url, _):
        form = "application/x-www-form-urlencoded"
        for headers in ({"Origin": "http://elsewhere.example"}, {"Sec_Fetch_Site": "cross-site"}):
            answer = visit("POST", f"{url}/x/new", b"a=b", Content_Type=form, **headers)
            assert answer.status == 403
        assert visit("POST", f"{url}/x/new", b"a=b", Content_Type=form, Origin=url).status == 404


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly_and_keeps_its_data(tmp_path: Path, number: signal.Signals) -> None:
    app = unpacked(asyncio.run(_generate(tmp_path, *PROJECTS["example"])), tmp_path / "app")
    database = str(tmp_path / "data.db")
    with running(app, "--database", database) as (url, process):
        assert send("POST", f"{url}/api/tasks", {"title": "kept"}).status == 201
        process.send_signal(number)
        rest, _ = process.communicate(timeout=TIME_LIMIT)
        assert (process.returncode, rest) == (0, "Stopped.\n")
    with running(app, "--database", database) as (url, _):
        assert "kept" in visit("GET", f"{url}/tasks").text


def test_a_start_that_fails_says_why(project: tuple[str, Path]) -> None:
    _, folder = project
    with running(folder) as (url, _):
        port = url.rpartition(":")[2]
        for options, message in (
            (["--port", port], "Can't listen on 127.0.0.1"),
            (["--port", "70000"], "Can't listen on 127.0.0.1"),
            (["--database", "no/such/folder/x.db"], "can't be opened"),
        ):
            command = [sys.executable, "-m", "app", *options]
            done = subprocess.run(
                command, cwd=folder, env=ENVIRONMENT, text=True, capture_output=True, timeout=TIME_LIMIT
            )
            assert (done.returncode, "Traceback" in done.stderr) == (1, False)
            assert message in done.stderr
