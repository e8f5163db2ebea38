"""The lines on tokens of the README and of docs/deployment.md, pasted into a shell as they stand."""

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Final

from tests.support.needs import program
from tests.support.server import ROOT, environment, free_port

DEADLINE: Final = 60.0
"""Seconds for all of the lines; a stream is read for three."""


def block(document: str, heading: str) -> str:
    section = (ROOT / document).read_text("utf-8").partition(f"\n{heading}\n")[2].partition("\n## ")[0]
    (found,) = re.findall(r"^```bash\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    return str(found)


async def paste(script: str, folder: Path) -> tuple[list[str], list[str]]:
    """Lines of both outputs, once all that was started is gone. The folder is a checkout's, as `make` sets it up."""
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", script, cwd=folder, env=environment(), stdout=pipe, stderr=pipe
    )
    output, errors = await asyncio.wait_for(process.communicate(), DEADLINE)
    return output.decode().splitlines(), errors.decode().splitlines()


async def test_lines_of_the_readme(tmp_path: Path) -> None:
    program("curl")
    written = block("README.md", "## With tokens")
    commands = [line for line in written.splitlines() if not line.startswith("#")]
    assert len(commands) <= 11
    output, errors = await paste(written.replace("8001", str(free_port())), tmp_path)
    (id,) = [line for line in output if re.fullmatch(r"\w+-\d+", line)]
    frames = [json.loads(line.removeprefix("data: ")) for line in output if line.startswith("data: ")]
    assert [frame["subject"] for frame in frames if frame["type"] == "connection"] == ["ada"]
    assert [(frame["id"], frame["data"]) for frame in frames if "topic" in frame] == [(id, {"n": 1})]
    (refused,) = [line for line in errors if line.startswith("twinwire: ")]
    assert refused == "twinwire: 403 Right missing: no right to read 'secrets/plan'"
    problem = json.loads(next(line for line in output if line.startswith('{"type":"about:blank"')))
    assert (problem["status"], problem["title"]) == (401, "Unauthorized")


SERVED: Final = """
export PATH="$PWD/.venv/bin:$PATH" TWINWIRE_URL=http://127.0.0.1:{port}
export TWINWIRE_TOKEN_KEYS="$(twinwire token --new-key)"
twinwire serve --port {port} &
until curl -sf "$TWINWIRE_URL/api/ready" > /dev/null; do sleep 0.2; done
{lines}
kill %1
"""
"""What the reader has already."""


async def test_lines_of_the_page_on_deployment(tmp_path: Path) -> None:
    program("curl")
    written = block("docs/deployment.md", "### Lifetimes and revocation")
    output, errors = await paste(SERVED.format(port=free_port(), lines=written), tmp_path)
    told = [line for line in output if "http://" not in line]
    assert (told[0], told[1], told[3]) == ("ended 0 streams", "0 streams will end within 30 s", "lifted")
    assert " sub ada, issued before " in told[2]
    assert not [line for line in errors if line.startswith("twinwire: ")]
