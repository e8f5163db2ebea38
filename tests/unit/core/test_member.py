"""What a member may be called, and say of itself: each at the bound, and one past it."""

import pytest

from service.core.errors import InvalidError, TooLargeError
from service.core.limits import MEMBER_MAX
from service.core.member import as_data, as_object, check_member, check_ours, patched


@pytest.mark.parametrize("text", ["t", "A-z_0.9~", "..a", "x" * MEMBER_MAX])
def test_ids(text: str) -> None:
    assert check_member(text) == text
    assert check_ours(f":{text}") == f":{text}"


@pytest.mark.parametrize("text", ["", "x" * (MEMBER_MAX + 1), "a/b", "a b", "ä", ":a", "a\n", "a\n\n", ".", ".."])
def test_what_is_none(text: str) -> None:
    with pytest.raises(InvalidError) as caught:
        check_member(text)
    assert caught.value.field == "member"


@pytest.mark.parametrize("text", ["", "a", "::a", ":a/b", ":"])
def test_ours_have_one_colon(text: str) -> None:
    with pytest.raises(InvalidError):
        check_ours(text)


def test_data_is_an_object_of_so_many_bytes() -> None:
    text = '{"a":"' + "x" * 92 + '"}'
    assert as_object(text, "data", 100) == {"a": "x" * 92}
    with pytest.raises(TooLargeError) as caught:
        as_object(text, "data", 99)
    assert caught.value.field == "data"
    for wrong in ("[1]", "1", "null", '"a"', "{", '{"a":"\\ud800"}', "[" * 5_000):
        with pytest.raises(InvalidError):
            as_object(wrong, "data", 10_000)


def test_what_says_the_same_is_the_same_text() -> None:
    before = '{"b":1,"a":{"c":2,"d":null}}'
    assert as_data({"a": {"d": None, "c": 2}, "b": 1}, before, "data", 100) is before
    assert as_data({"b": True, "a": {"c": 2, "d": None}}, before, "data", 100) != before, "True is not 1"
    assert as_data({"b": 1.0, "a": {"c": 2, "d": None}}, before, "data", 100) != before
    assert as_data({"x": [1, "ä"]}, None, "data", 100) == '{"x":[1,"ä"]}'


def test_a_patch_is_applied_and_its_result_is_bounded() -> None:
    assert patched('{"a":1,"b":2}', {"b": None, "c": 3}, 100) == '{"a":1,"c":3}'
    assert patched('{"a":1}', {"a": 1}, 100) == '{"a":1}'
    assert patched('{"a":1}', {"b": "x" * 86}, 100)
    with pytest.raises(TooLargeError) as caught:
        patched('{"a":1}', {"b": "x" * 87}, 100)
    assert caught.value.field == "merge"


def test_what_is_too_deep_is_refused() -> None:
    text = '{"a":' * 2_000 + "1" + "}" * 2_000
    with pytest.raises(InvalidError):
        patched("{}", as_object(text, "merge", 100_000), 100_000)
