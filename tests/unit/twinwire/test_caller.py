"""Who asks, as an application says it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from twinwire.caller import Caller


def test_it_is_what_a_token_would_hold() -> None:
    assert Caller(None).claims == {"subscribe": [], "publish": [], "admin": False, "metrics": False, "run": []}
    ends = datetime(2030, 1, 1, tzinfo=UTC)
    found = Caller("ada", ("a/*",), ["b"], admin=True, metrics=True, expires=ends, run=["projects/7"]).claims
    assert found == {
        "sub": "ada",
        "subscribe": ["a/*"],
        "publish": ["b"],
        "admin": True,
        "metrics": True,
        "run": ["projects/7"],
        "exp": 1_893_456_000.0,
    }
    assert Caller("ada", expires=17.5).claims["exp"] == 17.5


@pytest.mark.parametrize(
    ("given", "kind", "word"),
    [
        ({"subscribe": "orders/*"}, TypeError, "subscribe is a list"),
        ({"publish": "orders"}, TypeError, "publish is a list"),
        ({"run": "projects/7"}, TypeError, "run is a list"),
        ({"expires": datetime(2030, 1, 1)}, ValueError, "time zone"),
    ],
)
def test_what_would_be_taken_for_something_else_is_told(given: Any, kind: type[Exception], word: str) -> None:
    with pytest.raises(kind, match=word):
        Caller("ada", **given)
