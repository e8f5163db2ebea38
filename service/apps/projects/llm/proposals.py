"""A brief for a description in prose, proposed by the model, for a person to confirm."""

import asyncio
from typing import Final

from service.apps.projects.agents.base import Used
from service.apps.projects.brief import TYPES, parse_brief
from service.apps.projects.limits import BRIEF_MAX, ENTITIES_MAX, FIELDS_MAX
from service.apps.projects.llm.budget import Budget
from service.apps.projects.llm.exchange import Question, tokens_of
from service.apps.projects.llm.faults import ModelError, OutOfTokensError
from service.apps.projects.llm.fences import FormatError, read_files
from service.apps.projects.llm.hearing import Hearing
from service.apps.projects.llm.model import Model
from service.apps.projects.llm.prompts import handed_back, opening, prompt
from service.apps.projects.models import Value
from service.core.errors import InvalidError, OverloadedError, UnavailableError, UnsupportedError

PROSE_MAX: Final = BRIEF_MAX
"""Characters of a description."""

EXPLANATION_MAX: Final = 2_000
"""Characters of what the model says to its proposal; the rest is cut."""

AT_ONCE: Final = 4
"""Descriptions that the model has at a time; one more is told to come back."""

SECONDS: Final = 45.0
"""In which a person gets a proposal, or none; less where a run may wait less."""

TOKENS: Final = 20_000
"""That one proposal may use, in both tries together; fewer where a run may use fewer."""

ANSWER_TOKENS: Final = 4_096
"""That one answer may have."""

TRIES: Final = 2
"""What can't be read is handed back once."""

_BRIEF: Final = "brief.txt"
_EXPLANATION: Final = "explanation.txt"
_FILES: Final = (_BRIEF, _EXPLANATION)


class Proposal(Value):
    """A brief that can be read, and what the model says to it."""

    brief: str
    explanation: str


class Proposals:
    """`model` None: there is none, and every call says so."""

    def __init__(self, model: Model | None) -> None:
        self._model = model
        self._at_work = 0

    @property
    def is_possible(self) -> bool:
        return self._model is not None

    async def propose(self, text: str) -> Proposal | UnavailableError:
        """An error is returned if the model was asked, and it came to nothing.

        Raises UnsupportedError without a model, InvalidError for a text that is empty or too long, OverloadedError
        while there are AT_ONCE: then nobody was asked.
        """
        if self._model is None:
            detail = "there is no language model here: write the brief yourself, or set TWINWIRE_LLM_URL"
            raise UnsupportedError(detail)
        if not text.strip() or len(text) > PROSE_MAX:
            raise InvalidError(f"a description has 1-{PROSE_MAX:,} characters, not {len(text):,}", field="text")
        if self._at_work == AT_ONCE:
            raise OverloadedError(f"the model is at work on {AT_ONCE} descriptions: try again in a moment")
        self._at_work += 1
        seconds = min(SECONDS, self._model.budget.seconds)
        try:
            async with asyncio.timeout(seconds):
                return await _Proposing(self._model, text).propose()
        except TimeoutError:
            detail = f"the model took longer than {seconds:g} s: write the brief yourself, or try again"
            return UnavailableError(detail)
        except ModelError as error:
            return UnavailableError(str(error))
        finally:
            self._at_work -= 1


class _Proposing:
    """One description's."""

    def __init__(self, model: Model, text: str) -> None:
        budget = model.budget
        self._model = model
        self._budget = Budget(
            min(TOKENS, budget.tokens), min(SECONDS, budget.seconds), min(ANSWER_TOKENS, budget.answer)
        )
        self._used = Used()
        kinds = " / ".join(f'"{kind}"' for kind in TYPES)
        task = prompt("brief", text=text, kinds=kinds, entities=str(ENTITIES_MAX), fields=str(FIELDS_MAX))
        self._messages = opening(_FILES, task)

    async def propose(self) -> Proposal:
        for left in reversed(range(TRIES)):
            text = await self._ask()
            try:
                return _read(text)
            except (FormatError, InvalidError) as error:
                problem = str(error)
            if left:
                self._messages += handed_back(text, problem)
        raise ModelError(f"The model's proposal can't be used ({problem}): write the brief yourself, or try again")

    async def _ask(self) -> str:
        budget, used, clock = self._budget, self._used, self._model.clock
        cost, began, hearing = tokens_of(self._messages), clock.monotonic(), Hearing()
        tokens = budget.answer_tokens(used, cost)
        question = Question(self._messages, cost, tokens, budget.room(used, cost, tokens), budget.seconds_left(used))
        try:
            answer = await self._model.endpoint.ask(question, hearing)
        except OutOfTokensError:
            advice = "see whether the endpoint honours max_tokens, or shorten the description"
            raise ModelError(f"The model's answer does not come to an end: {advice}") from None
        self._used = Used(used.tokens + hearing.tokens, used.seconds + clock.monotonic() - began)
        return answer.text


def _read(text: str) -> Proposal:
    """Raises FormatError, InvalidError."""
    files = read_files(text, _FILES.__contains__)
    if _BRIEF not in files:
        raise FormatError(f"the file {_BRIEF} is missing")
    brief = str(parse_brief(files[_BRIEF]))
    return Proposal(brief=brief, explanation=files.get(_EXPLANATION, "").strip()[:EXPLANATION_MAX])
