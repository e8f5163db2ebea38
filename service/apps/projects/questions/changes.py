"""Every write of a question: what is stored, what is announced and what has to be so, for one transaction."""

import json
from collections.abc import Sequence
from typing import Final, NamedTuple

from service.apps.projects.changes import Change, topic_of
from service.apps.projects.models import ANSWER, QUESTION
from service.apps.projects.picture import subject_of_question
from service.apps.projects.questions.limits import OPEN_MAX
from service.apps.projects.questions.models import Asked, How, Question
from service.core.event import Draft
from service.core.time import parse_rfc3339
from service.log.base import Guard, Statement

_PROJECT: Final = "SELECT 1 FROM projects WHERE id = :project"
_KNOWN: Final = "SELECT id FROM questions WHERE project = :project AND coalesce(agent, '') = :agent AND key = :key"
_OPEN: Final = "SELECT count(*) < :most FROM questions WHERE project = :project AND how IS NULL"
_HOW: Final = "SELECT how FROM questions WHERE project = :project AND id = :id"
_ADD: Final = (
    "INSERT INTO questions (id, project, agent, key, run, text, choices, fallback, author, asked, deadline)"
    " VALUES (:id, :project, :agent, :key, :run, :text, :choices, :fallback, :author, :asked, :deadline)"
)
_CLOSE: Final = (
    "UPDATE questions SET how = :how, answer = :answer, answerer = :by, answered = :now"
    " WHERE project = :project AND id = :id"
)
_DROP: Final = (
    "DELETE FROM questions WHERE project = :project AND id IN (SELECT value FROM json_each(:ids)) AND how IS NOT NULL"
)


class QuestionChange(NamedTuple):
    """What `Bus.publish` takes."""

    drafts: Sequence[Draft]
    also: Sequence[Statement]
    guards: Sequence[Guard]


def ask(question: Question, asked: Asked, old: Sequence[str]) -> QuestionChange:
    """A new question, in the place of the `old` ones. It is asked if nobody has with this key, there are not too many
    open ones, and the project is still there.
    """
    project = question.project
    key = {"project": project, "agent": asked.agent or "", "key": asked.key}
    guards = [
        Guard(_PROJECT, {"project": project}, (1,)),
        Guard(_KNOWN, key),
        Guard(_OPEN, {"project": project, "most": OPEN_MAX}, (1,)),
    ]
    values = {
        "id": question.id,
        "project": project,
        "agent": asked.agent,
        "key": asked.key,
        "run": asked.run,
        "text": asked.question,
        "choices": None if asked.choices is None else json.dumps(asked.choices),
        "fallback": asked.default,
        "author": asked.author,
        "asked": parse_rfc3339(question.asked),
        "deadline": parse_rfc3339(question.deadline),
    }
    also = [Statement(_ADD, values), *([Statement(_DROP, {"project": project, "ids": json.dumps(old)})] if old else [])]
    removed = Change(project).remove(map(subject_of_question, old))
    return QuestionChange([_tell(QUESTION, question), *removed.drafts], also, guards)


def close(question: Question, how: How, answer: str | None, by: str | None, now: int) -> QuestionChange:
    """What becomes of an open question; `question` is as it is then. Only if it still is open: the first one counts."""
    named = {"project": question.project, "id": question.id}
    values = {**named, "how": how, "answer": answer, "by": by, "now": now}
    return QuestionChange([_tell(ANSWER, question)], [Statement(_CLOSE, values)], [Guard(_HOW, named, (None,))])


def _tell(type: str, question: Question) -> Draft:
    return Draft.of(topic_of(question.project), type, question.model_dump(), subject=subject_of_question(question.id))
