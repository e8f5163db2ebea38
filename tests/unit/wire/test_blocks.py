"""What frames events is sse-starlette's, and comes without what its package does to uvicorn."""

import subprocess
import sys

from service.wire.blocks import ServerSentEvent

PROGRAM = """
import sys
import uvicorn
before = uvicorn.Server.handle_exit
import service.web.app, service.assembly
import twinwire
assert uvicorn.Server.handle_exit is before, uvicorn.Server.handle_exit
assert "sse_starlette" not in sys.modules
"""


def test_it_frames_an_event() -> None:
    assert ServerSentEvent("a\nb", event="x", id="1", sep="\n").encode() == b"id: 1\nevent: x\ndata: a\ndata: b\n\n"


def test_importing_the_service_leaves_uvicorn_as_it_is() -> None:
    """In a program of its own: who tests with sse-starlette beside this has imported it."""
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
