"""An agent's talk with a model in one stage: questions, what comes back as live text, and files of it.

A stage may hand back HAND_BACKS times what can't be used, whatever is wrong with it: an answer that is not in the
format, one that is cut off, or files whose tests fail. What is handed back carries the last answer and what is wrong
with it, and none before that, so that it does not grow.

Two tasks: the endpoint is asked in one, which ends with this one whatever happens; this one shows what was heard,
a few times a second, so that a token is not an event.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from service.apps.projects.agents.base import Workspace
from service.apps.projects.limits import OUTPUT_ALL_MAX
from service.apps.projects.llm.exchange import Answer, Message, Question, tokens_of
from service.apps.projects.llm.faults import ModelError, OutOfTokensError
from service.apps.projects.llm.fences import FormatError, read_files
from service.apps.projects.llm.hearing import Hearing
from service.apps.projects.llm.model import Model
from service.apps.projects.llm.prompts import handed_back, opening

HAND_BACKS: Final = 3
"""In one stage."""

INTERVAL: Final = 0.3
"""Seconds between two events of output."""

SHOWN_MAX: Final = OUTPUT_ALL_MAX // 2
"""Characters of a model that one stage shows; the other half is for what its tests put out."""

RECALLED_MAX: Final = 40_000
"""Characters of an answer that go back with what is wrong with it."""

_TYPICAL: Final = 3_000
"""Tokens of an answer with which a stage is half done: a guess that moves the progress."""

Check = Callable[[dict[str, str]], None]
"""Raises FormatError if an answer's files are not what was asked for."""


class Talk:
    """Of one stage."""

    def __init__(
        self, work: Workspace, model: Model, writes: tuple[str, ...], may_write: Callable[[str], bool]
    ) -> None:
        self._work = work
        self._model = model
        self._may_write = may_write
        self._writes = writes
        self._shown = 0
        self._handed_back = 0

    async def files(self, task: str, check: Check = lambda files: None) -> dict[str, str]:
        """What the model writes for `task`. Raises ModelError, after the last hand-back too."""
        first = opening(self._writes, task)
        again: list[Message] = []
        while True:
            answer = await self._ask([*first, *again])
            try:
                return self._read(answer, check)
            except FormatError as error:
                problem = str(error)
            await self.hand_back(f"The model's answer can't be used: {problem}")
            again = handed_back(answer.text[:RECALLED_MAX], problem)

    async def hand_back(self, problem: str) -> None:
        """Count it, and tell people. Raises ModelError once there were as many as may be."""
        if self._handed_back == HAND_BACKS:
            raise ModelError(
                f"{problem}. It was handed back to the model {HAND_BACKS} times: generate again, take a smaller brief,"
                " or a model that can do it"
            )
        self._handed_back += 1
        await self._work.log(f"{problem}. Handed back to the model ({self._handed_back} of {HAND_BACKS})", "warning")

    def _read(self, answer: Answer, check: Check) -> dict[str, str]:
        if answer.is_cut:
            raise FormatError(
                "it is longer than an answer may be (TWINWIRE_LLM_ANSWER_TOKENS), and was cut off; write less, in"
                " fewer or shorter files"
            )
        if not answer.text.strip():
            raise FormatError("it is empty")
        files = read_files(answer.text, self._may_write, self._work.paths())
        check(files)
        return files

    async def _ask(self, messages: list[Message]) -> Answer:
        work, budget, clock = self._work, self._model.budget, self._model.clock
        cost, before = tokens_of(messages), work.used
        tokens, seconds = budget.answer_tokens(before, cost), budget.seconds_left(before)
        question = Question(messages, cost, tokens, budget.room(before, cost, tokens), seconds)
        work.use(cost + tokens, 0)
        await work.log(f"Asking {self._model.name}: about {cost:,} tokens, for at most {tokens:,}", "debug")
        hearing, began = Hearing(), clock.monotonic()
        try:
            answer = await self._listen(question, hearing)
        except OutOfTokensError:
            raise budget.endless(before.tokens + hearing.tokens, tokens) from None
        except TimeoutError:
            raise budget.out_of_time() from None
        finally:
            took = clock.monotonic() - began
            work.use(hearing.tokens - cost - tokens, took)
        left = budget.tokens_left(work.used)
        await work.log(f"{hearing.tokens:,} tokens in {took:.1f} s; {left:,} of {budget.tokens:,} are left to this run")
        return answer

    async def _listen(self, question: Question, hearing: Hearing) -> Answer:
        asking = asyncio.create_task(self._model.endpoint.ask(question, hearing))
        try:
            while not asking.done():
                await asyncio.wait({asking}, timeout=INTERVAL)
                await self._tell(hearing, question.cost)
        finally:
            asking.cancel()
            await asyncio.wait({asking})
            if not asking.cancelled():
                asking.exception()  # heard, also if it is another one that is raised
        await self._tell(hearing, question.cost)
        return asking.result()

    async def _tell(self, hearing: Hearing, cost: int) -> None:
        text, notes = hearing.take()
        if text and self._shown < SHOWN_MAX:
            piece = text[: SHOWN_MAX - self._shown]
            self._shown += len(piece)
            await self._work.output(piece)
            if self._shown == SHOWN_MAX:
                await self._work.log("The model says more than is shown here", "warning")
        for note in notes:
            await self._work.log(note, "warning")
        if text:
            said = max(0, hearing.tokens - cost)
            await self._work.progress(0.8 * said / (said + _TYPICAL))
