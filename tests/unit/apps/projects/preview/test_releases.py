import asyncio
from pathlib import Path
from typing import Any

import pytest

from service.apps.projects.agents.base import Workspace
from service.apps.projects.preview.releases import LIMITS, MAIN, PORT, Releases, command, free_port, how
from service.apps.projects.sandbox.values import Limits, Outcome, SandboxError
from service.log.base import Statement
from service.preview.programs import CannotRunError
from tests.support.projects import BRIEF, Plain, World


class Inside:
    def __init__(self) -> None:
        self.ended: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.tail = ""

    async def connect(self) -> Any:
        raise SandboxError("it has ended")

    async def stop(self) -> None: ...


class Box:
    """Remembers what it was told to run."""

    is_confined = True
    refusal: str | None = None

    def __init__(self) -> None:
        self.served: list[tuple[Any, ...]] = []

    async def serve(self, *what: Any) -> Inside:
        self.served.append(what)
        return Inside()


async def test_the_files_of_the_newest_completed_run_are_started(tmp_path: Path) -> None:
    async with World.open(tmp_path / "a.db") as world:
        service = await world.service()
        box = Box()
        releases = Releases(service.store, box, service.exists)
        project = await service.create("Tools", BRIEF)
        assert await releases.newest(project.id) is None
        assert await releases.newest("nothing") is None
        run = await service.generate(project.id)
        await world.completion(run.id)
        assert await releases.newest(project.id) == run.id
        launched = await releases.launch(project.id, run.id)
        files, told, limits, port = box.served[0]
        assert MAIN in files
        assert (told, limits, port) == (command(PORT), LIMITS, PORT)
        with pytest.raises(ConnectionError):
            await launched.connect()
        later = await service.generate(project.id)
        await world.completion(later.id)
        await releases.launch(project.id, run.id)
        assert box.served[1][0] == files  # as the older run has written them
        with pytest.raises(CannotRunError, match="nobody knows how to start it"):
            await releases.launch(project.id, "nothing")
        box.refusal = "it is off"
        with pytest.raises(CannotRunError, match="it is off"):
            await releases.launch(project.id, run.id)


class Author(Plain):
    """Writes the application's beginning, and leaves a file beside it."""

    writes = ("app/*.py",)

    async def run(self, work: Workspace) -> None:
        await work.write(MAIN, f"# by {self.name}\n")
        await work.write(f"app/{self.name}.py", "\n")


async def test_it_is_started_as_its_run_left_it_and_not_with_records_that_are_going(tmp_path: Path) -> None:
    async with World.open(tmp_path / "a.db") as world:
        service = await world.service([Author("first"), Author("second")])
        box = Box()
        releases = Releases(service.store, box, service.exists)
        project = await service.create("Tools", BRIEF)
        run = await service.generate(project.id)
        await world.completion(run.id)
        await releases.launch(project.id, run.id)
        whole = box.served[0][0]
        assert whole == {MAIN: "# by second\n", "app/first.py": "\n", "app/second.py": "\n"}
        # They are being removed, in steps: what the project has is whole.
        await world.bus.publish([], [Statement("UPDATE runs SET kept = 0")])
        await world.bus.publish([], [Statement("DELETE FROM run_files WHERE path = 'app/first.py'")])
        await releases.launch(project.id, run.id)
        assert box.served[1][0] == whole


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome(3), "it has ended by itself with exit code 3"),
        (Outcome(137), "signal 9 has ended it"),
        (Outcome(None, "memory"), "it has used all the memory that it may"),
    ],
)
def test_an_end_in_words(outcome: Outcome, words: str) -> None:
    assert how(outcome) == words


def test_what_is_open_may_run_for_hours_and_no_more_than_that() -> None:
    assert Limits().seconds < LIMITS.seconds <= 24 * 3600
    assert free_port() > 0
