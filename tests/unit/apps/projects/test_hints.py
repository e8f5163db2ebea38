"""What a word that can't be read may have meant."""

import pytest

from service.apps.projects.brief import TYPES
from service.apps.projects.hints import ascii_name, is_prose, near
from service.apps.projects.limits import WORD_MAX


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("Büro", "buero"),
        ("Straße", "strasse"),
        ("Élève", "eleve"),
        ("smörgåsbord", "smoergasbord"),
        ("to-do", "to_do"),
        ("2nd", "nd"),
        ("_x_", "x"),
        ("日本", None),
        ("7", None),
        ("ä" * WORD_MAX, "ae" * (WORD_MAX // 2)),
    ],
)
def test_names_in_ascii(word: str, name: str | None) -> None:
    assert ascii_name(word) == name


def test_near_words_and_far_ones() -> None:
    assert near("TOOLS", ["tool", "tools"]) == "tools"
    assert near("Taols", ["people", "tools"]) == "tools"
    assert near("x" * 10_000, ["tools"]) is None
    assert near("tools", []) is None


def test_a_row_of_words_is_a_description_unless_types_are_in_it() -> None:
    assert is_prose([["a"], ["one", "two", "three", "four"]], TYPES)
    assert not is_prose([["one", "two", "three"], ["four"]], TYPES)
    assert not is_prose([["one", "TEXT", "three", "four"]], TYPES)
    assert is_prose([["one", "text", "three", "four", "five"]], TYPES)
    assert not is_prose([["-", ">", "1", "2", "one"]], TYPES)
