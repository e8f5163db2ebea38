"""`twinwire ask`: it prints what people answer, and says by its exit status that they did not."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import pytest
from click.testing import Result

from tests.support import api
from tests.support.server import HOST, free_port
from tests.unit.twinwire.command.conftest import Run
from twinwire.command.ask import Asking, Patient, seconds_of
from twinwire.errors import TwinwireError
from twinwire.http import Http
from twinwire.place import Place
from twinwire.timing import Timing
from twinwire.token import Token

DEADLINE = 20.0
"""Seconds after which a test gives up."""


def call(url: str, method: str, path: str, body: object = None) -> dict[str, list[dict[str, object]]]:
    data = None if body is None else json.dumps(body).encode()
    request = Request(f"{url}/api/{path}", data, {"Content-Type": "application/json"}, method=method)
    with urlopen(request, timeout=DEADLINE) as answer:
        found: dict[str, list[dict[str, object]]] = json.loads(answer.read() or b"{}")
        return found


@contextlib.contextmanager
def somebody(url: str, name: str, method: str, path: str, body: object = None) -> Iterator[None]:
    """Who looks at the project of this name until there is a question, and does this to it."""
    is_over = threading.Event()

    def look() -> None:
        while not is_over.wait(0.02):
            for project in call(url, "GET", "projects")["projects"]:
                if project["name"] == name:
                    for question in call(url, "GET", f"projects/{project['id']}/questions")["questions"]:
                        if question["how"] is None:
                            call(url, method, f"projects/{project['id']}/questions/{question['id']}{path}", body)
                            return

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(DEADLINE)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5_400), ("2h0m5s", 7_205), ("1m30", 90)]
)
def test_a_time(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "1d", "10 m", "1m1h", "-1", "1.5m", "1e3", "\u0661m"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="write 90s, 10m or 1h30m"):
        seconds_of(text)


@pytest.mark.parametrize("answer", ["yes", "grün \u200d\u202e \U0001f600"])
def test_it_prints_the_answer_as_it_is(run: Run, url: str, answer: str) -> None:
    name = api.unique("project")
    choices = ("--choices", "yes, no") if answer == "yes" else ()
    with somebody(url, name, "POST", "/answer", {"answer": answer}):
        done = run("ask", "Deploy?", "--project", name, *choices)
    assert (done.exit_code, done.stdout, done.stderr) == (0, f"{answer}\n", "")


def test_without_an_answer_it_is_the_default_or_a_status_of_its_own(run: Run, url: str) -> None:
    name = api.unique("project")
    done = run("ask", "Deploy?", "--project", name, "--timeout", "1s", "--default", "no", "--choices", "yes,no")
    assert (done.exit_code, done.stdout) == (0, "no\n")
    done = run("ask", "Deploy?", "--project", name, "--timeout", "1")
    assert (done.exit_code, done.stdout, done.stderr) == (3, "", "twinwire: nobody answered in time\n")
    with somebody(url, name, "DELETE", ""):
        done = run("ask", "Deploy?", "--project", name)
    assert (done.exit_code, done.stdout) == (3, "")
    assert "the question was withdrawn by somebody" in done.stderr


def test_a_key_asks_once(run: Run) -> None:
    name = api.unique("project")
    ask = ("ask", "Deploy?", "--project", name, "--key", "build-7", "--default", "no")
    assert run(*ask, "--timeout", "1s").stdout == "no\n"
    assert run(*ask, "--timeout", "1h").stdout == "no\n"


class Watched(Http):
    """Knows what was asked, and when the answer is waited for."""

    def __init__(self, url: str) -> None:
        super().__init__(Place(url), Token(""), Timing())
        self.methods: list[str] = []
        self.is_waiting = asyncio.Event()

    async def attempt(self, method: str, *args: Any, **sent: Any) -> Any:
        self.methods.append(method)
        if method == "GET":
            self.is_waiting.set()
        return await super().attempt(method, *args, **sent)


async def test_a_question_is_taken_back_with_one_request(url: str) -> None:
    http, name = Watched(url), api.unique("project")
    task = asyncio.ensure_future(Patient(http, name, Asking("key", "Deploy?", 60.0, None, None)).ask())
    async with asyncio.timeout(DEADLINE):
        await http.is_waiting.wait()
        task.cancel()
        await asyncio.wait({task})
    await http.close()
    assert task.cancelled()
    assert http.methods == ["POST", "POST", "GET", "DELETE"]


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("Deploy?", "--choices", "a,b", "--default", "c"), "--default: 422 .*choose one of 'a', 'b'"),
        (("Deploy?", "--choices", "a,,b"), "--choices: 422 "),
        (("",), "QUESTION: 422 "),
        (("Deploy?", "--key", "x" * 65), "--key: 422 "),
        (("Deploy?", "--timeout", "48h"), "--timeout: 422 "),
    ],
)
def test_what_the_service_refuses_is_said_of_the_option(run: Run, args: tuple[str, ...], told: str) -> None:
    with pytest.raises(TwinwireError, match=told):
        raise run("ask", *args, "--project", api.unique("project")).exception or AssertionError


def test_a_command_line_that_is_none(run: Run) -> None:
    def told(result: Result) -> tuple[int, str]:
        return result.exit_code, result.stderr.splitlines()[-1]

    assert told(run("ask", "Deploy?"))[0] == 2
    assert "--timeout TIME " in run("ask", "--help").stdout
    assert told(run("ask", "Deploy?", "--project", "p", "--timeout", "soon")) == (
        2,
        "Error: Invalid value for '--timeout': 'soon' is no time: write 90s, 10m or 1h30m",
    )


def test_who_can_not_be_reached_is_waited_for_as_long_as_the_question_would_be_open(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twinwire.command.ask.PATIENCE", 0.0)
    port = free_port()
    done = run("ask", "Deploy?", "--project", "p", "--timeout", "2s", "--url", f"http://{HOST}:{port}")
    assert done.exit_code == 1
    assert f"no answer from http://{HOST}:{port}: Connection refused; trying again" in done.stderr
