"""Runs that were there before they had numbers, and logs that are read in steps."""

import sqlite3
from pathlib import Path

import pytest

from service.apps.projects.runs import reading
from service.core.errors import GoneError
from service.log.sqlite.migrate import apply, load
from service.resources import resource
from tests.support.projects import Plain, World
from tests.support.reporter import Reporter, log_of

BEFORE = """
INSERT INTO projects (id, name, brief, created) VALUES ('p', 'P', 'a: b text', 1), ('q', 'Q', 'a: b text', 2);
INSERT INTO runs (id, project, status, progress, message, created, started, finished) VALUES
    ('r1', 'p', 'cancelled', 50, 'Cancelled', 1, 1, 2), ('r2', 'q', 'completed', 100, 'Done', 2, 2, 3),
    ('r3', 'p', 'completed', 100, 'Done', 3, 3, 4), ('r4', 'q', 'running', 50, 'At work', 5, 5, NULL);
INSERT INTO stages (run, number, agent, status, message) VALUES
    ('r1', 1, 'plain', 'failed', 'Cancelled plain agent'), ('r3', 1, 'plain', 'completed', 'Completed'),
    ('r4', 1, 'gone', 'completed', 'Completed'), ('r4', 2, 'plain', 'pending', '');
INSERT INTO files (project, path, run, content, size, updated) VALUES ('p', 'plain.txt', 'r3', 'grün', 5, 4),
    ('q', 'first.txt', 'r4', 'one', 3, 5);
"""


def before_runs(path: Path) -> None:
    """A database as it was at migration 7."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(
        "CREATE TABLE migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL,"
        " applied TEXT NOT NULL DEFAULT '') STRICT"
    )
    for migration in load(resource("migrations"))[:7]:
        apply(connection, migration)  # type: ignore[arg-type]
    connection.executescript(BEFORE)
    connection.close()


async def test_runs_that_were_there_get_numbers_and_keep_what_there_was(tmp_path: Path) -> None:
    before_runs(tmp_path / "t.db")
    async with World.open(tmp_path / "t.db") as world:
        service = await world.service([Plain()])
        runs = service.runs
        page = await runs.reading.page("p", 10, None)
        assert [(run.number, run.kind, run.status) for run in page.runs] == [
            (2, "generation", "completed"),
            (1, "generation", "cancelled"),
        ]
        assert [stage.status for stage in (await runs.reading.detail("p", 1)).stages] == ["cancelled"]
        assert await service.file("p", "plain.txt") == "grün"
        assert await log_of(service, "p", 1) == reading.NOT_KEPT
        with pytest.raises(GoneError):
            await runs.files.files("p", 2)
        run = await service.generate("p")
        await world.completion(run.id)
        assert run.number == 3
        assert [(file.path, file.action) for file in await runs.files.files("p", 3)] == [("plain.txt", "updated")]
        async with service._store.view() as view:
            found = await view.rows("SELECT text FROM contents ORDER BY text")
            assert found == [("by plain\n",), ("one",)], "nobody has the old one"
        await world.completion("r4")
        assert [file.path for file in await runs.files.files("q", 2)] == ["first.txt", "plain.txt"]
        assert b"plain" in await log_of(service, "q", 2)


async def test_a_log_is_read_in_steps(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "STEP_BYTES", 5)
    service = await world.service([Plain()])
    one = Reporter(service, (await service.create("P", None)).id)
    await one.begin()
    for number in range(10):
        await one.report({"output": f"{number}\n"})
    found = await service.runs.reading.kept(one.project, one.number)
    await one.report({"output": "later\n"})
    steps = [len(step) async for step in service.runs.reading.pieces(found)]
    assert (sum(steps), max(steps)) == (10, 2)
