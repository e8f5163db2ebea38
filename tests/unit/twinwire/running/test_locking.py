"""A lock goes with the process that holds it, however that ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from twinwire.running.locking import HeldError, lock


def test_one_holds_it(tmp_path: Path) -> None:
    held = lock(tmp_path / "lock")
    with pytest.raises(HeldError):
        lock(tmp_path / "lock")
    os.close(held)
    os.close(lock(tmp_path / "lock"))
    with pytest.raises(FileNotFoundError):
        lock(tmp_path / "nowhere" / "lock")


def test_it_goes_with_who_is_killed(tmp_path: Path) -> None:
    program = f"""
import sys, pathlib
from twinwire.running.locking import lock
lock(pathlib.Path({str(tmp_path / "lock")!r}))
print("held", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(HeldError):
            lock(tmp_path / "lock")
        process.kill()
    os.close(lock(tmp_path / "lock"))
