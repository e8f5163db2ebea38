"""Generation over real processes: followed live, killed in mid-run, gone on with, cancelled."""

import asyncio
from typing import Any

import pytest

from tests.e2e.conftest import Serve
from tests.support import api
from tests.support.clients import TRANSPORTS, Transport, open_stream
from tests.support.creating import new_project
from tests.support.follower import Follower
from tests.support.frames import Frame
from tests.support.http import request
from tests.support.server import ServerProcess

STAGES = 12
PACE = "0.1"
"""Seconds a stage takes at least: long enough for a kill to meet a run, short enough for a test."""


async def act(url: str, project: str, action: str, status: int = 202) -> Any:
    response = await request(url, "POST", f"/api/projects/{project}/{action}")
    assert response.status == status, response.text
    return response.json()


async def snapshot(url: str, project: str) -> dict[str, Any]:
    response = await request(url, "GET", f"/api/projects/{project}")
    assert response.status == 200
    return dict(response.json())


def is_completion(frame: Frame) -> bool:
    return frame.is_event and frame.type == "completion"


def completed_stages(events: list[Frame]) -> list[str]:
    return [
        frame.data["agent"] for frame in events if frame.type == "agent_update" and frame.data["status"] == "completed"
    ]


@pytest.mark.parametrize("kills", [(1,), (3, 7, 11)], ids=["once", "three times"])
async def test_a_killed_run_goes_on_from_the_first_unfinished_stage(serve: Serve, kills: tuple[int, ...]) -> None:
    """After kill -9 the run goes on by itself and says so; each stage completes once, each event comes
    once.
    """
    server = serve(generation_pace=PACE)
    project = await new_project(server.url, "E2E")
    reached = {count: asyncio.Event() for count in kills}
    completed = 0

    def note(frame: Frame) -> None:
        nonlocal completed
        completed += frame.type == "agent_update" and frame.data["status"] == "completed"
        if completed in reached:
            reached[completed].set()

    follower = Follower(
        server.url,
        [f"projects/{project}"],
        transport="websocket",
        seed="generation",
        after="earliest",
        on_event=note,
    )
    following = asyncio.create_task(follower.run(is_completion))
    await follower.opened.wait()
    run = await act(server.url, project, "generate")
    for count in kills:
        await reached[count].wait()
        await server.akill9()
        await server.astart()
    await following
    await assert_whole(server, project, follower, run["id"])
    messages = [str(frame.data.get("message")).lower() for frame in follower.events]
    assert any("resum" in text or "continu" in text or "interrupt" in text for text in messages), "it says so"


async def assert_whole(server: ServerProcess, project: str, follower: Follower, run: str) -> None:
    stored = await api.history(server.url, [f"projects/{project}"])
    assert [frame.value for frame in follower.events] == stored
    assert follower.gaps == []
    agents = completed_stages(follower.events)
    assert len(agents) == len(set(agents)) == STAGES
    completion = follower.events[-1].data
    assert (completion["run"], completion["status"]) == (run, "completed")
    assert sum(frame.type == "completion" for frame in follower.events) == 1
    progress = [frame.data["progress"] for frame in follower.events if frame.type == "status_update"]
    assert progress == sorted(progress)
    after = await snapshot(server.url, project)
    assert (after["status"], after["progress"]) == ("completed", 100)
    assert [stage["status"] for stage in after["stages"]] == ["completed"] * STAGES


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_snapshot_and_the_stream_after_its_cursor_are_the_whole(serve: Serve, transport: Transport) -> None:
    """At any instant of a run: what the snapshot says and what comes after its cursor fit without a seam."""
    server = serve(generation_pace=PACE)
    project = await new_project(server.url, "E2E")
    await act(server.url, project, "generate")
    views: list[tuple[dict[str, Any], list[Frame]]] = []
    status = "running"
    while status in {"queued", "running"} and len(views) < 12:
        view = await snapshot(server.url, project)
        status = view["status"]
        if status not in {"queued", "running"}:
            break
        async with open_stream(server.url, transport, f"projects/{project}", after=view["cursor"]) as stream:
            await stream.events(1)
            views.append((view, [frame for frame in stream.frames if frame.is_event]))
    assert views
    await _until_complete(server, project)
    stored = await api.history(server.url, [f"projects/{project}"])
    for view, seen in views:
        before = [event for event in stored if api.offset(event["id"]) <= api.offset(view["cursor"])]
        rest = stored[len(before) :]
        assert [frame.value for frame in seen] == rest[: len(seen)]
        _assert_snapshot_is_the_sum(view, before)


def _assert_snapshot_is_the_sum(view: dict[str, Any], events: list[dict[str, Any]]) -> None:
    """What a page would have drawn from the events up to the cursor is what the snapshot says."""
    updates = [event["data"] for event in events if event["type"] == "status_update"]
    if updates:
        assert (view["status"], view["progress"]) == (updates[-1]["status"], updates[-1]["progress"])
    done = [
        event["data"]["agent"]
        for event in events
        if event["type"] == "agent_update" and event["data"]["status"] == "completed"
    ]
    assert [stage["agent"] for stage in view["stages"] if stage["status"] == "completed"] == done
    paths = {event["data"]["path"] for event in events if event["type"] == "file_update"}
    assert view["files"] == len(paths)


async def _until_complete(server: ServerProcess, project: str) -> None:
    view = await snapshot(server.url, project)
    if view["status"] in {"queued", "running"}:
        async with open_stream(server.url, "sse", f"projects/{project}", after=view["cursor"]) as stream:
            await stream.until(is_completion)


async def test_cancel_ends_a_run_and_generate_works_again(serve: Serve) -> None:
    """Cancel in mid-run: `cancelled`, no further stage, 409 for another cancel; the next run completes."""
    server = serve(generation_pace="0.3")
    project = await new_project(server.url, "E2E")
    async with open_stream(server.url, "sse", f"projects/{project}") as stream:
        await act(server.url, project, "generate")
        await act(server.url, project, "generate", 409)
        await stream.until(lambda frame: frame.is_event and frame.type == "agent_update")
        await act(server.url, project, "cancel")
        completion = await stream.until(is_completion)
        assert completion.data["status"] == "cancelled"
        assert (await snapshot(server.url, project))["status"] == "cancelled"
        await act(server.url, project, "cancel", 409)
        events = [frame for frame in stream.frames if frame.is_event]
        assert len(completed_stages(events)) < STAGES
    server.kill9()
    server.env["TWINWIRE_GENERATION_PACE"] = "0"
    server.start()
    assert (await snapshot(server.url, project))["status"] == "cancelled"
    async with open_stream(server.url, "sse", f"projects/{project}") as stream:
        await act(server.url, project, "generate")
        assert (await stream.until(is_completion)).data["status"] == "completed"


async def test_a_cancelled_run_stays_cancelled_after_a_kill(serve: Serve) -> None:
    """An acknowledged cancel is kept: the run does not come back to life."""
    server = serve(generation_pace="1")
    project = await new_project(server.url, "E2E")
    async with open_stream(server.url, "sse", f"projects/{project}") as stream:
        await act(server.url, project, "generate")
        await stream.until(lambda frame: frame.is_event and frame.type == "agent_update")
        await act(server.url, project, "cancel")
        await server.akill9()
    server.start()
    async with open_stream(server.url, "sse", f"projects/{project}", after="earliest") as stream:
        assert (await stream.until(is_completion)).data["status"] == "cancelled"


async def test_a_stop_in_mid_run_goes_on_after_the_start(serve: Serve) -> None:
    """SIGTERM does not wait for a run and does not fail it."""
    server = serve(generation_pace="0.2")
    project = await new_project(server.url, "E2E")
    async with open_stream(server.url, "sse", f"projects/{project}") as stream:
        run = await act(server.url, project, "generate")
        await stream.until(lambda frame: frame.is_event and frame.type == "agent_update")
        server.signal()
        assert await server.await_exit() == 0
    server.env["TWINWIRE_GENERATION_PACE"] = "0"
    server.start()
    async with open_stream(server.url, "sse", f"projects/{project}", after="earliest") as stream:
        completion = await stream.until(is_completion)
    events = [frame for frame in stream.frames if frame.is_event]
    assert (completion.data["run"], completion.data["status"]) == (run["id"], "completed")
    assert len(completed_stages(events)) == len(set(completed_stages(events))) == STAGES
