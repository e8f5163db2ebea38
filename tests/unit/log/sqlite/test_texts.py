"""How long texts are, and which are ripe; what becomes of those is in `test_joining.py`."""

import pytest

from service.core.event import Draft
from service.log.sqlite import texts
from service.log.sqlite.texts import NOTHING, Text, Texts, grown
from tests.unit.log.contract_state import piece


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "JOIN_EVENTS", 4)


@pytest.mark.parametrize(
    ("before", "draft", "after"),
    [
        (NOTHING, piece("abc"), Text(0, 3, 3)),
        (NOTHING, piece("ü\n", append=False), Text(0, 4, 4)),
        (Text(0, 3, 3), piece("de"), Text(1, 3, 5)),
        (Text(7, 3, 30), piece("de", append=False), Text(0, 2, 2)),
        (Text(7, 3, 30), Draft("a", "x", "null", None, "s"), NOTHING),
        (Text(7, 3, 30), Draft("a", "x", "null", None, "s", append=True), None),
        (Text(7, 3, 30), Draft("a", "x", "[1]", None, "s", append=True), None),
        (None, piece("x"), None),
        (None, piece("x", append=False), Text(0, 1, 1)),
        (NOTHING, Draft("a", "x", "{}", None, "s"), None),
    ],
)
def test_what_a_draft_makes_of_a_text(before: Text | None, draft: Draft, after: Text | None) -> None:
    assert grown(before, draft) == after


@pytest.mark.parametrize(
    ("text", "is_ripe"),
    [
        (Text(3, 0, 100), False),
        (Text(4, 50, 100), True),
        (Text(4, 51, 100), False),
        (Text(texts.JOIN_MOST, 1_000, 1_001), True),
    ],
)
def test_it_is_ripe_after_so_many_events_and_as_many_bytes(text: Text, is_ripe: bool) -> None:
    assert text.is_ripe == is_ripe


def test_what_is_known_of_texts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "KNOWN_MAX", 10)
    monkeypatch.setattr(texts, "RIPE_MAX", 5)
    known = Texts(lambda topic: True)
    known.learn([(("a", str(n)), n, Text(9, 1, 100)) for n in range(30)])
    assert (len(known._known), len(known.ripe)) == (10, 5)
