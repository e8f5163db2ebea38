"""Server-Sent Events of an endpoint, in whatever chunks they come."""

import pytest

from service.apps.projects.llm.sse import EVENT_MAX, Events, EventTooLongError

STREAM = (
    '\ufeffdata: {"a": "ü"}\n\n: a comment\r\nevent: x\r\ndata:one\r\ndata\r\ndata: two\r\n\r\ndatum: no\n\ndata: end'
)
DATA = ['{"a": "ü"}', "one\n\ntwo"]


def read(stream: bytes, size: int) -> list[str]:
    events = Events()
    return [data for at in range(0, len(stream), size) for data in events.feed(stream[at : at + size])]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1_000])
def test_the_data_of_each_event_that_is_complete(size: int) -> None:
    assert read(STREAM.encode(), size) == DATA


@pytest.mark.parametrize("line", [b"data: \xe9\n", b": \xff\n", b"other: \xff\n"])
def test_what_is_no_utf8_is_an_error(line: bytes) -> None:
    with pytest.raises(UnicodeDecodeError):
        read(line, 3)


def test_an_event_is_bounded_in_one_line_or_in_many() -> None:
    most = b"data: " + b"x" * (EVENT_MAX - 6)
    assert len(read(most + b"\n\n", 1 << 16)[0]) == EVENT_MAX - 6
    with pytest.raises(EventTooLongError):
        read(most + b"x", 1 << 16)
    with pytest.raises(EventTooLongError):
        read(most + b"\ndata: x\n", 1 << 16)
    events = Events()
    for _ in range(3):  # each has its own
        assert len(list(events.feed(most + b"\n\n"))) == 1
