"""docs/protocol.md, section 3: what a client may send as its start."""

import pytest

from service.bus.start import Start, StartKind
from service.core.cursor import Cursor
from service.core.limits import CURSOR_MAX


@pytest.mark.parametrize("text", [None, ""])
def test_nothing_is_from_now(text: str | None) -> None:
    assert Start.parse(text) == Start.now() == Start(StartKind.NOW)


@pytest.mark.parametrize(("text", "kind"), [("earliest", StartKind.EARLIEST), ("latest", StartKind.LATEST)])
def test_words(text: str, kind: StartKind) -> None:
    start = Start.parse(text)
    assert (start.kind, start.requested, start.cursor) == (kind, text, None)


@pytest.mark.parametrize("text", ["k7f3q2-1042", "a-0", "0-9223372036854775807"])
def test_a_cursor(text: str) -> None:
    start = Start.parse(text)
    assert (start.kind, start.cursor) == (StartKind.CURSOR, Cursor.parse(text))


@pytest.mark.parametrize(
    "text",
    [
        "Earliest",
        "now",
        "1042",
        "-1",
        "a-",
        "a--1",
        "a-01",
        "a-1 ",
        " a-1",
        "A-1",
        "a-1\n",
        "a-9223372036854775808",
        "é-1",
    ],
)
def test_anything_else_is_malformed_and_quoted(text: str) -> None:
    start = Start.parse(text)
    assert (start.kind, start.requested, start.cursor) == (StartKind.MALFORMED, text, None)


def test_what_is_quoted_is_cut_to_64_bytes_between_characters() -> None:
    assert Start.parse("x" * 1_000).requested == "x" * CURSOR_MAX
    quoted = Start.parse("x" + "é" * 1_000).requested
    assert quoted == "x" + "é" * 31, "63 bytes, since the next character needs two"
    assert Start.parse("\ud800").requested == "?", "a lone surrogate can't be sent back"
