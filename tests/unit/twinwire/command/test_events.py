"""How events are shown."""

import pytest

from twinwire.command.events import show
from twinwire.event import Event, Gap

RAW = '{"id":"e-1","time":"2026-01-01T00:00:00Z","data":{"n":0.12345678901234567890,"f":1e400}}'


def test_as_the_text_that_they_came_as(capsys: pytest.CaptureFixture[str]) -> None:
    show(Event("e-1", "t", "x", None, RAW), as_json=True)
    assert capsys.readouterr().out == f"{RAW}\n"
    show(Gap("e-0", "trimmed", None, None), as_json=True)
    assert capsys.readouterr().out == '{"type":"gap","requested":"e-0","reason":"trimmed","id":null,"floor":null}\n'


def test_for_people_without_orders_to_their_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show(Event("e-1", "t\x1b", "x", None, RAW, "s", append=True), as_json=False)
    data = '{"n":0.12345678901234567890,"f":1e400}'
    assert capsys.readouterr().out == f"2026-01-01T00:00:00Z e-1 t\\u001b x s += {data}\n"
    show(Event("e-1", "t", "x", None, '{"id":"e-1\x1b"}'), as_json=False)
    assert capsys.readouterr().out == '{"id":"e-1\\u001b"}\n', "not ours, and as it is"
    show(Gap("e-0", "trimmed", "e-1", None), as_json=False)
    assert capsys.readouterr().out == "gap (trimmed): e-0 -> e-1\n"
