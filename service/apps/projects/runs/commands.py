"""Runs of commands: begun, reported in order and once, and cancelled.

What is accepted is decided in the transaction that stores it: each change is guarded by the state of the run that it
was made for (`Held.guard`), so that of two reporters of one run, or of one that repeats what a killed service had
stored without answering, each item counts once. A change that comes too late is made anew from the state that there
is now.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Final, NamedTuple

from service.apps.base import Bus
from service.apps.projects.changes import Change
from service.apps.projects.locks import Locks
from service.apps.projects.models import Run
from service.apps.projects.patience import uninterrupted
from service.apps.projects.runs.applying import Applying, tell_run
from service.apps.projects.runs.held import Held, held, held_by_key
from service.apps.projects.runs.items import NewRun, Report
from service.apps.projects.runs.limits import UNFINISHED_MAX
from service.apps.projects.runs.made import command_run, insist, number_guard
from service.apps.projects.runs.silence import ended_unheard
from service.apps.projects.runs.updates import Updates
from service.apps.projects.runs.wording import cancelled_command
from service.apps.projects.store import Store
from service.core.errors import ConflictError, GoneError, OverloadedError
from service.core.time import Clock
from service.log.base import Statement

Spending = Callable[[int], AbstractContextManager[object]]
"""Around what publishes so many events because somebody wishes it."""

_UNFINISHED: Final = "SELECT count(*) FROM runs WHERE project = :project AND kind = 'command' AND status = 'running'"
_CANCEL: Final = "UPDATE runs SET cancelling = 1, cancelled_by = :by, message = :message WHERE id = :run"
_STAGES: Final = "SELECT name, status <> 'pending' FROM stages WHERE run = :run ORDER BY number"


class Begun(NamedTuple):
    """`reported` is the number of the last item that was accepted; `is_new`: the run was made by this call."""

    run: Run
    reported: int
    is_new: bool


class Accepted(NamedTuple):
    """`reported` as above; `cancel`: the command is to be ended."""

    reported: int
    cancel: bool


class Commands:
    """One for all projects."""

    def __init__(
        self,
        bus: Bus,
        store: Store,
        clock: Clock,
        updates: Updates,
        most: int,
        heard: Callable[[], None],
        ended: Callable[[str], None],
    ) -> None:
        """`most` is how many bytes of output the log of one may have. `heard` is called when one begins or goes on,
        `ended` with the project of one that has ended.
        """
        self.most: Final = most
        self._bus = bus
        self._store = store
        self._clock = clock
        self._updates = updates
        self._heard = heard
        self._ended = ended
        self._locks = Locks()

    async def begin(self, project: str, new: NewRun, author: str | None, spending: Spending) -> Begun:
        """Raises NotFoundError, ConflictError (the key is another command's), OverloadedError."""
        async with self.exclusive(project):
            return await uninterrupted(insist(lambda: self._begin(project, new, author, spending)))

    def exclusive(self, project: str) -> asyncio.Lock:
        """While held, no command of this project begins. Many that start together would else take each other's number,
        again and again, and one could begin in a project that is just being deleted."""
        return self._locks.of(project)

    async def _begin(self, project: str, new: NewRun, author: str | None, spending: Spending) -> Begun:
        async with self._store.view() as view:
            owner = await view.project(project)
            known = await held_by_key(view, project, new.key)
            number = await view.next_number(project)
            (unfinished,) = (await view.rows(_UNFINISHED, project=project))[0]
        if known is not None:
            if known.run.command != new.command:
                raise ConflictError("this key is that of another command's run", field="key")
            return Begun(known.run, known.reported, is_new=False)
        if unfinished >= UNFINISHED_MAX:
            raise OverloadedError(f"{unfinished} commands of this project are under way already")
        now = self._clock.unix_ms()
        run = command_run(project, number, new, author, now)
        change = Change(project).add_run(run, now, key=new.key)
        if new.stages:
            change.add_stages(run.id, new.stages)
        tell_run(change, run, is_shown=owner.brief is None)
        with spending(len(change.drafts)):
            await self._bus.publish(change.drafts, change.also, [number_guard(project, number)])
        self._heard()
        return Begun(run, 0, is_new=True)

    async def report(self, project: str, number: int, report: Report, spending: Spending) -> Accepted:
        """Raises NotFoundError, ConflictError (something is missing: `reported` is a member; or it has ended),
        TooLargeError."""
        return await insist(lambda: self._report(project, number, report, spending))

    async def _report(self, project: str, number: int, report: Report, spending: Spending) -> Accepted:
        async with self._store.view() as view:
            found = await held(view, project, number)
            stages = await view.rows(_STAGES, run=found.run.id)
        check_command(found)
        if report.start > found.reported + 1:
            detail = f"items up to {found.reported} were accepted, and these begin with {report.start}"
            raise ConflictError(detail, field="from", members={"reported": found.reported})
        repeated = found.reported + 1 - report.start
        if repeated >= len(report.items):
            return Accepted(found.reported, found.cancelling and not found.ended)
        if not found.kept:
            raise GoneError("the log of this run is not kept any more")
        if found.ended:
            raise ConflictError("the end of this run was reported already", field="items")
        applying = Applying(found, stages, self._clock.unix_ms(), self.most)
        for place, item in enumerate(report.items[repeated:], repeated):
            applying.take(item, f"items.{place}")
        reported = report.start + len(report.items) - 1
        await self._store_report(found, applying, reported, spending)
        return Accepted(reported, found.cancelling and not applying.has_ended)

    async def _store_report(self, found: Held, applying: Applying, reported: int, spending: Spending) -> None:
        change, run = applying.close(reported), applying.run
        is_told = applying.is_news or (applying.has_moved and self._updates.is_due(run.id))
        if is_told:
            tell_run(change, run, is_shown=found.is_shown)
            self._updates.told(run.id)
        # No item costs more than an event that somebody publishes: one that could never be paid could never be sent.
        with spending(min(len(change.drafts), reported - found.reported)):
            await self._bus.publish(change.drafts, change.also, [found.guard])
        self._heard()
        if run.finished is not None:
            self._ended(run.project)
        if applying.has_moved and not is_told:
            self._updates.later(run.project, run.number, run.id)

    async def cancel(self, project: str, number: int, by: str | None, spending: Spending) -> Run:
        """Have its reporter end it, the next time that it reports; one that is silent ends now.

        Raises NotFoundError, ConflictError (it has ended, or is a generation).
        """
        return await insist(lambda: self._cancel(project, number, by, spending))

    async def _cancel(self, project: str, number: int, by: str | None, spending: Spending) -> Run:
        async with self._store.view() as view:
            found = await held(view, project, number)
        check_command(found)
        if found.run.finished is not None:
            raise ConflictError("this run has ended")
        if found.cancelling and not found.run.silent:
            return found.run
        run = found.run.model_copy(update={"message": f"Being cancelled by {by}" if by else "Being cancelled"})
        change = Change(project)
        change.also.append(Statement(_CANCEL, {"run": run.id, "by": by, "message": run.message}))
        if found.run.silent:
            now = self._clock.unix_ms()
            run = ended_unheard(change, replace(found, cancelling=True), cancelled_command(by, run.stage), now)
        tell_run(change, run, is_shown=found.is_shown)
        with spending(len(change.drafts)):
            await self._bus.publish(change.drafts, change.also, [found.guard])
        if run.finished is not None:
            self._ended(project)
        return run


def check_command(found: Held) -> None:
    """Raises ConflictError for a generation, of which nobody reports."""
    if found.run.kind != "command":
        raise ConflictError("this run is a generation: only commands are reported")
