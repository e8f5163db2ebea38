"""A query has the names that its route knows, and says which these are."""

import pytest

from service.core.errors import InvalidError
from service.core.parameters import Parameters

KNOWN = Parameters("topic", "limit")


def test_known_names_and_what_is_left_unread_pass() -> None:
    KNOWN.check(["topic", "topic", "limit", "_", "r", "evs_preamble", "utm_source", "utm_", "x-anything"])
    KNOWN.check([])


@pytest.mark.parametrize("name", ["Topic", "topics", "topic[]", "topic[0]", "TOPICS[a]"])
def test_a_misspelt_name_is_told_how_it_is_spelt(name: str) -> None:
    with pytest.raises(InvalidError) as caught:
        KNOWN.check(["limit", name])
    assert caught.value.field == name
    assert "'topic' is" in caught.value.detail


@pytest.mark.parametrize("name", ["", "limi", "__", "rr", "utm", "X-a", "evs_last_event_id", "topic[][]", "é"])
def test_any_other_is_told_which_there_are(name: str) -> None:
    with pytest.raises(InvalidError) as caught:
        KNOWN.check([name])
    assert caught.value.field == name
    assert "topic, limit" in caught.value.detail


def test_a_long_name_is_cut() -> None:
    with pytest.raises(InvalidError) as caught:
        Parameters().check(["a" * 10_000])
    assert len(caught.value.field or "") == 64
    assert len(caught.value.detail) < 200
    assert "none" in caught.value.detail
