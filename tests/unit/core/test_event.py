"""Drafts and events: types, keys and data at their bounds and one past."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.errors import InvalidError
from service.core.event import Draft, Event, check_key, check_type
from service.core.limits import KEY_MAX, RESERVED_TYPES, TYPE_MAX


@pytest.mark.parametrize("text", ["log", "a", "A.b_c-9", "...", "0", "x" * TYPE_MAX, "Error", "openers"])
def test_types(text: str) -> None:
    assert check_type(text) == text


@pytest.mark.parametrize("text", ["", "a b", "a\n", "a/b", "a:b", "é", "٣", "a*", "x" * (TYPE_MAX + 1)])
def test_what_is_no_type(text: str) -> None:
    with pytest.raises(InvalidError) as caught:
        check_type(text, "1.type")
    assert caught.value.field == "1.type"


@pytest.mark.parametrize("text", sorted(RESERVED_TYPES))
def test_reserved_types(text: str) -> None:
    with pytest.raises(InvalidError, match="reserved"):
        check_type(text)


@pytest.mark.parametrize("text", ["k", "a b", "é" * (KEY_MAX // 2), "k" * KEY_MAX, "🙂" * (KEY_MAX // 4), '"\\/'])
def test_keys(text: str) -> None:
    assert check_key(text) == text


@pytest.mark.parametrize(
    "text", ["", "k" * (KEY_MAX + 1), "é" * (KEY_MAX // 2) + "k", "a\nb", "a\0", "\x7f", "\u200b", "\ud800"]
)
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(InvalidError) as caught:
        check_key(text, "0.key")
    assert caught.value.field == "0.key"


@pytest.mark.parametrize(
    ("draft", "field"),
    [
        (Draft("a//b", "log", "1"), "topic"),
        (Draft("a/*", "log", "1"), "topic"),
        (Draft("a", "gap", "1"), "type"),
        (Draft("a", "", "1"), "type"),
        (Draft("a", "log", "1", ""), "key"),
    ],
)
def test_checked_names_the_field(draft: Draft, field: str) -> None:
    with pytest.raises(InvalidError) as caught:
        draft.checked()
    assert caught.value.field == field


def test_checked_returns_the_draft_itself() -> None:
    draft = Draft("a", "log", "{}", "key")
    assert draft.checked() is draft


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_data_of_a_value_is_its_json_on_one_line(value: Any) -> None:
    data = Draft.of("a", "log", value).data
    assert json.loads(data) == value
    assert "\n" not in data
    assert "\r" not in data


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, [math.nan]])
def test_what_json_has_no_number_for(value: Any) -> None:
    with pytest.raises(ValueError, match="JSON"):
        Draft.of("a", "log", value)


def test_what_is_no_json_value() -> None:
    with pytest.raises(TypeError):
        Draft.of("a", "log", {1, 2})


def test_of_validates() -> None:
    with pytest.raises(InvalidError):
        Draft.of("a b", "log", 1)


def test_integers_keep_their_digits() -> None:
    assert Draft.of("a", "log", 2**100).data == str(2**100)


def test_the_columns_of_an_event() -> None:
    fields = ("offset", "topic", "type", "time", "prev", "data", "traceparent", "subject", "mark")
    assert Event._fields == fields, "readers build events from rows"
