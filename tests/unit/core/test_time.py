"""Moments as text, both ways, and remembered."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.core import time
from service.core.time import Moments, parse_rfc3339, rfc3339

NOON = 1_795_413_009_123
YEAR_9999 = 253_402_300_799_999
MILLISECONDS = st.integers(0, YEAR_9999)


@pytest.mark.parametrize(
    ("unix_ms", "text"),
    [(0, "1970-01-01T00:00:00.000Z"), (999, "1970-01-01T00:00:00.999Z"), (NOON, "2026-11-23T05:50:09.123Z")],
)
def test_times_are_in_utc_and_have_milliseconds_and_z(unix_ms: int, text: str) -> None:
    assert rfc3339(unix_ms) == text


@given(MILLISECONDS)
@example(1_001)
def test_what_was_written_is_read(unix_ms: int) -> None:
    assert parse_rfc3339(rfc3339(unix_ms)) == unix_ms


@given(st.lists(MILLISECONDS | st.integers(NOON, NOON + 5_000), max_size=30))
def test_what_is_remembered_is_the_same(moments: list[int]) -> None:
    remembered = Moments()
    assert [remembered[one] for one in moments * 2] == [rfc3339(one) for one in moments * 2]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "_MOMENTS_MAX", 3)
    remembered = Moments()
    assert [remembered[1_000 * n] for n in range(3)] == [rfc3339(1_000 * n) for n in range(3)]
    assert len(remembered) == 3
    assert remembered[3_000] == rfc3339(3_000)
    assert list(remembered) == [3_000], "one more than the bound, and the memory starts anew"


@pytest.mark.parametrize(
    ("text", "unix_ms"),
    [
        ("1970-01-01t00:00:01z", 1_000),
        ("1970-01-01 00:00:00.25Z", 250),
        ("1970-01-01T02:00:00+02:00", 0),
        ("1969-12-31T23:59:59.999-00:00", -1),
    ],
)
def test_every_form_of_rfc_3339_is_read(text: str, unix_ms: int) -> None:
    assert parse_rfc3339(text) == unix_ms


@pytest.mark.parametrize(
    "text", ["", "1970-01-01", "1970-01-01T00:00:00", "1970-13-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "x"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|range|month"):
        parse_rfc3339(text)
