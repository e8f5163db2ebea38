"""Text made safe for Python, TOML and Markdown, and the words made from names."""

import ast
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.apps.projects.agents.naming import counted, label, required, samples, singular
from service.apps.projects.agents.render import markdown, python, quoted, render
from service.apps.projects.brief import parse_brief

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@settings(deadline=None)
@given(TEXTS)
def test_literals_mean_the_text_in_python_and_toml(text: str) -> None:
    assert ast.literal_eval(python(text)) == text
    assert ast.literal_eval(quoted(text)) == text
    assert tomllib.loads(f"x = {quoted(text)}") == {"x": text}
    assert python(text).isprintable()


@pytest.mark.parametrize("value", [1, -1, 1.5, True, None])
def test_other_literals(value: object) -> None:
    assert ast.literal_eval(python(value)) == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a <b> [c](d)", r"a \<b\> \[c\]\(d\)"),
        ("# x\n\n- y", r"\# x \- y"),
        ("`$x` & | *", r"\`$x\` \& \| \*"),
    ],
)
def test_markdown_shows_text_as_it_is(text: str, expected: str) -> None:
    assert markdown(text) == expected


def test_templates_without_values_are_taken_as_they_are() -> None:
    assert render("gitignore").startswith("__pycache__/\n")


@pytest.mark.parametrize(
    ("name", "one"),
    [
        ("tasks", "Task"),
        ("people", "Person"),
        ("due_dates", "Due date"),
        ("categories", "Category"),
        ("boxes", "Box"),
        ("classes", "Class"),
        ("class", "Class"),
        ("status", "Status"),
        ("news", "News"),
        ("ties", "Tie"),
        ("as", "As"),
        ("s", "S"),
        ("a__", "A"),
    ],
)
def test_singular(name: str, one: str) -> None:
    assert singular(name) == one


def test_labels_and_counts() -> None:
    assert (label("due_date"), label("x_"), label("a__b")) == ("Due date", "X", "A b")
    assert (counted(1, "entity"), counted(2, "entity"), counted(0, "file")) == (
        "1 entity",
        "2 entities",
        "0 files",
    )


def test_the_first_field_that_can_be_empty_is_required() -> None:
    first, second = parse_brief("a: x bool, y int, z text; b: x bool").entities
    key = required(first)
    assert key is not None
    assert key.name == "y"
    assert required(second) is None


def test_samples_differ_in_every_field() -> None:
    (entity,) = parse_brief("a: b text, c int, d float, e bool, f date").entities
    first, second = samples(entity)
    assert list(first) == list(second) == ["b", "c", "d", "e", "f"]
    assert all(first[name] != second[name] for name in first)
