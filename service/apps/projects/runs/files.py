"""The files of a generation as it left them, and what it did to those of the project."""

from typing import Final, Literal

from service.apps.projects.runs.held import missing
from service.apps.projects.runs.models import RunFile
from service.apps.projects.store import Store, View
from service.core.errors import GoneError, NotFoundError

Action = Literal["created", "updated", "same", "removed"]

LAST: Final = "f.stage = (SELECT max(stage) FROM run_files WHERE run = f.run AND path = f.path)"
"""Of the versions of a file in `run_files f`, that which the run left."""

COUNT_CHANGED: Final = (
    "UPDATE runs SET changed = (SELECT count(*) FROM run_files f WHERE f.run = runs.serial"  # noqa: S608 - constants
    f" AND {LAST} AND f.content IS NOT NULL AND f.content IS NOT f.before) WHERE id = :run"
)
"""Files that the run has created or changed."""

ADOPT: Final = (
    "UPDATE files SET content = (SELECT id FROM contents WHERE digest = :digest)"
    " WHERE project = :project AND path = :path AND EXISTS (SELECT 1 FROM contents old, contents new"
    " WHERE old.id = files.content AND old.digest = 'file ' || old.id AND old.size = :size"
    " AND new.digest = :digest AND new.text = old.text)"
)
"""Of a file that is older than the table of contents, for which no digest was known: once the same is written again, it
holds what has the digest. Else the first generation would seem to have changed it. One that this writes twice, with
another text in between, seems so all the same: what it held is gone by then."""

_RUN: Final = "SELECT serial, kept FROM runs WHERE project = :project AND number = :number"
_FILES: Final = (
    "SELECT f.path, coalesce(c.size, 0), f.content, f.before"  # noqa: S608 - constants
    f" FROM run_files f LEFT JOIN contents c ON c.id = f.content WHERE f.run = :run AND {LAST} ORDER BY f.path"
)
_FILE: Final = (
    "SELECT c.text FROM run_files f JOIN contents c ON c.id = f.content"  # noqa: S608 - constants
    f" WHERE f.run = :run AND f.path = :path AND {LAST}"
)


class Files:
    """Reads them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def files(self, project: str, number: int) -> list[RunFile]:
        """By path. Raises NotFoundError, GoneError if they are not kept any more."""
        async with self._store.view() as view:
            run = await serial_of(view, project, number)
            rows = await view.rows(_FILES, run=run)
        return [RunFile(path=path, size=size, action=_action(content, before)) for path, size, content, before in rows]

    async def file(self, project: str, number: int, path: str) -> str:
        """Its text. Raises NotFoundError, GoneError."""
        async with self._store.view() as view:
            run = await serial_of(view, project, number)
            rows = await view.rows(_FILE, run=run, path=path)
        if not rows:
            raise NotFoundError(f"run {number} left no file {path!r}")
        return str(rows[0][0])


async def serial_of(view: View, project: str, number: int) -> int:
    """Of a run whose files are kept. Raises NotFoundError, GoneError."""
    rows = await view.rows(_RUN, project=project, number=number)
    if not rows:
        raise missing(project, number)
    serial, kept = rows[0]
    if not kept:
        raise GoneError(f"the files of run {number} are not kept any more")
    return int(serial)


def _action(content: int | None, before: int | None) -> Action:
    if content is None:
        return "removed"
    if before is None:
        return "created"
    return "same" if content == before else "updated"
