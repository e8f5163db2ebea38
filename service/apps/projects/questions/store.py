"""Reads questions, through the door that the log's engine has. Nothing here writes: see `changes`."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from service.apps.projects.questions.limits import KEPT_MAX
from service.apps.projects.questions.models import Question
from service.core.errors import NotFoundError
from service.core.time import rfc3339
from service.log.base import Tables, Value
from service.log.base import View as TablesView

_QUESTIONS: Final = (
    "SELECT id, project, run, text, choices, fallback, agent, author, asked, deadline, how, answer, answerer, answered"
    " FROM questions"
)

Row = tuple[Any, ...]


def _question(row: Row) -> Question:
    id, project, run, text, choices, default, agent, author, asked, deadline, how, answer, by, answered = row
    return Question(
        id=id,
        project=project,
        run=run,
        question=text,
        choices=None if choices is None else tuple(json.loads(choices)),
        default=default,
        agent=agent,
        author=author,
        asked=rfc3339(asked),
        deadline=rfc3339(deadline),
        how=how,
        answer=answer,
        by=by,
        answered=None if answered is None else rfc3339(answered),
    )


class QuestionView:
    """One consistent look: all its methods see the same commit."""

    def __init__(self, view: TablesView) -> None:
        self._view = view

    async def position(self) -> int:
        """The offset of the newest event that this view includes."""
        return await self._view.position()

    async def check_project(self, project: str) -> None:
        """Raises NotFoundError."""
        if not await self._view.rows("SELECT 1 FROM projects WHERE id = :id", {"id": project}):
            raise NotFoundError(f"there is no project {project!r}")

    async def find(self, project: str, id: str) -> Question | None:
        return await self._one("WHERE project = :project AND id = :id", project=project, id=id)

    async def known(self, project: str, agent: str | None, key: str) -> Question | None:
        """The one that was asked with this key, by this agent or, without one, by a request."""
        where = "WHERE project = :project AND coalesce(agent, '') = :agent AND key = :key"
        return await self._one(where, project=project, agent=agent or "", key=key)

    async def _one(self, where: str, **values: str) -> Question | None:
        rows = await self._view.rows(f"{_QUESTIONS} {where}", values)
        return _question(rows[0]) if rows else None

    async def of(self, project: str) -> list[Question]:
        """All that are kept, newest first."""
        where = "WHERE project = :project ORDER BY number DESC LIMIT :limit"
        values: dict[str, Value] = {"project": project, "limit": KEPT_MAX}
        return [_question(row) for row in await self._view.rows(f"{_QUESTIONS} {where}", values)]

    async def next_deadline(self) -> int | None:
        """Of those that are open, in Unix milliseconds."""
        rows = await self._view.rows("SELECT min(deadline) FROM questions WHERE how IS NULL")
        found: int | None = rows[0][0]
        return found

    async def due(self, now: int, limit: int) -> list[Question]:
        """Open ones whose deadline is over, the earliest first."""
        where = "WHERE how IS NULL AND deadline <= :now ORDER BY deadline LIMIT :limit"
        rows = await self._view.rows(f"{_QUESTIONS} {where}", {"now": now, "limit": limit})
        return [_question(row) for row in rows]

    async def open_of_run(self, project: str, run: str) -> list[Question]:
        """Open ones that agents ask in the run of this id: their keys begin with it."""
        where = (
            "WHERE project = :project AND how IS NULL AND agent IS NOT NULL AND substr(key, 1, length(:run) + 1)"
            " = :run || '/'"
        )
        rows = await self._view.rows(f"{_QUESTIONS} {where}", {"project": project, "run": run})
        return [_question(row) for row in rows]

    async def has_run(self, project: str, number: int) -> bool:
        values: dict[str, Value] = {"project": project, "number": number}
        sql = "SELECT 1 FROM runs WHERE project = :project AND number = :number"
        return bool(await self._view.rows(sql, values))


def surplus(kept: Sequence[Question]) -> list[str]:
    """Of a project's questions, newest first, the ids of those that go when another one is asked."""
    too_many = len(kept) + 1 - KEPT_MAX
    return [one.id for one in reversed(kept) if not one.is_open][: max(0, too_many)]


class QuestionStore:
    """The way to the table; whoever has opened `tables` closes it."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    @asynccontextmanager
    async def view(self) -> AsyncIterator[QuestionView]:
        """Short: others wait for it. Raises StorageError."""
        async with self._tables.view() as view:
            yield QuestionView(view)
