"""A question in mid-run over kill -9: what waits for it waits on, and a deadline that has passed has its effect."""

import asyncio
import contextlib
import os
import re
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Serve
from tests.support.http import request
from tests.support.server import ROOT, ServerProcess, environment

DEADLINE = 30.0
"""Seconds after which the test gives up."""


async def started(server: ServerProcess, *args: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "twinwire",
        "ask",
        *args,
        cwd=ROOT,
        env=environment({"TWINWIRE_URL": server.url}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def questions(server: ServerProcess, count: int, **wanted: Any) -> list[dict[str, Any]]:
    """Of the project, the newest first, once so many are as is wanted."""
    async with asyncio.timeout(DEADLINE):
        while True:
            for project in (await request(server.url, "GET", "/api/projects")).json()["projects"]:
                found = (await request(server.url, "GET", f"/api/projects/{project['id']}/questions")).json()
                fitting = [one for one in found["questions"] if wanted.items() <= one.items()]
                if len(fitting) == count:
                    return fitting
            await asyncio.sleep(0.05)


def path(question: dict[str, Any], rest: str = "") -> str:
    return f"/api/projects/{question['project']}/questions/{question['id']}{rest}"


async def test_kill_9_in_between_asks_on(serve: Serve) -> None:
    """Two commands wait over three kills: one is answered then; the other's time passes while nobody is there."""
    server = serve()
    answered = await started(server, "Deploy?", "--project", "Release", "--choices", "yes,no")
    left = await started(server, "Anybody?", "--project", "Release", "--default", "nobody")
    before = await questions(server, 2, how=None)
    for _ in range(2):
        await server.akill9()
        await server.astart()
        assert await questions(server, 2, how=None) == before
    await server.akill9()
    with contextlib.closing(sqlite3.connect(server.database)) as database, database:  # as if it had been down so long
        database.execute("UPDATE questions SET deadline = asked WHERE fallback = 'nobody'")
    await server.astart()
    (over,) = await questions(server, 1, how="default")
    assert (over["question"], over["answer"]) == ("Anybody?", "nobody")
    (open_one,) = await questions(server, 1, how=None)
    given = await request(server.url, "POST", path(open_one, "/answer"), json_body={"answer": "yes"})
    assert given.status == 200, given.text
    for process, told in ((answered, b"yes\n"), (left, b"nobody\n")):
        async with asyncio.timeout(DEADLINE):
            out, err = await process.communicate()
        assert (process.returncode, out) == (0, told), err
        assert err.count(b"trying again") >= 1
    assert len(await questions(server, 2)) == 2  # nothing was asked twice


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_whoever_ends_the_command_takes_the_question_back(server: ServerProcess, number: signal.Signals) -> None:
    name = f"Ended by {number.name}"
    process = await started(server, name, "--project", "Ended", "--choices", "yes,no")
    (question,) = await questions(server, 1, question=name, how=None)
    process.send_signal(number)
    async with asyncio.timeout(DEADLINE):
        assert await process.wait() == 128 + number
    withdrawn = (await request(server.url, "GET", path(question))).json()
    assert (withdrawn["how"], withdrawn["answer"]) == ("withdrawn", None)
    late = await request(server.url, "POST", path(question, "/answer"), json_body={"answer": "yes"})
    assert late.problem(409)["detail"] == "somebody has withdrawn it"


async def test_it_is_in_the_picture_and_only_the_application_tells_of_it(server: ServerProcess) -> None:
    process = await started(server, "Seen?", "--project", "Picture", "--timeout", "1s", "--default", "no")
    async with asyncio.timeout(DEADLINE):
        assert await process.wait() == 0
    (question,) = await questions(server, 1, question="Seen?")
    topic = f"projects/{question['project']}"
    state = (await request(server.url, "GET", f"/api/state?topic={topic}")).json()["events"]
    assert [(one["type"], one["data"]) for one in state if one["subject"] == f"questions/{question['id']}"] == [
        ("answer", question)
    ]
    past = (await request(server.url, "GET", f"/api/events?topic={topic}&after=earliest")).json()["events"]
    told = [(one["type"], one["data"]["how"]) for one in past if one.get("subject", "").startswith("questions/")]
    assert told == [("question", None), ("answer", "default")]
    for type in ("question", "answer"):
        forged = {"topic": topic, "type": type, "data": question}
        assert (await request(server.url, "POST", "/api/events", json_body=forged)).problem(403)["field"] == "type"


async def test_the_commands_of_the_document_do_as_it_says(server: ServerProcess, tmp_path: Path) -> None:
    """docs/questions.md: its script deploys if somebody says so, and its requests ask and look."""
    document = (ROOT / "docs" / "questions.md").read_text("utf-8")
    script, requests = (
        re.findall(rf"^```{kind}\n(.*?)^```", document, re.DOTALL | re.MULTILINE) for kind in ("bash", "sh")
    )
    for name, does in (("twinwire", f'exec {sys.executable} -m twinwire "$@"'), ("deploy", "echo deployed")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    env = environment({"TWINWIRE_URL": server.url, "PATH": f"{tmp_path}:{os.environ['PATH']}"})

    async def run(text: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_shell(text, cwd=tmp_path, env=env, stdout=asyncio.subprocess.PIPE)

    process = await run(script[0])
    (question,) = await questions(server, 1, question="Deploy to production?", default="no")
    await request(server.url, "POST", path(question, "/answer"), json_body={"answer": "yes"})
    async with asyncio.timeout(DEADLINE):
        assert (await process.communicate())[0] == b"deployed\n"
    ask, look = requests[0].replace("localhost:8000", f"127.0.0.1:{server.port}").splitlines()
    said = (await (await run(f"{ask.replace('ID', question['project'])} -sS")).communicate())[0]
    (other,) = await questions(server, 1, question="Deploy?", how=None)
    assert other["id"].encode() in said
    looking = await run(f"{look.replace('QUESTION', other['id']).replace('ID', other['project'])} -sS")
    await request(server.url, "POST", path(other, "/answer"), json_body={"answer": "no"})
    async with asyncio.timeout(DEADLINE):
        assert b'"answer":"no"' in (await looking.communicate())[0]
