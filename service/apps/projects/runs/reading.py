"""Reads runs and their logs. A log is read in pieces, each in a view of its own: others come in between."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from service.apps.base import Bus
from service.apps.projects.models import Run
from service.apps.projects.runs.held import missing
from service.apps.projects.runs.limits import STEP_BYTES
from service.apps.projects.runs.models import RunDetail, RunListing, RunStage
from service.apps.projects.runs.rows import COLUMNS, Row, run_of
from service.apps.projects.store import Store, View
from service.core.errors import NotFoundError

_RUN: Final = f"SELECT r.serial, r.kept, r.pieces, r.id, {COLUMNS} FROM runs r WHERE r.project = :project"  # noqa: S608 - constants
_STAGES: Final = (
    "SELECT number, name, status, message, duration, first_line FROM stages WHERE run = :run ORDER BY number"
)
_PIECES: Final = (
    "SELECT piece, line, joined, stage, time, level, stream, data FROM run_log"
    " WHERE run = :serial AND piece > :after AND piece <= :last"
    " AND (:all OR stage IN (SELECT value FROM json_each(:stages)))"
    " ORDER BY piece LIMIT :limit"
)
_KEPT: Final = "SELECT kept FROM runs WHERE serial = :serial"
_BEGINS: Final = "SELECT piece FROM run_log WHERE run = :serial AND line = :line AND joined = 0"
_BEFORE: Final = "SELECT piece FROM run_log WHERE run = :serial AND line < :line ORDER BY line DESC, piece DESC LIMIT 1"
_STEP_PIECES: Final = 500
"""Pieces of a log that are read in one step: of 64 KiB at most, mostly of far less."""


NOT_KEPT: Final = b"[... the log of this run is not kept any more ...]\n"


class Piece(NamedTuple):
    """A row of a log: see `migrations/0008_runs.sql`."""

    piece: int
    line: int
    joined: int
    stage: int
    time: int
    level: str | None
    stream: str | None
    data: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """A run with what there was of its log when it was looked for: `pieces`, none if it is not kept any more."""

    run: Run
    serial: int
    pieces: int
    kept: bool
    position: int
    """The newest event that this includes."""
    names: tuple[str, ...]
    """Of its stages, in order."""


class Reading:
    """One for all runs."""

    def __init__(self, bus: Bus, store: Store) -> None:
        self._bus = bus
        self._store = store

    async def page(self, project: str, limit: int, before: int | None) -> RunListing:
        """Newest first; `before` is the number of the last of the page before. Raises NotFoundError."""
        where = "" if before is None else " AND r.number < :before"
        async with self._store.view() as view:
            await view.project(project)
            sql = f"{_RUN}{where} ORDER BY r.number DESC LIMIT :limit"
            rows = await view.rows(sql, project=project, before=before, limit=limit + 1)
            position = await view.position()
        await self._bus.reach(position)
        runs = tuple(run_of(row[3:]) for row in rows[:limit])
        return RunListing(runs=runs, more=len(rows) > limit, cursor=self._bus.cursor(position))

    async def detail(self, project: str, number: int) -> RunDetail:
        """Raises NotFoundError."""
        async with self._store.view() as view:
            run = run_of((await _row(view, project, number))[3:])
            rows = await view.rows(_STAGES, run=run.id)
            position = await view.position()
        await self._bus.reach(position)
        stages = tuple(
            RunStage(
                number=number,
                name=name,
                status=status,
                message=message,
                duration=duration,
                agent=name if run.kind == "generation" else None,
                first_line=first_line,
            )
            for number, name, status, message, duration, first_line in rows
        )
        values = {name: getattr(run, name) for name in Run.model_fields}
        return RunDetail(**values, stages=stages, cursor=self._bus.cursor(position))

    async def kept(self, project: str, number: int) -> Kept:
        """Raises NotFoundError."""
        async with self._store.view() as view:
            serial, kept, pieces, *row = await _row(view, project, number)
            run = run_of(tuple(row))
            position = await view.position()
            names = await view.rows("SELECT name FROM stages WHERE run = :run ORDER BY number", run=run.id)
        return Kept(run, serial, pieces if kept else 0, bool(kept), position, tuple(name for (name,) in names))

    async def cursor(self, found: Kept) -> str:
        """Up to which `found` includes every event."""
        await self._bus.reach(found.position)
        return self._bus.cursor(found.position)

    async def piece_of(self, found: Kept, line: int) -> int:
        """That in which this line begins; 0 if there is none before it either."""
        async with self._store.view() as view:
            rows = await view.rows(_BEGINS, serial=found.serial, line=line)
            rows = rows or await view.rows(_BEFORE, serial=found.serial, line=line)
        return int(rows[0][0]) if rows else 0

    def check_stage(self, found: Kept, stage: str | None) -> None:
        """Raises NotFoundError for the name of a stage that the run has not."""
        if stage is not None and stage not in found.names:
            raise NotFoundError(f"run {found.run.number} has no stage {stage!r}")

    async def pieces(self, found: Kept, after: int = 0, stage: str | None = None) -> AsyncIterator[list[Piece]]:
        """What there is of its log behind the piece `after`, in steps of about `STEP_BYTES`; of one stage, if it is
        named. Raises NotFoundError for a stage that it has not, and if the run is removed meanwhile.
        """
        self.check_stage(found, stage)
        stages = [number for number, name in enumerate(found.names, 1) if name == stage]
        limit = 1
        while after < found.pieces:
            async with self._store.view() as view:
                rows = await view.rows(
                    _PIECES,
                    serial=found.serial,
                    after=after,
                    last=found.pieces,
                    all=stage is None,
                    stages=str(stages),
                    limit=limit,
                )
                kept = await view.rows(_KEPT, serial=found.serial)
            if not any(one for (one,) in kept):  # what is there of it may have holes
                raise NotFoundError(f"the log of run {found.run.number} was removed while it was read")
            if not rows:
                return
            step = [Piece(*row) for row in rows]
            after = step[-1].piece
            size = max(1, sum(len(piece.data) for piece in step) // len(step))
            limit = max(1, min(_STEP_PIECES, STEP_BYTES // size))
            yield step


async def _row(view: View, project: str, number: int) -> Row:
    rows = await view.rows(f"{_RUN} AND r.number = :number", project=project, number=number)
    if not rows:
        raise missing(project, number)
    return rows[0]


async def text_of(reading: Reading, found: Kept, stage: str | None) -> AsyncIterator[bytes]:
    """The log as text: what a command put out, byte for byte; of a generation a line for each that an agent logged or
    put out, `agent: message`.
    """
    if not found.kept:
        yield NOT_KEPT
    if found.run.kind == "command":
        async for step in reading.pieces(found, stage=stage):
            yield b"".join([piece.data for piece in step])
        return
    begins = True
    async for step in reading.pieces(found, stage=stage):
        text = bytearray()
        for piece in step:
            prefix = f"{found.names[piece.stage - 1]}: ".encode() if piece.stage else b""
            if not piece.joined and not begins:
                text += b"\n"
            if piece.level is not None:
                text += prefix + piece.data + b"\n"
                begins = True
                continue
            body = piece.data.removesuffix(b"\n")
            text += (b"" if piece.joined else prefix) + body.replace(b"\n", b"\n" + prefix)
            begins = len(body) != len(piece.data)
            if begins:
                text += b"\n"
        yield bytes(text)
    if not begins:
        yield b"\n"
    if found.run.cut and found.kept and stage is None:
        yield f"[... {found.run.cut:,} bytes are not here ...]\n".encode()
