"""What the state machines have in common: an event loop, a database in a folder, and small bounds of the service."""

import asyncio
import os
import tempfile
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final
from unittest import mock

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine

from service.log.sqlite.log import SQLiteEventLog
from tests.support.sqlitelog import as_killed

SETTINGS: Final = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


class LogMachine(RuleBasedStateMachine):
    """Each rule runs on the loop until everything that can come has come."""

    bounds: ClassVar[Mapping[str, Any]]
    """Of the service, by their names."""

    log: SQLiteEventLog

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "test.db"
        self.serial = 0
        self.kills = 0
        self.patches = [mock.patch(name, value) for name, value in self.bounds.items()]
        for patch in self.patches:
            patch.start()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        async def and_settle() -> None:
            await work
            await self._settle()

        self.runner.run(and_settle())

    async def _settle(self) -> None:
        """Until every client that reads has what it is owed. Nothing is awaited but turns of the event loop."""
        raise NotImplementedError

    async def _finish(self) -> None:
        """In the end every client reads; then all ends."""
        raise NotImplementedError

    def check(self) -> None:
        """After that."""

    def _copy(self) -> Path:
        self.kills += 1
        return as_killed(self.path, Path(self.folder.name) / f"killed-{self.kills}")

    def teardown(self) -> None:
        try:
            if hasattr(self, "log"):
                self.runner.run(self._finish())
                self.check()
        finally:
            self.runner.close()
            self.folder.cleanup()
            for patch in self.patches:
                patch.stop()
