"""What is a question, what is an answer to it, and what is said of its end."""

from typing import Any

import pytest

from service.apps.projects.questions.limits import CHOICE_MAX, CHOICES_MAX, KEY_MAX, TEXT_MAX, TIMEOUT_MAX
from service.apps.projects.questions.models import Asked as AskedQuestion
from service.apps.projects.questions.models import NewQuestion, check_answer
from service.core.errors import InvalidError
from tests.support.questions import asked, closed_question

MANY = tuple(map(str, range(CHOICES_MAX)))


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("key", {"key": ""}),
        ("key", {"key": "x" * (KEY_MAX + 1)}),
        ("key", {"key": "a\nb"}),
        ("question", {"question": " \n"}),
        ("question", {"question": "x" * (TEXT_MAX + 1)}),
        ("question", {"question": "a\x1bb"}),
        ("question", {"question": "\ud800"}),
        ("timeout", {"timeout": 0.9}),
        ("timeout", {"timeout": TIMEOUT_MAX + 1}),
        ("timeout", {"timeout": float("nan")}),
        ("choices", {"choices": ()}),
        ("choices", {"choices": (*MANY, "more")}),
        ("choices.1", {"choices": ("a", "")}),
        ("choices.1", {"choices": ("a", "a")}),
        ("choices.0", {"choices": ("x" * (CHOICE_MAX + 1),)}),
        ("choices.0", {"choices": (" a",)}),
        ("choices.0", {"choices": ("a\nb",)}),
        ("default", {"default": "perhaps"}),
        ("default", {"choices": None, "default": " "}),
        ("default", {"choices": None, "default": "two\nlines"}),
    ],
)
def test_what_is_no_question_names_its_field(field: str, values: dict[str, Any]) -> None:
    with pytest.raises(InvalidError) as caught:
        asked(**values)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "values",
    [
        {"key": "x" * KEY_MAX, "question": "x" * TEXT_MAX, "timeout": TIMEOUT_MAX},
        {"question": "Two\nlines, 日本 👩‍💻", "timeout": 1},
        {"choices": MANY, "default": "3"},
        {"choices": ("x" * CHOICE_MAX,)},
        {"choices": None, "default": "x" * TEXT_MAX},
    ],
)
def test_at_its_bounds_it_is_one(values: dict[str, Any]) -> None:
    asked(**values)


def test_whoever_sends_it_is_its_author() -> None:
    new = NewQuestion("k", "Deploy?", 60, ["yes", "no"], "no", 3)
    assert AskedQuestion.of(new, "ada") == asked(default="no", run=3, author="ada")


@pytest.mark.parametrize("text", ["", "  ", "a\nb", "x" * (TEXT_MAX + 1), "\x07", "\ud800"])
def test_an_answer_in_words_is_one_line(text: str) -> None:
    with pytest.raises(InvalidError) as caught:
        check_answer(text, None)
    assert caught.value.field == "answer"


def test_where_there_are_choices_it_is_one_of_them() -> None:
    check_answer("no", ("yes", "no"))
    with pytest.raises(InvalidError, match="'yes', 'no'"):
        check_answer("No", ("yes", "no"))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "'ada' has answered 'yes'"),
        ({"by": None}, "somebody has answered 'yes'"),
        ({"how": "default", "by": None}, "nobody answered in time, and the default 'yes' counts"),
        ({"how": "unanswered", "by": None, "answer": None}, "nobody answered in time"),
        ({"how": "withdrawn", "answer": None}, "'ada' has withdrawn it"),
        ({"how": None, "by": None, "answer": None}, "it is not answered yet"),
    ],
)
def test_its_end_says_who_and_what(values: dict[str, Any], told: str) -> None:
    assert closed_question(asked(), "yes").model_copy(update=values).end == told
