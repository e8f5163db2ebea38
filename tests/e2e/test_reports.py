"""A command that is reported while the service is killed with -9 again and again: on a real server."""

import asyncio
import codecs
import random
from typing import Any

import pytest

from tests.e2e.conftest import Serve
from tests.support.follower import Follower
from tests.support.frames import Frame
from tests.support.http import Response, request
from tests.support.server import ServerProcess

CHUNKS = 240
DEADLINE = 20.0
"""Seconds."""


def is_end(frame: Frame) -> bool:
    return frame.type == "run_update" and frame.data["status"] == "completed"


async def until_answered(url: str, path: str, body: Any) -> Response:
    """Tried again as long as there is no answer. The server comes back within its own deadline."""
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                return await request(url, "POST", path, json_body=body)
            except (OSError, EOFError):
                await asyncio.sleep(0.02)


async def report(server: ServerProcess, path: str, chunks: list[bytes], sent: list[int], seed: int) -> None:
    """All of it, a few items at a time."""
    chance, next = random.Random(seed), 1
    while next <= len(chunks):
        items = [{"output": chunk.decode("latin-1")} for chunk in chunks[next - 1 :][: chance.randint(1, 9)]]
        answer = await until_answered(server.url, f"{path}/reports", {"from": next, "items": items})
        assert answer.status == 200, answer.text
        next = answer.json()["reported"] + 1
        sent[0] = next


@pytest.mark.projects
async def test_killed_three_times_and_reported_by_two_each_line_is_there_once(serve: Serve) -> None:
    server = serve()
    wanted = {"name": "ci", "brief": None, "once": True}
    project = (await until_answered(server.url, "/api/projects", wanted)).json()["id"]
    begun = await until_answered(server.url, f"/api/projects/{project}/runs", {"key": "k", "command": "make"})
    path = begun.header("location") or ""
    chance = random.Random(18)
    chunks = [f"{number} ".encode() + (b"\n" if chance.random() < 0.7 else b"") for number in range(CHUNKS)]
    output = b"".join(chunks)
    follower = Follower(server.url, [f"projects/{project}"], transport="sse", seed=1)
    following = asyncio.create_task(follower.run(is_end))
    await follower.opened.wait()
    sent = [0]
    reporters = [asyncio.create_task(report(server, path, chunks, sent, seed)) for seed in (1, 2)]
    for at in (50, 110, 170):
        async with asyncio.timeout(DEADLINE):
            while sent[0] < at:
                await asyncio.sleep(0.001)
        await server.akill9()
        await server.astart()
    await asyncio.gather(*reporters)
    await until_answered(server.url, f"{path}/reports", {"from": CHUNKS + 1, "items": [{"end": {"exit": 0}}]})
    log = await request(server.url, "GET", f"{path}/log")
    assert log.body == output
    async with asyncio.timeout(DEADLINE):
        await following
    told = [event.data["text"] for event in follower.events if event.type == "run_output"]
    assert "".join(told) == codecs.decode(output)
    assert server.starts == 4
