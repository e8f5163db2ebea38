"""Questions as the rest of the application uses them: ask, look, wait, answer, withdraw.

Theory. A question is open, then closed, then perhaps gone; never back. Four may close it: somebody who answers, its
deadline, whoever asked and takes it back, the end of the run in which it was asked. Who is first is decided in one
place, by a guard in the transaction that stores the end and tells of it (`changes.close`): of any number who try at the
same time one commits, and each other finds out who and what it was.

All that this process closes goes through `_close`, and no other process writes here: so whoever waits is woken from
there. He is on the list before he looks whether it is open still, so that no end falls between the two.

What is written is written to its end though its caller be cancelled: else a client that hangs up could leave a question
whose end nobody was woken for.
"""

import asyncio
from collections.abc import Awaitable, Iterable
from weakref import WeakValueDictionary

import structlog

from service.apps.base import Bus
from service.apps.projects.ids import new_id
from service.apps.projects.locks import Locks
from service.apps.projects.patience import uninterrupted
from service.apps.projects.questions import changes
from service.apps.projects.questions.deadlines import Deadlines
from service.apps.projects.questions.limits import OPEN_MAX
from service.apps.projects.questions.models import Asked, How, Question, QuestionList, check_answer
from service.apps.projects.questions.store import QuestionStore, surplus
from service.core.errors import ConflictError, GuardError, InvalidError, NotFoundError
from service.core.time import Clock, parse_rfc3339, rfc3339

logger = structlog.get_logger(__name__)


class Questions:
    """Make it, then `start` it; `close` it before the bus."""

    def __init__(self, bus: Bus, store: QuestionStore, clock: Clock) -> None:
        self._bus = bus
        self._store = store
        self._clock = clock
        self._deadlines = Deadlines(store, clock, self._expire)
        self._locks = Locks()
        self._ends: WeakValueDictionary[str, asyncio.Event] = WeakValueDictionary()

    def start(self) -> None:
        """From now on deadlines count; those that passed meanwhile do so at once."""
        self._deadlines.start()

    async def close(self) -> None:
        await self._deadlines.close()

    async def ask(self, project: str, asked: Asked) -> tuple[Question, bool]:
        """The question, and whether it is new: who asks again with the same key is told what became of the first.

        Raises NotFoundError (no such project), InvalidError (no such run), ConflictError (too many are open).
        """
        async with self.exclusive(project):
            return await uninterrupted(self._ask(project, asked))

    async def _ask(self, project: str, asked: Asked) -> tuple[Question, bool]:
        async with self._store.view() as view:
            await view.check_project(project)
            known = await view.known(project, asked.agent, asked.key)
            kept = [] if known else await view.of(project)
            if known is None and asked.run is not None and not await view.has_run(project, asked.run):
                raise InvalidError(f"the project has no run {asked.run}", field="run")
        if known is not None:
            return known, False
        question = self._new(project, asked)
        change = changes.ask(question, asked, surplus(kept))
        try:
            await self._bus.publish(*change)
        except GuardError:  # since its key was looked for, its project has gone; or there are too many
            async with self._store.view() as view:
                await view.check_project(project)
            told = f"{OPEN_MAX} questions of this project are open already: answer or withdraw one first"
            raise ConflictError(told) from None
        self._deadlines.look()
        return question, True

    def _new(self, project: str, asked: Asked) -> Question:
        now = self._clock.unix_ms()
        return Question(
            id=new_id(),
            project=project,
            run=asked.run,
            question=asked.question,
            choices=asked.choices,
            default=asked.default,
            agent=asked.agent,
            author=asked.author,
            asked=rfc3339(now),
            deadline=rfc3339(now + round(asked.timeout * 1000)),
            how=None,
            answer=None,
            by=None,
            answered=None,
        )

    def exclusive(self, project: str) -> asyncio.Lock:
        """While held, nothing new is asked in this project."""
        return self._locks.of(project)

    # Looking

    async def get(self, project: str, id: str) -> Question:
        """Raises NotFoundError."""
        async with self._store.view() as view:
            found = await view.find(project, id)
        if found is None:
            raise NotFoundError(f"the project {project!r} has no question {id!r}")
        return found

    async def listing(self, project: str) -> QuestionList:
        """Raises NotFoundError."""
        async with self._store.view() as view:
            await view.check_project(project)
            found = await view.of(project)
            position = await view.position()
        await self._bus.reach(position)
        return QuestionList(questions=tuple(found), cursor=self._bus.cursor(position))

    async def ended(self, project: str, id: str) -> Question:
        """Return it once it is not open any more; at once if it is not. Raises NotFoundError, also if it goes."""
        while True:
            end = self._ends.setdefault(id, asyncio.Event())
            question = await self.get(project, id)
            if not question.is_open:
                return question
            await end.wait()

    async def ids(self, project: str) -> list[str]:
        """Of all that is kept of a project."""
        async with self._store.view() as view:
            return [one.id for one in await view.of(project)]

    def forget(self, ids: Iterable[str]) -> None:
        """They have gone: whoever waits for one is told."""
        for id in ids:
            self._wake(id)

    def _wake(self, id: str) -> None:
        """Whoever waits for its end looks again."""
        if (end := self._ends.pop(id, None)) is not None:
            end.set()

    # Closing

    async def answer(self, project: str, id: str, text: str, by: str | None) -> Question:
        """Raises NotFoundError, InvalidError (no such choice), ConflictError that says who was first, and with what."""
        question = await self.get(project, id)
        if question.is_open:
            check_answer(text, question.choices)
            if self._is_due(question):
                await self._expire(question)  # whoever comes too late is not let in by a timer that does too
                question = await self.get(project, id)
        return await self._close(question, "person", text, by)

    async def withdraw(self, project: str, id: str, by: str | None) -> Question:
        """Raises NotFoundError, ConflictError if it is not open any more."""
        return await self._close(await self.get(project, id), "withdrawn", None, by)

    async def withdraw_of_run(self, project: str, run: str) -> None:
        """The run of this id ends: nobody waits for what its agents have asked."""
        async with self._store.view() as view:
            left = await view.open_of_run(project, run)
        for question in left:
            await self._unless_closed(self._close(question, "withdrawn", None, None))

    def _is_due(self, question: Question) -> bool:
        return parse_rfc3339(question.deadline) <= self._clock.unix_ms()

    async def _expire(self, question: Question) -> None:
        how: How = "unanswered" if question.default is None else "default"
        await self._unless_closed(self._close(question, how, question.default, None))

    async def _unless_closed(self, closing: Awaitable[Question]) -> None:
        try:
            await closing
        except (ConflictError, NotFoundError) as error:
            logger.debug("question_was_closed", reason=error.detail)

    async def _close(self, question: Question, how: How, answer: str | None, by: str | None) -> Question:
        if not question.is_open:
            raise ConflictError(question.end)
        return await uninterrupted(self._close_first(question, how, answer, by))

    async def _close_first(self, question: Question, how: How, answer: str | None, by: str | None) -> Question:
        now = self._clock.unix_ms()
        closed = question.model_copy(update={"how": how, "answer": answer, "by": by, "answered": rfc3339(now)})
        change = changes.close(closed, how, answer, by, now)
        try:
            await self._bus.publish(*change)
        except GuardError:
            found = await self.get(question.project, question.id)
            raise ConflictError(found.end) from None
        finally:
            self._wake(question.id)  # also if that failed: who finds it open waits on
        return closed
