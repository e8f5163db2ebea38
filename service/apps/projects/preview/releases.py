"""What there is to open of a project: the files of its newest completed run, started in the sandbox."""

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from service.apps.projects.agents.base import AgentError
from service.apps.projects.runs.files import LAST
from service.apps.projects.sandbox.values import MIB, Limits, Outcome, Reason, SandboxError
from service.apps.projects.store import Store
from service.preview.exchange import Streams
from service.preview.programs import CannotRunError

MAIN: Final = "app/__main__.py"
"""Without it there is nothing to start."""

SIGNALLED: Final = 128
"""Exit codes beyond it are signals, as a shell has it."""

PORT: Final = 8000
"""On which the application listens where it has a network of its own."""


LIMITS: Final = Limits(seconds=6 * 3600.0, cpu_seconds=600.0, memory=512 * MIB, folder=128 * MIB)
"""Somebody may look at it all morning; what he types in goes with it."""


_NEWEST: Final = (
    "SELECT id FROM runs WHERE project = :project AND kind = 'generation' AND status = 'completed'"
    " ORDER BY number DESC LIMIT 1"
)
_FILES: Final = (
    "SELECT f.path, c.text FROM runs r JOIN run_files f ON f.run = r.serial"  # noqa: S608 - constants
    f" JOIN contents c ON c.id = f.content WHERE r.id = :run AND r.kept = 1 AND {LAST} ORDER BY f.path"
)
"""As the run left them. Of one whose files are not kept, or that is older than such records, there is what is left of
it among the project's."""


class Inside(Protocol):
    """A program in the sandbox: `service.apps.projects.sandbox.served.Served`."""

    @property
    def ended(self) -> "asyncio.Future[Outcome]": ...

    @property
    def tail(self) -> str: ...

    async def connect(self) -> Streams: ...

    async def stop(self) -> None: ...


class Box(Protocol):
    """The sandbox: `service.apps.projects.sandbox.sandbox.Sandbox`."""

    @property
    def is_confined(self) -> bool: ...

    @property
    def refusal(self) -> str | None: ...

    async def serve(self, files: Mapping[str, str], command: Sequence[str], limits: Limits, port: int) -> Inside: ...


def command(port: int) -> list[str]:
    """How a generated application is started."""
    return ["python", "-m", "app", "--host", "127.0.0.1", "--port", str(port), "--database", "app.db"]


class Releases:
    """A `service.preview.programs.Source`."""

    def __init__(self, store: Store, box: Box, exists: Callable[[str], bool]) -> None:
        """`exists` answers from memory whether there is such a project: anybody may make up names."""
        self._store = store
        self._box = box
        self._exists = exists

    async def newest(self, id: str) -> str | None:
        if not self._exists(id):
            return None
        async with self._store.view() as view:
            rows = await view.rows(_NEWEST, project=id)
        return str(rows[0][0]) if rows else None

    async def launch(self, id: str, version: str) -> "Launched":
        if self._box.refusal is not None:
            raise CannotRunError(self._box.refusal)
        async with self._store.view() as view:
            files: dict[str, str] = dict(await view.rows(_FILES, run=version)) or await view.contents(id, version)
        if MAIN not in files:
            raise CannotRunError(f"there is no {MAIN} of its run, so nobody knows how to start it")
        port = PORT if self._box.is_confined else free_port()
        try:
            return Launched(await self._box.serve(files, command(port), LIMITS, port))
        except (SandboxError, AgentError) as error:
            raise CannotRunError(str(error)) from error


class Launched:
    """A `service.preview.programs.Served`: one in the sandbox, and how it ended in words."""

    def __init__(self, inside: Inside) -> None:
        self._inside = inside
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        inside.ended.add_done_callback(self._tell)

    def _tell(self, ended: "asyncio.Future[Outcome]") -> None:
        if self.ended.done():
            return
        if ended.cancelled() or ended.exception() is not None:
            self.ended.set_result("it was stopped")
        else:
            self.ended.set_result(how(ended.result()))

    @property
    def tail(self) -> str:
        return self._inside.tail

    async def connect(self) -> Streams:
        try:
            return await self._inside.connect()
        except SandboxError as error:
            raise ConnectionResetError(str(error)) from error

    async def stop(self) -> None:
        await self._inside.stop()


_LIMIT: Final[Mapping[Reason, str]] = {
    "time": "it has run for as long as it may, or used up its time of the processor",
    "memory": "it has used all the memory that it may",
    "output": "it has put out more than it may",
    "folder": "it has written more than it may",
}


def how(outcome: Outcome) -> str:
    """An end in words."""
    if outcome.reason is not None:
        return _LIMIT[outcome.reason]
    if outcome.exit is not None and outcome.exit > SIGNALLED:
        return f"signal {outcome.exit - SIGNALLED} has ended it"
    return f"it has ended by itself with exit code {outcome.exit}"


def free_port() -> int:
    """For an application that has no network of its own. Another program may take it first: then it does not start."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
