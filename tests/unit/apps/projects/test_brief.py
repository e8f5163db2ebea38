"""The brief's grammar: what it reads, and how it says what it can't read."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.apps.projects.brief import RESERVED_FIELDS, TYPES, Brief, Entity, Field, Kind, parse_brief
from service.apps.projects.limits import BRIEF_MAX, ENTITIES_MAX, FIELDS_MAX, WORD_MAX
from service.core.errors import InvalidError


def test_reads_the_example_of_the_documentation() -> None:
    brief = parse_brief("tasks: title text, done bool, due date; people: name text, email text, age int")
    assert brief == Brief(
        (
            Entity("tasks", (Field("title", Kind.TEXT), Field("done", Kind.BOOL), Field("due", Kind.DATE))),
            Entity("people", (Field("name", Kind.TEXT), Field("email", Kind.TEXT), Field("age", Kind.INT))),
        )
    )


def test_white_space_case_and_a_last_semicolon_mean_nothing() -> None:
    assert parse_brief("\n Tasks :Title\tTEXT ,\n done bool;\n") == parse_brief("tasks: title text, done bool")


@pytest.mark.parametrize("word", ["class", "import", "none", "list", "app", "select", "order", "rowid", "index"])
def test_words_of_python_and_sql_are_names_like_others(word: str) -> None:
    assert str(parse_brief(f"{word}: {word} text")) == f"{word}: {word} text"


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("tasks title text", (1, 7, 7), "expected ':' and the fields of 'tasks', found 'title'"),
        ("tasks", (1, 6, 6), "expected ':' and the fields of 'tasks', found the end of the brief"),
        (": title text", (1, 1, 1), "expected an entity name, found ':'"),
        ("tasks:", (1, 7, 7), "expected a field name of 'tasks', found the end of the brief"),
        ("tasks: title", (1, 13, 13), "expected the type of 'title'"),
        ("tasks: title,", (1, 13, 13), "expected the type of 'title'"),
        ("tasks: title txt", (1, 14, 14), "did you mean 'text'?"),
        ("tasks: title text done bool", (1, 19, 19), "and another field, or ';' and another entity"),
        ("tasks: title text,\n  2do bool", (2, 3, 22), "'2do' can't be a field name of 'tasks'"),
        ("tasks: title text;\n\nbüro: x int", (3, 1, 21), "'büro' can't be an entity name"),
        ("a: x int;; b: y int", (1, 10, 10), "expected an entity name, found ';'"),
        ("tasks: title text, Title int", (1, 20, 20), "two fields with the name 'title'"),
        ("tasks: x int; TASKS: y int", (1, 15, 15), "two entities with the name 'tasks'"),
        ("tasks: id int", (1, 8, 8), "'id' is reserved"),
        ("api: x int", (1, 1, 1), "'api' is reserved"),
        ("static: x int", (1, 1, 1), "'static' is reserved"),
        ("sqlite_x: x int", (1, 1, 1), "'sqlite_x' is reserved"),
        ('a"b: x int', (1, 1, 1), "can't be an entity name"),
    ],
)
def test_says_what_is_wrong_and_where(text: str, where: tuple[int, int, int], what: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parse_brief(text)
    line, column, character = where
    assert caught.value.detail.startswith(f"line {line}, column {column} (character {character}): ")
    assert what in caught.value.detail
    assert caught.value.field == "brief"


CASES = json.loads((Path(__file__).parents[3] / "support" / "briefs.json").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_says_what_the_page_says(case: dict[str, str]) -> None:
    """tests/client/brief.test.js reads the same table."""
    try:
        told = {"brief": str(parse_brief(case["text"]))}
    except InvalidError as error:
        told = {"error": error.detail}
    assert {"text": case["text"], **told} == case


def test_a_relation_leads_forward_back_to_itself_and_in_circles() -> None:
    brief = parse_brief("a: b -> c, name text; c: d->A, e -> c")
    first, second = brief.entities
    assert first.fields[0] == Field("b", Kind.RELATION, "c")
    assert [field.to for field in second.fields] == ["a", "c"]


@pytest.mark.parametrize("text", ["", "  \n\t "])
def test_an_empty_brief_is_answered_with_an_example(text: str) -> None:
    with pytest.raises(InvalidError, match="tasks: title text"):
        parse_brief(text)


def _fields(count: int) -> str:
    return ", ".join(f"f{number} int" for number in range(count))


def _entities(count: int) -> str:
    return "; ".join(f"e{number}: x int" for number in range(count))


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (f"{'a' * WORD_MAX}: x int", f"{'a' * (WORD_MAX + 1)}: x int"),
        (f"e: {_fields(FIELDS_MAX)}", f"e: {_fields(FIELDS_MAX + 1)}"),
        (_entities(ENTITIES_MAX), _entities(ENTITIES_MAX + 1)),
        ("a: x int".ljust(BRIEF_MAX), "a: x int".ljust(BRIEF_MAX + 1)),
    ],
    ids=["name", "fields", "entities", "brief"],
)
def test_bounds(good: str, bad: str) -> None:
    parse_brief(good)
    with pytest.raises(InvalidError):
        parse_brief(bad)


@pytest.mark.parametrize(
    ("text", "is_prose"),
    [
        ("Build me a to-do app", True),
        ("An app that keeps a text and a date of each", True),
        ("title text done bool", False),
        ("loans: tool - > tools", False),
        ("tasks: title text; and a list of people", False),
    ],
)
def test_a_description_is_answered_as_one(text: str, is_prose: bool) -> None:
    """But what was begun as a brief is told its place."""
    with pytest.raises(InvalidError) as caught:
        parse_brief(text)
    assert caught.value.detail.startswith("This reads like a description.") is is_prose


NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True)
ENTITY_NAMES = NAMES.filter(lambda name: name not in {"api", "static"} and not name.startswith("sqlite_"))
RELATIONS = st.sampled_from(["r_one", "r_two"]).map(lambda to: Field(f"to_{to}", Kind.RELATION, to))
TARGETS = tuple(Entity(name, (Field("x", Kind.INT),)) for name in ("r_one", "r_two"))
FIELDS = st.lists(
    RELATIONS | st.builds(Field, NAMES.filter(lambda name: name not in RESERVED_FIELDS), st.sampled_from(TYPES)),
    min_size=1,
    max_size=6,
    unique_by=lambda field: field.name,
).map(tuple)
BRIEFS = st.lists(
    st.builds(Entity, ENTITY_NAMES, FIELDS), min_size=1, max_size=5, unique_by=lambda entity: entity.name
).map(lambda entities: Brief((*(one for one in entities if not one.name.startswith("r_")), *TARGETS)))


@settings(deadline=None)
@given(BRIEFS)
def test_what_is_written_is_read_back(brief: Brief) -> None:
    assert parse_brief(str(brief)) == brief


@settings(deadline=None)
@given(st.text(max_size=200) | st.text(alphabet="ab:;, \ntexin->", max_size=60))
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    try:
        brief = parse_brief(text)
    except InvalidError as refusal:
        place = re.match(r"line \d+, column \d+ \(character \d+\): |the brief is empty|This reads like", refusal.detail)
        problem = None if place and refusal.field == "brief" else refusal.detail
    else:
        problem = None if parse_brief(str(brief)) == brief else str(brief)
    assert problem is None
