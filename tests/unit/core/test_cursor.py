"""Cursor: its text, and what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.cursor import EPOCH_ALPHABET, Cursor
from service.core.limits import CURSOR_MAX, OFFSET_MAX

EPOCHS = st.text(EPOCH_ALPHABET, min_size=1, max_size=32)
OFFSETS = st.integers(0, OFFSET_MAX)


@given(EPOCHS, OFFSETS)
def test_round_trip(epoch: str, offset: int) -> None:
    text = str(Cursor(epoch, offset))
    assert Cursor.parse(text) == Cursor(epoch, offset)
    assert len(text.encode("ascii")) <= CURSOR_MAX
    assert ":" not in text, "a colon is unsafe in Last-Event-ID"


@given(st.text(max_size=80))
def test_parsing_never_raises_and_never_guesses(text: str) -> None:
    cursor = Cursor.parse(text)
    assert cursor is None or str(cursor) == text


@pytest.mark.parametrize(
    "text",
    [
        *["", "-", "a", "a-", "-1", "1", "A-1", "é-1", "a-01", "a-+1", "a--1", "a-1 ", " a-1", "a-1\n", "a:1", "a-1-2"],
        *["a-٣", "a-1.0", "a-0x1", "a-1e3", f"{'a' * 33}-1", "earliest", "latest", "0" * 65, f"a-{OFFSET_MAX + 1}"],
    ],
)
def test_malformed(text: str) -> None:
    assert Cursor.parse(text) is None


@pytest.mark.parametrize("text", ["a-0", f"a-{OFFSET_MAX}", f"{'a' * 32}-1", "0-0"])
def test_bounds(text: str) -> None:
    assert str(Cursor.parse(text)) == text


@given(EPOCHS, OFFSETS, OFFSETS)
def test_cursors_of_one_log_are_ordered_as_their_offsets(epoch: str, one: int, other: int) -> None:
    assert (Cursor(epoch, one) < Cursor(epoch, other)) == (one < other)


def test_a_cursor_is_immutable() -> None:
    with pytest.raises(AttributeError):
        Cursor("a", 1).offset = 2  # type: ignore[misc]
