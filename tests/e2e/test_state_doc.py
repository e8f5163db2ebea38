"""The commands of docs/state.md, one after the other, as they stand there."""

import re
import subprocess

from tests.e2e.conftest import Serve
from tests.support.server import ROOT

DOCUMENT = ROOT / "docs" / "state.md"


def commands() -> list[str]:
    """Each line of each block."""
    blocks = re.findall(r"^```sh\n(.*?)^```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines()]


def test_each_command_does_what_the_page_says(serve: Serve) -> None:
    server = serve()
    said: list[str] = []
    for command in commands():
        assert command.startswith("curl ")
        command = command.replace("localhost:8000", f"127.0.0.1:{server.port}").replace(
            "curl", "curl -sS --max-time 5", 1
        )
        run = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
        assert run.returncode in (0, 28), run.stderr  # 28: a stream does not end by itself
        said.append(run.stdout)
    assert len(said) == 5
    assert all('"id":"' in answer for answer in said[:3])
    assert '"data":"Once upon"' in said[3]
    assert '"subject":"lamp","state":true,"data":{"on":true}' in said[4]
    assert "event: state_end" in said[4]
