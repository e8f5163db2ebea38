"""A question and what becomes of it, as values checked at construction (docs/protocol.md, section 6)."""

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta, Struct

from service.apps.projects.models import Value
from service.apps.projects.questions.limits import (
    CHOICE_MAX,
    CHOICES_MAX,
    KEY_MAX,
    TEXT_MAX,
    TIMEOUT_MAX,
    TIMEOUT_MIN,
)
from service.apps.projects.texts import is_one_line
from service.core.errors import InvalidError
from service.core.limits import OFFSET_MAX

How = Literal["person", "default", "unanswered", "withdrawn"]
"""How a question ended: somebody answered, its deadline did with the default or without one, or it was taken back."""


class Question(Value):
    """`how` is null while it is open. Times are RFC 3339; `choices` null: any text is an answer.

    `agent` is the agent that asks, else `author` the subject that did. `by` is the subject that answered or withdrew
    it, null for nobody in particular.
    """

    id: str
    project: str
    run: int | None
    question: str
    choices: tuple[str, ...] | None
    default: str | None
    agent: str | None
    author: str | None
    asked: str
    deadline: str
    how: How | None
    answer: str | None
    by: str | None
    answered: str | None

    @property
    def is_open(self) -> bool:
        return self.how is None

    @property
    def end(self) -> str:
        """What became of it, in a sentence that says who and what."""
        if self.how is None:
            return "it is not answered yet"
        if self.how == "person":
            return f"{self._who} has answered {self.answer!r}"
        if self.how == "default":
            return f"nobody answered in time, and the default {self.answer!r} counts"
        return "nobody answered in time" if self.how == "unanswered" else f"{self._who} has withdrawn it"

    @property
    def _who(self) -> str:
        return "somebody" if self.by is None else repr(self.by)


class QuestionList(Value):
    """Those of a project that are kept, newest first, as of `cursor`."""

    questions: tuple[Question, ...]
    cursor: str


class NewQuestion(Struct, frozen=True, forbid_unknown_fields=True):
    """What a client sends to ask; `timeout` is seconds. What it says is checked by `Asked.of`."""

    key: str
    question: str
    timeout: float
    choices: list[str] | None = None
    default: str | None = None
    run: Annotated[int, Meta(ge=1, le=OFFSET_MAX)] | None = None


class GivenAnswer(Struct, frozen=True, forbid_unknown_fields=True):
    """What a client sends to answer."""

    answer: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as somebody wants it asked; made by `of`. `timeout` is seconds, `run` a run's number."""

    key: str
    question: str
    choices: tuple[str, ...] | None
    timeout: float
    default: str | None
    run: int | None = None
    agent: str | None = None
    author: str | None = None

    def __post_init__(self) -> None:
        """Raises InvalidError that names the field."""
        if not 1 <= len(self.key) <= KEY_MAX or not self.key.isprintable():
            raise InvalidError(f"a key has 1-{KEY_MAX} printable characters", field="key")
        if not 1 <= len(self.question.strip()) <= len(self.question) <= TEXT_MAX:
            raise InvalidError(f"a question has 1-{TEXT_MAX:,} characters", field="question")
        if not is_one_line(self.question.replace("\n", "")):
            raise InvalidError("a question has no control characters but line breaks", field="question")
        if not TIMEOUT_MIN <= self.timeout <= TIMEOUT_MAX:
            raise InvalidError(f"timeout is {TIMEOUT_MIN:g} to {TIMEOUT_MAX:g} seconds", field="timeout")
        if self.choices is not None:
            _check_choices(self.choices)
        if self.default is not None:
            check_answer(self.default, self.choices, "default")

    @classmethod
    def of(cls, new: NewQuestion, author: str | None) -> "Asked":
        """Raises InvalidError that names the field."""
        choices = None if new.choices is None else tuple(new.choices)
        return cls(new.key, new.question, choices, new.timeout, new.default, new.run, None, author)


def _check_choices(choices: tuple[str, ...]) -> None:
    if not 1 <= len(choices) <= CHOICES_MAX:
        raise InvalidError(f"a question has 1-{CHOICES_MAX} choices", field="choices")
    for number, choice in enumerate(choices):
        field = f"choices.{number}"
        if not 1 <= len(choice) <= CHOICE_MAX or choice != choice.strip() or not is_one_line(choice):
            told = f"a choice has 1-{CHOICE_MAX} characters in one line, without white space around them"
            raise InvalidError(told, field=field)
        if choice in choices[:number]:
            raise InvalidError(f"there are two choices {choice!r}", field=field)


def check_answer(text: str, choices: tuple[str, ...] | None, field: str = "answer") -> None:
    """Raises InvalidError naming `field` if it is none of the choices, or no text of one line."""
    if choices is not None:
        if text not in choices:
            raise InvalidError(f"choose one of {', '.join(map(repr, choices))}", field=field)
    elif not 1 <= len(text.strip()) <= len(text) <= TEXT_MAX or not is_one_line(text):
        raise InvalidError(f"an answer has 1-{TEXT_MAX:,} characters in one line", field=field)
