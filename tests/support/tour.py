"""The tour of the README, copied line by line into a shell, against a server."""

import asyncio
import json
import re
from dataclasses import dataclass
from typing import Any, Final

from tests.support.needs import program
from tests.support.server import ROOT, environment

LINE_DEADLINE: Final = 30.0
"""Seconds that one line may take; the longest waits three for a stream."""


@dataclass(frozen=True, slots=True)
class Line:
    """One command of the tour and what it printed."""

    command: str
    output: str

    def json(self) -> Any:
        return json.loads(self.output)

    def frames(self) -> list[dict[str, Any]]:
        """The frames of an event stream."""
        return [json.loads(text) for text in re.findall(r"^data: (.*)$", self.output, re.MULTILINE)]


def tour() -> list[str]:
    """The commands, without comments."""
    section = (ROOT / "README.md").read_text("utf-8").partition("## The tour")[2].partition("\n## ")[0]
    (block,) = re.findall(r"^```bash\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    return [line for line in block.splitlines() if line and not line.startswith("#")]


async def run(command: str, url: str, twinwire: str) -> Line:
    """In a shell of its own, as whoever copies a single line would. It has to succeed."""
    local = command.replace("http://127.0.0.1:8000", url).replace(".venv/bin/twinwire", twinwire)
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-c",
        local,
        cwd=ROOT,
        env=environment({"TWINWIRE_URL": url}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(), LINE_DEADLINE)
    assert process.returncode == 0, f"{command}\n{errors.decode()}"
    return Line(command, output.decode())


async def take(url: str, twinwire: str) -> None:
    """All of it, on a new log: each line does what the README says. `twinwire` is how a shell calls the command."""
    program("curl")
    lines = [await run(command, url, twinwire) for command in tour()]
    publish, batch, order, history, stream, gap, tail, generate, watch, who, topics = lines
    ids = [publish.json()["id"], *batch.json()["ids"], order.json()["id"]]
    assert [event["id"] for event in history.json()["events"]] == ids
    assert history.json()["cursor"] == ids[-1]
    assert (await run(order.command, url, twinwire)).json()["id"] == ids[-1]

    frames = stream.frames()
    assert [frame["id"] for frame in frames if "topic" in frame] == ids
    assert [frame["type"] for frame in frames if "topic" not in frame][:2] == ["connection", "caught_up"]
    assert gap.json()["gap"]["reason"] == "epoch"
    assert [id for id in ids if id in tail.output] == ids

    assert generate.json()["status"] == "queued"
    assert {"status_update", "agent_update"} <= {frame["type"] for frame in watch.frames()}
    assert not who.output or "agent:" in who.output, "whoever still works"
    named = {topic["topic"] for topic in topics.json()["topics"]}
    assert {"tour/one", "tour/two", "projects", f"projects/{generate.json()['project']}"} <= named
