import json
from collections import UserDict, deque
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest

from twinwire.encoding import encode, keyed
from twinwire.errors import InvalidError
from twinwire.event import Draft, RawJson


class Colour(Enum):
    RED = "red"


@dataclass
class Point:
    x: int


def sent(data: Any, **rest: Any) -> Any:
    return json.loads(encode(Draft("t", "k", data, **rest)))


def test_only_what_was_given_is_sent() -> None:
    assert sent(None) == {"topic": "t", "type": "k", "data": None}
    whole = sent(1, key="a", subject="s", append=True, final=True)
    assert whole == {"topic": "t", "type": "k", "key": "a", "subject": "s", "append": True, "final": True, "data": 1}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00Z"),
        (date(2026, 1, 2), "2026-01-02"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Decimal("1.10"), "1.10"),
        (Colour.RED, "red"),
        (Point(1), {"x": 1}),
        ({"nested": [Point(2)]}, {"nested": [{"x": 2}]}),
        (UserDict(a=1), {"a": 1}),
        (deque([1]), [1]),
        ("ü\u2028\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"), "ü\u2028😀"),
        (2**80, 2**80),
    ],
)
def test_what_every_application_has(value: Any, told: Any) -> None:
    assert sent(value)["data"] == told


@pytest.mark.parametrize(
    "value", [object(), b"x", [RawJson("1")], float("nan"), float("inf"), "\ud800", {1: object()}, {(1, 2): 3}]
)
def test_what_is_no_json_is_told_and_not_changed(value: Any) -> None:
    with pytest.raises(InvalidError) as raised:
        sent(value)
    assert raised.value.field == "data"


def test_a_circle_is_told() -> None:
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(InvalidError):
        sent(circle)


@pytest.mark.parametrize("draft", [Draft(1, "k"), Draft("t", None), Draft("t", "k", key=b"x")])  # type: ignore[arg-type]
def test_names_are_texts(draft: Draft) -> None:
    with pytest.raises(InvalidError):
        encode(draft)


def test_a_topic_that_is_no_utf_8() -> None:
    with pytest.raises(InvalidError):
        encode(Draft("t\ud800", "k"))


def test_raw_json_is_passed_on_as_it_is() -> None:
    text = '{"a": 1.10, "a": 12345678901234567890123}'
    assert text.encode() in encode(Draft("t", "k", RawJson(text)))
    assert b"\n" not in encode(Draft("t", "k", RawJson('{\n"a":\r\n1}')))
    with pytest.raises(InvalidError) as raised:
        encode(Draft("t", "k", RawJson("{")))
    assert raised.value.field == "data"


def test_a_key_is_drawn_for_who_has_none() -> None:
    one, other = keyed(Draft("t", "k")), keyed(Draft("t", "k"))
    assert one.key
    assert one.key != other.key
    assert keyed(one) is one
