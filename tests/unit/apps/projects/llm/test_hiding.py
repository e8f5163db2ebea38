"""A key is starred out, in whatever pieces and spellings it comes."""

import pytest

from service.apps.projects.llm.hiding import STARS, Hiding, Pieces

KEY = "sk-aab/aac"


def fed(text: str, size: int) -> list[str]:
    pieces = Pieces(Hiding(KEY))
    return [*(pieces.feed(text[at : at + size]) for at in range(0, len(text), size)), pieces.rest()]


@pytest.mark.parametrize("size", [1, 2, 3, 9, 10, 100])
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"the key {KEY}, and {KEY}{KEY}", f"the key {STARS}, and {STARS}{STARS}"),
        ("sk-aab\\/aac sk-aab%2Faac", f"{STARS} {STARS}"),
        ("sk-aab/aask-aab/aac sk-sk-aab/aab", f"sk-aab/aa{STARS} sk-sk-aab/aab"),
    ],
)
def test_what_comes_in_pieces_is_shown_without_it(text: str, shown: str, size: int) -> None:
    assert "".join(fed(text, size)) == shown == Hiding(KEY).clean(text)


def test_only_what_may_be_its_beginning_is_held_back() -> None:
    assert fed("a sk-aab", 4) == ["a ", "", "sk-aab"]
    assert fed("nothing of it", 4) == ["noth", "ing ", "of i", "t", ""]


def test_a_beginning_that_tells_too_much_is_none_at_the_end_either() -> None:
    assert "".join(fed("ends with sk-aab/a", 4)) == f"ends with {STARS}"
    assert "".join(fed("ends with sk-aab/", 4)) == "ends with sk-aab/"


def test_an_empty_key_hides_nothing() -> None:
    assert Hiding("").clean("all") == "all"
    assert Pieces(Hiding("")).feed("all") == "all"
