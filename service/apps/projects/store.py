"""Reads projects, runs and files, through the door that the log's engine has. Nothing here writes: see `changes`."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from service.apps.projects.models import Project, Run, Stage, StoredFile
from service.apps.projects.runs.rows import COLUMNS, Row, run_of
from service.core.errors import NotFoundError
from service.core.time import rfc3339
from service.log.base import Tables, Value
from service.log.base import View as TablesView

_RUN: Final = f"r.id, {COLUMNS}"
_SHOWN: Final = (
    "r.project = p.id AND r.number = (SELECT max(number) FROM runs WHERE project = p.id"
    " AND kind = CASE p.brief WHEN '' THEN 'command' ELSE 'generation' END)"
)
_PROJECTS: Final = (
    f"SELECT p.id, p.name, p.brief, p.created, {_RUN}"  # noqa: S608 - constants
    f" FROM projects p LEFT JOIN runs r ON {_SHOWN}"
)
_BEFORE: Final = "coalesce((SELECT number FROM projects WHERE id = :before), 0)"


def _project(row: Row) -> Project:
    id, name, brief, created, *last = row
    run = run_of(tuple(last)) if last[0] is not None else None
    return Project(
        id=id,
        name=name,
        brief=brief or None,
        created=rfc3339(created),
        status=run.status if run else "idle",
        progress=run.progress if run else 0,
        run=run,
    )


class View:
    """One consistent look at the tables: all its methods see the same commit."""

    def __init__(self, view: TablesView) -> None:
        self._view = view

    async def rows(self, sql: str, **values: Value) -> Sequence[Row]:
        """For what else there is to be read of the same commit."""
        return await self._view.rows(sql, values)

    async def position(self) -> int:
        """The offset of the newest event that this view includes."""
        return await self._view.position()

    async def project(self, id: str) -> Project:
        """Raises NotFoundError."""
        rows = await self.rows(f"{_PROJECTS} WHERE p.id = :id", id=id)
        if not rows:
            raise NotFoundError(f"there is no project {id!r}")
        return _project(rows[0])

    async def projects(self, ids: Sequence[str]) -> list[Project]:
        """Those of these ids, newest first."""
        where = "WHERE p.id IN (SELECT value FROM json_each(:ids))"
        rows = await self.rows(f"{_PROJECTS} {where} ORDER BY p.number DESC", ids=json.dumps(ids))
        return [_project(row) for row in rows]

    async def newest(self, limit: int, before: str | None) -> list[str]:
        """Ids, newest first; with `before`, those that are older than the project of this id."""
        where = "" if before is None else f"WHERE number < {_BEFORE}"
        sql = f"SELECT id FROM projects {where} ORDER BY number DESC LIMIT :limit"  # noqa: S608 - a constant
        return [id for (id,) in await self.rows(sql, before=before, limit=limit)]

    async def newest_of_name(self, name: str, limit: int, before: str | None) -> list[str]:
        """The same of those that have this name."""
        where = "" if before is None else f"AND number < {_BEFORE}"
        sql = f"SELECT id FROM projects WHERE name = :name {where} ORDER BY number DESC LIMIT :limit"  # noqa: S608 - a constant
        return [id for (id,) in await self.rows(sql, name=name, before=before, limit=limit)]

    async def run_numbers(self, project: str) -> list[int]:
        """Of the runs that are kept."""
        return [number for (number,) in await self.rows("SELECT number FROM runs WHERE project = :id", id=project)]

    async def project_ids(self) -> list[str]:
        return [id for (id,) in await self.rows("SELECT id FROM projects")]

    async def next_number(self, project: str) -> int:
        """Of its next run. Raises NotFoundError."""
        rows = await self.rows("SELECT runs FROM projects WHERE id = :project", project=project)
        if not rows:
            raise NotFoundError(f"there is no project {project!r}")
        return int(rows[0][0]) + 1

    async def unfinished(self) -> list[Run]:
        """Running before queued, each oldest first: the order in which to go on after a restart."""
        sql = (
            f"SELECT {_RUN} FROM runs r WHERE r.kind = 'generation' AND r.status IN ('queued', 'running')"  # noqa: S608 - a constant
            " ORDER BY r.status DESC, r.serial"
        )
        return [run_of(row) for row in await self.rows(sql)]

    async def run(self, id: str) -> Run:
        """Raises NotFoundError."""
        rows = await self.rows(f"SELECT {_RUN} FROM runs r WHERE r.id = :id", id=id)  # noqa: S608 - a constant
        if not rows:
            raise NotFoundError(f"there is no run {id!r}")
        return run_of(rows[0])

    async def may_run(self, run: str) -> bool:
        """Whether who began it may have the service run what agents wrote."""
        rows = await self.rows("SELECT may_run FROM runs WHERE id = :id", id=run)
        return bool(rows and rows[0][0])

    async def stages(self, run: str) -> list[Stage]:
        rows = await self.rows(
            "SELECT number, name, status, message, duration FROM stages WHERE run = :run ORDER BY number", run=run
        )
        names = ("number", "agent", "status", "message", "duration")
        return [Stage.model_validate(dict(zip(names, row, strict=True))) for row in rows]

    async def used(self, run: str) -> tuple[int, float]:
        """Tokens of a language model, and seconds of waiting for it, that a run has used."""
        ((tokens, seconds),) = await self.rows("SELECT tokens, waited FROM runs WHERE id = :run", run=run)
        return int(tokens), float(seconds)

    async def files(self, project: str) -> list[StoredFile]:
        sql = (
            "SELECT f.path, c.size, f.updated FROM files f JOIN contents c ON c.id = f.content"
            " WHERE f.project = :project ORDER BY f.path"
        )
        rows = await self.rows(sql, project=project)
        return [StoredFile(path=path, size=size, updated=rfc3339(updated)) for path, size, updated in rows]

    async def paths_of_others(self, project: str, run: str) -> list[str]:
        """Of files that another run has written, and this one has not."""
        sql = "SELECT path FROM files WHERE project = :project AND run <> :run ORDER BY path"
        return [path for (path,) in await self.rows(sql, project=project, run=run)]

    async def file_count(self, project: str) -> int:
        return int((await self.rows("SELECT count(*) FROM files WHERE project = :project", project=project))[0][0])

    async def file(self, project: str, path: str) -> str:
        """Raises NotFoundError."""
        sql = (
            "SELECT c.text FROM files f JOIN contents c ON c.id = f.content"
            " WHERE f.project = :project AND f.path = :path"
        )
        rows = await self.rows(sql, project=project, path=path)
        if not rows:
            raise NotFoundError(f"the project {project!r} has no file {path!r}")
        return str(rows[0][0])

    async def contents(self, project: str, run: str | None = None) -> dict[str, str]:
        """Path to text; with `run`, only what this run has written."""
        sql = (
            "SELECT f.path, c.text FROM files f JOIN contents c ON c.id = f.content"
            " WHERE f.project = :project AND (:run = '' OR f.run = :run) ORDER BY f.path"
        )
        return dict(await self.rows(sql, project=project, run=run or ""))


class Store:
    """The example's way to its tables."""

    def __init__(self, tables: Tables) -> None:
        """Closes `tables` in the end."""
        self._tables = tables

    async def close(self) -> None:
        await self._tables.close()

    @asynccontextmanager
    async def view(self) -> AsyncIterator[View]:
        """Short: others wait for it. Raises StorageError."""
        async with self._tables.view() as view:
            yield View(view)
