"""Agents, and commands that `twinwire run` reports, are present at their project's place: on a real server."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.conftest import Serve
from tests.support.clients import open_stream
from tests.support.http import DEADLINE, request
from tests.support.server import ServerProcess, environment
from tests.support.watching import Watcher

pytestmark = pytest.mark.projects

BRIEF: Final = "tasks: title text, done bool"
LONG: Final = "60"
"""Seconds that each stage takes at least: a test ends it before."""


async def ask(server: ServerProcess, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    answer = await request(server.url, method, path, json_body=body)
    assert answer.status == status, answer.text
    return answer.json() if answer.body else None


async def project_of(server: ServerProcess, brief: str | None = BRIEF) -> str:
    made = await ask(server, "POST", "/api/projects", {"name": "P", "brief": brief}, 201)
    return str(made["id"])


@asynccontextmanager
async def watching(server: ServerProcess, project: str) -> AsyncIterator[Watcher]:
    place = f"projects/{project}"
    async with open_stream(server.url, "websocket", place, query={"presence": 1}) as stream:
        yield Watcher(stream, place)


async def test_an_agent_is_there_until_it_is_cancelled(serve: Serve) -> None:
    server = serve(generation_pace=LONG)
    project = await project_of(server)
    async with watching(server, project) as watcher:
        await watcher.users()
        await ask(server, "POST", f"/api/projects/{project}/generate", status=202)
        await watcher.users("agent:requirements")
        (member,) = watcher.members.values()
        assert member["member"] == ":stage-1-1"
        assert member["data"] == {"agent": "requirements", "run": 1, "stage": 1}
        await ask(server, "POST", f"/api/projects/{project}/cancel", status=202)
        await watcher.users()
        assert [one["member"] for one in watcher.diffs[-1]["leaves"]] == [":stage-1-1"]


async def test_with_its_project_everybody_goes(serve: Serve) -> None:
    server = serve(generation_pace=LONG)
    project = await project_of(server)
    await ask(server, "POST", f"/api/projects/{project}/generate", status=202)
    await ask(server, "POST", f"/api/projects/{project}/runs", {"key": "k", "command": "make"}, 201)
    async with watching(server, project) as watcher:
        await watcher.users("agent:requirements", "run:2")
        await ask(server, "DELETE", f"/api/projects/{project}", status=204)
        await watcher.users()


async def test_agents_follow_each_other_and_nobody_is_left(serve: Serve) -> None:
    server = serve(generation_pace="0.6")
    project = await project_of(server)
    async with watching(server, project) as watcher:
        await watcher.users()
        await ask(server, "POST", f"/api/projects/{project}/generate", status=202)
        await watcher.until(lambda members: ":stage-1-12" in members)
        await watcher.users()
    seen = [one["member"] for diff in watcher.diffs for one in diff.get("joins", ())]
    assert seen == [f":stage-1-{number}" for number in range(1, 13)]
    assert all(diff["members"] <= 2 for diff in watcher.diffs)


async def test_after_a_kill_they_are_there_again(serve: Serve) -> None:
    server = serve(generation_pace=LONG)
    project = await project_of(server)
    await ask(server, "POST", f"/api/projects/{project}/generate", status=202)
    await ask(server, "POST", f"/api/projects/{project}/runs", {"key": "k", "command": "make"}, 201)
    async with watching(server, project) as watcher:
        await watcher.users("agent:requirements", "run:2")
    await server.akill9()
    await server.astart()
    async with watching(server, project) as watcher:
        await watcher.users("agent:requirements", "run:2")
        assert set(watcher.members) == {":stage-1-1", ":run-2"}
        await ask(server, "POST", f"/api/projects/{project}/cancel", status=202)
        await watcher.users("run:2")


async def test_no_client_is_taken_for_one_of_them(serve: Serve) -> None:
    server = serve()
    project = await project_of(server)
    path = f"/api/presence/projects/{project}/:stage-1-1"
    answer = await request(server.url, "PUT", path, json_body={"data": {"agent": "coder"}})
    assert answer.problem(422)["field"] == "member"


async def test_a_command_is_there_while_it_runs(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    project = await project_of(server, None)
    env = environment({"TWINWIRE_URL": server.url, "TWINWIRE_RUNS_DIR": str(tmp_path / "runs")})
    command = [sys.executable, "-m", "twinwire", "run", "--project", project, "--", "cat"]
    async with watching(server, project) as watcher:
        await watcher.users()
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, env=env, stdin=pipe, stdout=pipe, stderr=pipe)
        try:
            await watcher.users("run:1")
            (member,) = watcher.members.values()
            assert (member["member"], member["data"]) == (":run-1", {"run": 1, "title": "cat"})
            async with asyncio.timeout(DEADLINE):
                await process.communicate(b"over\n")
            await watcher.users()
        finally:
            if process.returncode is None:
                process.kill()
        assert process.returncode == 0
