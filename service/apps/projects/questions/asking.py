"""How an agent asks: what it says becomes a question, and what becomes of that its answer, or an error."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from service.apps.projects.agents.base import AgentError
from service.apps.projects.questions.models import Asked, Question
from service.core.errors import ConflictError, InvalidError

Ask = Callable[[Asked], Awaitable[Question]]
"""Asks, and returns the question once it is not open any more."""

_DIGITS: Final = 12


def question_of(
    agent: str,
    place: str,
    run: int,
    question: str,
    choices: Sequence[str] | None,
    timeout: float,
    default: str | None,
) -> Asked:
    """`place` says which question of which turn it is, so that an agent whose turn is repeated asks the same one; what
    it asks is in the key too, for one that is not sure to: what was answered to another question is no answer to it.

    Raises AgentError for what is no question.
    """
    given = None if choices is None else tuple(choices)
    digest = hashlib.sha256(json.dumps([question, given]).encode()).hexdigest()[:_DIGITS]
    try:
        return Asked(f"{place}/{digest}", question, given, timeout, default, run, agent)
    except InvalidError as error:
        raise AgentError(f"the question can't be asked: {error.detail}") from error


async def answer_to(asked: Asked, ask: Ask) -> str:
    """Raises AgentError if there is none."""
    try:
        found = await ask(asked)
    except ConflictError as error:
        raise AgentError(f"the question can't be asked: {error.detail}") from error
    if found.answer is None:
        raise AgentError(f"no answer to {asked.question!r}: {found.end}")
    return found.answer
