"""An application on uvicorn as its user starts it: `uvicorn module:app`, in the folder where the module is."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.server import HOST, environment, free_port


@contextmanager
def on_uvicorn(folder: Path, command: Sequence[str], env: Mapping[str, str]) -> Iterator[str]:
    """`command` begins with `uvicorn`; its URL without a trailing slash, once it accepts connections."""
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-m", *command, "--port", str(port)],
        cwd=folder,
        env=environment({"TWINWIRE_TOKEN_KEYS": "", **env}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        try:
            said = ""
            for line in process.stderr:
                said += line
                if "Uvicorn running" in line:
                    break
            else:
                raise AssertionError(said)
            yield f"http://{HOST}:{port}"
        finally:
            os.killpg(process.pid, signal.SIGKILL)
