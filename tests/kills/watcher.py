"""Kills a process as soon as a file is written to: `python watcher.py FILE PID SECONDS`.

Its exit status is 1 if the file was not written to in that time; the process is killed all the same.

A process of its own, since the one with all the clients looks too late: a checkpoint takes a few milliseconds.
"""

import os
import signal
import sys
import time
from pathlib import Path

PAUSE = 0.0002
"""Seconds between two looks."""


def main() -> None:
    path, process, until = Path(sys.argv[1]), int(sys.argv[2]), time.monotonic() + float(sys.argv[3])
    before = path.stat().st_mtime_ns
    while path.stat().st_mtime_ns == before and time.monotonic() < until:
        time.sleep(PAUSE)
    os.kill(process, signal.SIGKILL)
    sys.exit(path.stat().st_mtime_ns == before)


if __name__ == "__main__":
    main()
