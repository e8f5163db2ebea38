"""The watchdog ends a whole process: each test watches one from outside, or takes the timer away before it fires."""

import subprocess
import sys
from pathlib import Path

import pytest

from service.server.watchdog import EXTRA, arm_watchdog

DEADLINE = 30.0
"""Seconds after which a process counts as one that nothing has ended."""

HANGING = """
import asyncio
from pathlib import Path
from service.server.watchdog import EXTRA, arm_watchdog

async def close():
    {close}
    Path("closed").touch()

async def main():
    arm_watchdog(-EXTRA, close)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def hang(folder: Path, close: str = "pass") -> subprocess.CompletedProcess[str]:
    code = HANGING.format(close=close)
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={"PYTHONPATH": str(Path(__file__).parents[3])},
        timeout=DEADLINE,
        check=False,
        capture_output=True,
        text=True,
    )


def test_a_stop_that_hangs_is_ended_after_closing_what_must_be_closed(tmp_path: Path) -> None:
    done = hang(tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "closed").exists()
    assert "stop_forced" in done.stdout + done.stderr


@pytest.mark.parametrize("close", ["raise OSError('disk')", "await asyncio.Event().wait()"])
def test_if_that_can_not_be_closed_the_status_says_so(tmp_path: Path, close: str) -> None:
    done = hang(tmp_path, close)
    assert done.returncode == 1, done.stderr
    assert not (tmp_path / "closed").exists()
    assert "log_not_closed" in done.stdout + done.stderr


async def test_it_waits_as_long_as_a_stop_may_take_and_keeps_no_process_alive() -> None:
    async def close() -> None:
        raise AssertionError("too early")

    timer = arm_watchdog(60.0, close)
    timer.cancel()
    assert timer.interval == 60.0 + EXTRA
    assert timer.daemon
