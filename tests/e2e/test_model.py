"""Agents with a language model on a real server: a run through a kill, a brief from prose, a key that stays unseen."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support import standin as manners
from tests.support.http import request
from tests.support.projects import BRIEF, DEADLINE
from tests.support.server import ServerProcess
from tests.support.standin import APP, KEY, StandIn, mends, well


@asynccontextmanager
async def serving(folder: Path, standin: StandIn, **env: str) -> AsyncIterator[ServerProcess]:
    process = ServerProcess(folder, env={"TWINWIRE_GENERATION_PACE": "0", **standin.env(**env)})
    await process.astart()
    try:
        yield process
    finally:
        await asyncio.to_thread(process.discard)


async def begun(url: str) -> str:
    """The id of a project with a run."""
    made = await request(url, "POST", "/api/projects", json_body={"name": "Tools", "brief": BRIEF})
    id = str(made.json()["id"])
    assert (await request(url, "POST", f"/api/projects/{id}/generate")).status == 202
    return id


async def ended(url: str, id: str) -> dict[str, Any]:
    """The data of the completion of its newest run."""
    cursor = None
    async with asyncio.timeout(DEADLINE * 2):
        while True:
            query: dict[str, Any] = {"topic": f"projects/{id}", "type": "completion", "wait": 20}
            answer = (
                await request(url, "GET", "/api/events", query=query | ({"after": cursor} if cursor else {}))
            ).json()
            if answer["events"]:
                return dict(answer["events"][-1]["data"])
            cursor = answer["cursor"]


async def everything(url: str, id: str) -> str:
    """All that is told of it: events, files, the project, its runs."""
    events = await request(url, "GET", "/api/events", query={"topic": "**", "limit": 1_000})
    parts = [events.text, (await request(url, "GET", f"/api/projects/{id}")).text]
    files = (await request(url, "GET", f"/api/projects/{id}/files")).json()["files"]
    paths = [f"files/{one['path']}" for one in files]
    parts += [(await request(url, "GET", f"/api/projects/{id}/{path}")).text for path in (*paths, "runs/1/log")]
    return "\n".join(parts)


async def test_a_run_goes_on_after_a_kill_with_the_stage_that_it_was_at(tmp_path: Path) -> None:
    async with StandIn.open(well, manners.stalls_in_the_middle) as standin, serving(tmp_path, standin) as service:
        id = await begun(service.url)
        await standin.until(2)
        await service.akill9()
        standin.then(well)
        await service.astart()
        assert (await ended(service.url, id))["status"] == "completed"
        stages = (await request(service.url, "GET", f"/api/projects/{id}")).json()["stages"]
        assert [stage["agent"] for stage in stages] == ["plan", "code", "tests", "documentation", "packaging"]
        files = (await request(service.url, "GET", f"/api/projects/{id}/files")).json()["files"]
        assert {one["path"] for one in files} == {*APP, "docs/plan.md", "README.md", "pyproject.toml", ".gitignore"}
        state = await request(service.url, "GET", "/api/state", query={"topic": f"projects/{id}", "join": "text"})
        output = {one["subject"]: one["data"] for one in state.json()["events"] if one["type"] == "output"}
        assert output["output/2"].startswith(manners.file("app/__init__.py", APP["app/__init__.py"]))
        asked = [one.prompt for one in standin.asked]
        assert ["Plan a web" in one for one in asked] == [True, False, False, False], "the plan was not asked for again"
        assert service.faults() == []


async def test_tests_that_fail_are_handed_back_and_mended(tmp_path: Path) -> None:
    async with StandIn.open(mends) as standin, serving(tmp_path, standin, TWINWIRE_RUN_APPS="unconfined") as service:
        id = await begun(service.url)
        assert (await ended(service.url, id))["status"] == "completed"
        stages = (await request(service.url, "GET", f"/api/projects/{id}")).json()["stages"]
        assert stages[2]["message"].endswith("1 test passed")
        path = f"/api/projects/{id}/files/app/greeting.py"
        assert (await request(service.url, "GET", path)).text == APP["app/greeting.py"]
        repair = standin.asked[2].last
        assert "'Hello Ada' != 'Hello, Ada'" in repair, "what the tests put out"
        assert KEY not in repair
        assert service.faults() == []


async def test_a_brief_from_prose(tmp_path: Path) -> None:
    async with StandIn.open() as standin, serving(tmp_path, standin) as service:
        answer = await request(service.url, "POST", "/api/projects/brief", json_body={"text": "We lend tools."})
        brief = answer.json()["brief"]
        made = await request(service.url, "POST", "/api/projects", json_body={"name": "Tools", "brief": brief})
        assert made.status == 201


async def test_the_key_is_nowhere_to_be_seen(tmp_path: Path) -> None:
    """However the endpoint says it, at the level of the log that tells most."""

    async def in_a_redirect(asked: manners.Asked) -> None:
        await asked.answer("302 Found", b"", f"Location: https://elsewhere.example/{KEY}")

    async def in_an_event(asked: manners.Asked) -> None:
        await asked.begin()
        await asked.send(manners.event({"error": json.dumps({"key": KEY})}))
        asked.writer.close()

    echoes = (manners.refuses_the_key, in_a_redirect, in_an_event)
    async with StandIn.open() as standin, serving(tmp_path, standin, TWINWIRE_LOG_LEVEL="debug") as service:
        for manner in echoes:
            standin.then(manner)
            id = await begun(service.url)
            told = await ended(service.url, id)
            assert told["status"] == "failed"
            assert "****" in told["message"]
            assert KEY not in await everything(service.url, id)
            answer = await request(service.url, "POST", "/api/projects/brief", json_body={"text": "We lend tools."})
            assert (answer.status, "****" in answer.text, KEY in answer.text) == (503, True, False)
        standin.then(manners.says_the_key, well)
        id = await begun(service.url)
        assert (await ended(service.url, id))["status"] == "completed"
        told_all = await everything(service.url, id)
        assert "The key is ****" in told_all
        assert KEY not in told_all
        assert service.stop() == 0
        log = service.log.read_text()
        assert "chat/completions" in log
        assert KEY not in log
