"""Every write of the generator: what is stored and what is announced, to be committed in one transaction."""

import hashlib
import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from service.apps.projects.models import (
    EVENT_TYPES,
    OUTPUT,
    REMOVED,
    EventData,
    FinalStatus,
    LogLine,
    Run,
    RunStatus,
    StageStatus,
)
from service.apps.projects.picture import subject_of, subject_of_output
from service.apps.projects.runs.files import ADOPT, COUNT_CHANGED
from service.apps.projects.runs.pieces import ADD_LINE, ADD_OUTPUT
from service.core.event import Draft
from service.core.time import parse_rfc3339
from service.log.base import Statement, Value

PROJECTS_TOPIC: Final = "projects"
"""Where projects come and go; what happens inside one is on `projects/{id}`."""


def topic_of(project: str) -> str:
    return f"{PROJECTS_TOPIC}/{project}"


@dataclass(slots=True)
class Change:
    """Events and statements about one project that commit together. Methods return self, to be chained."""

    project: str
    drafts: list[Draft] = field(default_factory=list)
    also: list[Statement] = field(default_factory=list)

    def tell(self, *events: EventData) -> Self:
        """Announce on the project's topic."""
        topic = topic_of(self.project)
        self.drafts.extend(
            Draft.of(topic, EVENT_TYPES[type(one)], one.model_dump(), subject=subject_of(one)) for one in events
        )
        return self

    def put_out(self, run: str, stage: int, text: str, *, is_first: bool) -> Self:
        """What the agent of a stage has put out grows by a text, or begins with it; once, however often it is tried."""
        subject, key = subject_of_output(stage), secrets.token_hex(8)
        self.drafts.append(Draft.of(topic_of(self.project), OUTPUT, text, key, subject, append=not is_first))
        data = text.encode()
        for sql in ADD_OUTPUT:
            self._do(sql, run=run, stage=stage, data=data, size=len(data), newlines=data.count(b"\n"))
        return self

    def log(self, run: Run, line: LogLine) -> Self:
        """Tell a line, and keep it in the log of the run."""
        self.tell(line.model_copy(update={"run": run.number}))
        data = line.message.encode()
        for sql in ADD_LINE:
            self._do(sql, run=run.id, stage=line.stage or 0, level=line.level, data=data, size=len(data))
        return self

    def remove(self, subjects: Iterable[str]) -> Self:
        """Of these there is nothing any more."""
        topic = topic_of(self.project)
        self.drafts.extend(Draft.of(topic, REMOVED, None, subject=subject) for subject in subjects)
        return self

    def tell_all(self, type: str, name: str) -> Self:
        """Announce on the topic of all projects."""
        self.drafts.append(Draft.of(PROJECTS_TOPIC, type, {"id": self.project, "name": name}))
        return self

    def _do(self, sql: str, **values: Value) -> Self:
        self.also.append(Statement(sql, {"project": self.project, **values}))
        return self

    def add_project(self, name: str, brief: str, now: int) -> Self:
        return self._do(
            "INSERT INTO projects (id, name, brief, created) VALUES (:project, :name, :brief, :now)",
            name=name,
            brief=brief,
            now=now,
        )

    def remove_project(self) -> Self:
        self._do("DELETE FROM stages WHERE run IN (SELECT id FROM runs WHERE project = :project)")
        for table, column in (("files", "project"), ("questions", "project"), ("runs", "project"), ("projects", "id")):
            self._do(f"DELETE FROM {table} WHERE {column} = :project")  # noqa: S608 - two literals
        return self

    def add_run(self, run: Run, now: int, *, key: str | None = None, may_run: bool = True) -> Self:
        """With the number that it has, which has to be the project's next."""
        self._do("UPDATE projects SET runs = :number WHERE id = :project", number=run.number)
        return self._do(
            "INSERT INTO runs (id, project, number, kind, key, command, author, host, may_run,"
            " status, progress, message, created, started, heard)"
            " VALUES (:run, :project, :number, :kind, :key, :command, :author, :host, :may_run,"
            " :status, :progress, :message, :now, :started, :now)",
            run=run.id,
            number=run.number,
            kind=run.kind,
            key=key,
            command=run.command,
            author=run.author,
            host=run.host,
            may_run=may_run,
            status=run.status,
            progress=run.progress,
            message=run.message,
            now=now,
            started=None if run.started is None else parse_rfc3339(run.started),
        )

    def add_stages(self, run: str, names: Sequence[str]) -> Self:
        """All of them pending, from number 1."""
        return self._do(
            "INSERT INTO stages (run, number, name, status, message)"
            " SELECT :run, key + 1, value, 'pending', '' FROM json_each(:names)",
            run=run,
            names=json.dumps(names),
        )

    def set_run(self, run: str, status: RunStatus, progress: int, message: str) -> Self:
        return self._do(
            "UPDATE runs SET status = :status, progress = :progress, message = :message WHERE id = :run",
            run=run,
            status=status,
            progress=progress,
            message=message,
        )

    def start_run(self, run: str, now: int) -> Self:
        """The first start counts: a resumed run keeps it."""
        return self._do("UPDATE runs SET started = coalesce(started, :now) WHERE id = :run", run=run, now=now)

    def set_used(self, run: str, tokens: int, seconds: float) -> Self:
        return self._do(
            "UPDATE runs SET tokens = :tokens, waited = :seconds WHERE id = :run",
            run=run,
            tokens=tokens,
            seconds=seconds,
        )

    def end_run(self, run: str, status: FinalStatus, progress: int, message: str, now: int) -> Self:
        """What is at work in it ends as it does."""
        self.set_run(run, status, progress, message)
        self._do("UPDATE stages SET status = :status WHERE run = :run AND status = 'started'", run=run, status=status)
        return self._do("UPDATE runs SET finished = :now WHERE id = :run", run=run, now=now)

    def start_stage(self, run: str, number: int, message: str) -> Self:
        """It begins in a line of its own, and the run is at it."""
        self._do(
            "UPDATE stages SET status = 'started', message = :message, duration = NULL, started = :time,"
            " first_line = coalesce(first_line, (SELECT lines + 1 FROM runs WHERE id = :run))"
            " WHERE run = :run AND number = :number",
            run=run,
            number=number,
            message=message,
        )
        return self._do("UPDATE runs SET stage = :number, unfinished = 0 WHERE id = :run", run=run, number=number)

    def set_stage(self, run: str, number: int, status: StageStatus, message: str, duration: float | None) -> Self:
        return self._do(
            "UPDATE stages SET status = :status, message = :message, duration = :duration"
            " WHERE run = :run AND number = :number",
            run=run,
            number=number,
            status=status,
            message=message,
            duration=duration,
        )

    def put_file(self, run: str, path: str, text: str, now: int, stage: int) -> Self:
        """As the project's file, and as that of the run: what it holds is stored once, whoever has it already."""
        data = text.encode()
        digest = hashlib.sha256(data).hexdigest()
        self._do(
            "INSERT INTO contents (digest, text, size) VALUES (:digest, :text, :size) ON CONFLICT (digest) DO NOTHING",
            digest=digest,
            text=text,
            size=len(data),
        )
        self._do(ADOPT, path=path, digest=digest, size=len(data))
        self._do(
            "INSERT INTO run_files (run, path, stage, content, before) SELECT r.serial, :path, :stage, c.id,"
            " CASE WHEN EXISTS (SELECT 1 FROM run_files WHERE run = r.serial AND path = :path)"
            " THEN (SELECT before FROM run_files WHERE run = r.serial AND path = :path LIMIT 1)"
            " ELSE (SELECT content FROM files WHERE project = :project AND path = :path) END"
            " FROM runs r, contents c WHERE r.id = :run AND c.digest = :digest"
            " ON CONFLICT (run, path, stage) DO UPDATE SET content = excluded.content",
            path=path,
            run=run,
            stage=stage,
            digest=digest,
        )
        self._do(COUNT_CHANGED, run=run)
        return self._do(
            "INSERT INTO files (project, path, run, content, updated)"
            " SELECT :project, :path, :run, id, :now FROM contents WHERE digest = :digest"
            " ON CONFLICT (project, path) DO UPDATE SET run = excluded.run, content = excluded.content,"
            " updated = excluded.updated",
            path=path,
            run=run,
            digest=digest,
            now=now,
        )

    def drop_files_of_other_runs(self, run: str) -> Self:
        """A completed run leaves what it wrote, and nothing that an earlier one alone did."""
        self._do(
            "INSERT INTO run_files (run, path, stage, content, before)"
            " SELECT r.serial, f.path, 0, NULL, f.content FROM runs r, files f"
            " WHERE r.id = :run AND f.project = :project AND f.run <> :run ON CONFLICT (run, path, stage) DO NOTHING",
            run=run,
        )
        return self._do("DELETE FROM files WHERE project = :project AND run <> :run", run=run)
