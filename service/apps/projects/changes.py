"""Every write of the generator: what is stored and what is announced, to be committed in one transaction."""

import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from service.apps.projects.models import (
    EVENT_TYPES,
    OUTPUT,
    REMOVED,
    EventData,
    FinalStatus,
    RunStatus,
    StageStatus,
)
from service.apps.projects.picture import subject_of, subject_of_output
from service.core.event import Draft
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

    def tell(self, *events: EventData) -> "Change":
        """Announce on the project's topic."""
        topic = topic_of(self.project)
        self.drafts.extend(
            Draft.of(topic, EVENT_TYPES[type(one)], one.model_dump(), subject=subject_of(one)) for one in events
        )
        return self

    def put_out(self, stage: int, text: str, *, is_first: bool) -> "Change":
        """What the agent of a stage has put out grows by a text, or begins with it; once, however often it is tried."""
        subject, key = subject_of_output(stage), secrets.token_hex(8)
        self.drafts.append(Draft.of(topic_of(self.project), OUTPUT, text, key, subject, append=not is_first))
        return self

    def remove(self, subjects: Iterable[str]) -> "Change":
        """Of these there is nothing any more."""
        topic = topic_of(self.project)
        self.drafts.extend(Draft.of(topic, REMOVED, None, subject=subject) for subject in subjects)
        return self

    def tell_all(self, type: str, name: str) -> "Change":
        """Announce on the topic of all projects."""
        self.drafts.append(Draft.of(PROJECTS_TOPIC, type, {"id": self.project, "name": name}))
        return self

    def _do(self, sql: str, **values: Value) -> "Change":
        self.also.append(Statement(sql, {"project": self.project, **values}))
        return self

    def add_project(self, name: str, brief: str, now: int) -> "Change":
        return self._do(
            "INSERT INTO projects (id, name, brief, created) VALUES (:project, :name, :brief, :now)",
            name=name,
            brief=brief,
            now=now,
        )

    def remove_project(self) -> "Change":
        self._do("DELETE FROM stages WHERE run IN (SELECT id FROM runs WHERE project = :project)")
        for table, column in (("files", "project"), ("runs", "project"), ("projects", "id")):
            self._do(f"DELETE FROM {table} WHERE {column} = :project")  # noqa: S608 - two literals
        return self

    def add_run(self, run: str, agents: Sequence[str], message: str, now: int) -> "Change":
        self._do(
            "INSERT INTO runs (id, project, status, progress, message, created)"
            " VALUES (:run, :project, 'queued', 0, :message, :now)",
            run=run,
            message=message,
            now=now,
        )
        return self._do(
            "INSERT INTO stages (run, number, agent, status, message)"
            " SELECT :run, key + 1, value, 'pending', '' FROM json_each(:agents)",
            run=run,
            agents=json.dumps(agents),
        )

    def set_run(self, run: str, status: RunStatus, progress: int, message: str) -> "Change":
        return self._do(
            "UPDATE runs SET status = :status, progress = :progress, message = :message WHERE id = :run",
            run=run,
            status=status,
            progress=progress,
            message=message,
        )

    def start_run(self, run: str, now: int) -> "Change":
        """The first start counts: a resumed run keeps it."""
        return self._do("UPDATE runs SET started = coalesce(started, :now) WHERE id = :run", run=run, now=now)

    def end_run(self, run: str, status: FinalStatus, progress: int, message: str, now: int) -> "Change":
        self.set_run(run, status, progress, message)
        return self._do("UPDATE runs SET finished = :now WHERE id = :run", run=run, now=now)

    def set_stage(self, run: str, number: int, status: StageStatus, message: str, duration: float | None) -> "Change":
        return self._do(
            "UPDATE stages SET status = :status, message = :message, duration = :duration"
            " WHERE run = :run AND number = :number",
            run=run,
            number=number,
            status=status,
            message=message,
            duration=duration,
        )

    def put_file(self, run: str, path: str, text: str, now: int) -> "Change":
        return self._do(
            "INSERT INTO files (project, path, run, content, size, updated)"
            " VALUES (:project, :path, :run, :text, :size, :now)"
            " ON CONFLICT (project, path) DO UPDATE SET run = excluded.run, content = excluded.content,"
            " size = excluded.size, updated = excluded.updated",
            path=path,
            run=run,
            text=text,
            size=len(text.encode()),
            now=now,
        )

    def drop_files_of_other_runs(self, run: str) -> "Change":
        """A completed run leaves what it wrote, and nothing that an earlier one alone did."""
        return self._do("DELETE FROM files WHERE project = :project AND run <> :run", run=run)
