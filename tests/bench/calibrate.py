"""How slow the servers' core is at the moment: for figures that have no reference of their own.

`python -m tests.bench.calibrate` prints the seconds that a fixed loop takes, the best of several. It does what costs a
service its time: some Python, and small writes to sockets.
"""

import socket
import subprocess
import sys
import time
from typing import Final

from tests.bench.measure import Sense
from tests.bench.process import ROOT, SERVER_CORE, pin

USUAL: Final = 0.05
"""Seconds: about what the loop takes on a machine of today. Figures are told as if it had taken as long."""

_TRIES: Final = 5
_STEPS: Final = 15_000
_MESSAGE: Final = bytes(250)
"""About the size of a frame."""


def calibrate() -> float:
    """The loop's time on the servers' core, in terms of `USUAL`: 2.0 on a core of half the speed."""
    command = [sys.executable, "-m", "tests.bench.calibrate"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, preexec_fn=pin(SERVER_CORE))
    return float(done.stdout) / USUAL


def calibrated(sense: Sense, value: float, slowness: float) -> float:
    """What it would have been on the usual core: a speed more of it, a time or a share of a core less."""
    return value * slowness if sense == "at least" else value / slowness


def _loop() -> float:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        started = time.perf_counter()
        for _ in range(_STEPS):
            ours.send(_MESSAGE)
            theirs.recv(len(_MESSAGE))
        return time.perf_counter() - started


if __name__ == "__main__":
    print(min(_loop() for _ in range(_TRIES)))
