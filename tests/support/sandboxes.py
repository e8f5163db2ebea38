"""Programs in the sandbox, in tests."""

import asyncio
import contextlib
from pathlib import Path

from service.apps.projects.sandbox.sandbox import Sandbox, probe
from service.apps.projects.sandbox.values import Limits, Mode, Outcome
from tests.support.needs import need

QUICK = Limits(seconds=20.0, cpu_seconds=10.0)


class Heard:
    """What a program put out."""

    def __init__(self) -> None:
        self.text = ""
        self.grown = asyncio.Event()

    async def __call__(self, text: str) -> None:
        self.text += text
        self.grown.set()

    async def until(self, part: str, times: int = 1) -> None:
        async with asyncio.timeout(20):
            while self.text.count(part) < times:
                self.grown.clear()
                await self.grown.wait()


async def run(box: Sandbox, code: str, limits: Limits = QUICK) -> tuple[Outcome, str]:
    """A program of one file."""
    heard = Heard()
    outcome = await box.run({"main.py": code}, ["python", "main.py"], limits, heard)
    return outcome, heard.text


def confined() -> Sandbox:
    """With walls; on a machine that has none the test is skipped, but fails in CI, where that would hide it."""
    cannot = asyncio.run(probe())
    need(None if cannot else "", f"this machine can't confine a program ({cannot}), which no test can then show")
    return Sandbox(Mode.CONFINED)


def processes_with(mark: str) -> list[int]:
    """Those on this machine that have the mark in their command."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark.encode() in (process / "cmdline").read_bytes():
                found.append(int(process.name))
    return found
