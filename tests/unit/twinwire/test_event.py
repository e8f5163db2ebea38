from datetime import UTC, datetime

import pytest

from twinwire.event import Event

RAW = (
    '{"id":"e-1","topic":"t","type":"k","time":"2026-11-23T05:50:09.123Z","prev":null,'
    '"data":{"n":12345678901234567890123}}'
)


def test_its_members() -> None:
    event = Event("e-1", "t", "k", None, RAW)
    assert event.data == {"n": 12345678901234567890123}
    assert event.data is event.data
    assert event.time == datetime(2026, 11, 23, 5, 50, 9, 123000, tzinfo=UTC)
    assert event == Event("e-1", "t", "k", None, RAW)
    assert event != Event("e-1", "t", "k", None, RAW + " ")
    assert len({event, Event("e-1", "t", "k", None, RAW)}) == 1
    assert repr(event) == "<Event e-1 t k>"
    assert "'s'" in repr(Event("e-1", "t", "k", None, RAW, "s"))


@pytest.mark.parametrize("data", ["9" * 5_000, "[" * 200_000 + "]" * 200_000])
def test_what_python_does_not_take_is_told_where_it_is_asked_for(data: str) -> None:
    event = Event("e-1", "t", "k", None, f'{{"data":{data}}}')
    with pytest.raises((ValueError, RecursionError)):
        _ = event.data
    assert data in event.raw
