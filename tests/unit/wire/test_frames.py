"""One JSON text for every wire, and its framing (docs/protocol.md, sections 1 and 2)."""

import json
from typing import Any

import pytest
from sse_starlette import ServerSentEvent

from service.core.event import APPEND, STATE, Event
from service.wire.frames import PING, POSITIONED, Frames, chunk, control_json, text_message

NOON = 1_795_413_009_123
EVENT = Event(1042, "projects/42", "log", NOON, 1040, '{"text":"grüße 🎉","n":1.0}')
FIRST = Event(1, "t", "x", 0, 0, "null")
TEXT = (
    '{"id":"k7f3q2-1042","topic":"projects/42","type":"log","time":"2026-11-23T05:50:09.123Z",'
    '"prev":"k7f3q2-1040","data":{"text":"grüße 🎉","n":1.0}}'
)


@pytest.fixture
def frames() -> Frames:
    return Frames("k7f3q2")


def event_of_size(size: int) -> Event:
    """An event whose JSON text has `size` bytes."""
    bare = len(Frames("k7f3q2").poll.frame(FIRST._replace(data='""')))
    event = FIRST._replace(data='"' + "a" * (size - bare) + '"')
    assert len(Frames("k7f3q2").poll.frame(event)) == size
    return event


def test_the_event_frame_is_exactly_this_text_on_every_wire(frames: Frames) -> None:
    text = TEXT.encode()
    assert frames.poll.frame(EVENT) == text
    assert frames.websocket_messages.frame(EVENT) == text
    assert frames.websocket.frame(EVENT) == b"\x81\x7e" + len(text).to_bytes(2, "big") + text
    assert frames.sse(True, False).frame(EVENT) == b"id: k7f3q2-1042\nevent: log\ndata: " + text + b"\n\n"
    assert frames.sse(False, False).frame(EVENT) == b"id: k7f3q2-1042\ndata: " + text + b"\n\n"


def test_the_first_event_of_a_topic_has_no_prev(frames: Frames) -> None:
    assert json.loads(frames.poll.frame(FIRST))["prev"] is None


def test_what_is_told_of_a_state_is_marked_and_no_position(frames: Frames) -> None:
    row = (*EVENT[:6], None, "s", STATE | APPEND)
    text = TEXT.replace('"data":', '"subject":"s","append":true,"state":true,"data":').encode()
    assert frames.websocket_messages.page([row]) == (text,)
    assert (
        frames.sse(True, False).page([row, row])
        == b"event: log\ndata: " + text + b"\n\nevent: log\ndata: " + text + b"\n\n"
    )
    assert frames.sse(False, False).page([row]) == b"data: " + text + b"\n\n"
    assert b"id: k7f3q2-1042" in frames.sse(True, False).page([(*row[:8], APPEND)])
    for type in POSITIONED:
        assert b"id:" not in frames.sse(True, False).control(type, {"id": None})


def test_a_trace_stands_before_the_data_and_nothing_else_changes(frames: Frames) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    traced = EVENT._replace(traceparent=trace)
    text = TEXT.replace('"data":', f'"traceparent":"{trace}","data":').encode()
    assert frames.poll.frame(traced) == text
    assert frames.sse(True, False).frame(traced) == b"id: k7f3q2-1042\nevent: log\ndata: " + text + b"\n\n"
    first = json.loads(frames.poll.frame(FIRST._replace(traceparent=trace)))
    assert (first["prev"], first["traceparent"]) == (None, trace)
    assert frames.poll.page([EVENT, traced, EVENT]) == b",".join([TEXT.encode(), text, TEXT.encode()])
    for encoding in (frames.poll, frames.websocket, frames.sse(True, True)):
        assert encoding.page([EVENT[:6], FIRST[:6]]) == encoding.page([EVENT, FIRST]), "with and without the column"
    assert frames.poll.page([]) == b""


@pytest.mark.parametrize("named", [True, False])
def test_sse_frames_are_what_sse_starlette_frames(frames: Frames, named: bool) -> None:
    expected = ServerSentEvent(TEXT, event="log" if named else None, id="k7f3q2-1042", sep="\n").encode()
    assert frames.sse(named, False).frame(EVENT) == expected


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("type", ["connection", "gap", "caught_up", "heartbeat", "goodbye"])
def test_sse_control_frames_are_what_sse_starlette_frames(frames: Frames, named: bool, type: str) -> None:
    fields: dict[str, Any] = {"id": "k7f3q2-7"} if type in POSITIONED else {"reason": "restart", "retry": 900}
    expected = ServerSentEvent(
        control_json(type, fields),
        event=type if named else None,
        id=fields.get("id"),
        retry=fields.get("retry"),
        sep="\n",
    ).encode()
    assert frames.sse(named, False).control(type, fields) == expected


def test_every_positioned_frame_moves_the_cursor_and_goodbye_does_not(frames: Frames) -> None:
    sse = frames.sse(True, False)
    assert all(b"id: a-1\n" in sse.control(type, {"id": "a-1"}) for type in POSITIONED)
    assert b"id:" not in sse.control("goodbye", {"reason": "restart", "code": 1012, "retry": 500})


def test_an_sse_stream_opens_with_one_block_that_has_data(frames: Frames) -> None:
    text = frames.sse(True, False).opening({"id": "k7f3q2-0", "retry": 1_234}).decode()
    comment, *rest = text.split("\n")
    assert comment.startswith(": ")
    data = 'data: {"type":"connection","id":"k7f3q2-0","retry":1234}'
    assert rest == ["id: k7f3q2-0", "event: connection", data, "retry: 1234", "", ""]


@pytest.mark.parametrize("named", [True, False])
def test_chunked_frames_are_the_plain_ones_in_one_chunk(frames: Frames, named: bool) -> None:
    plain, chunked = frames.sse(named, False), frames.sse(named, True)
    made = [plain.frame(event) for event in (EVENT, FIRST)]
    assert chunked.join([chunked.frame(EVENT), chunked.frame(FIRST)]) == chunk(b"".join(made))
    assert chunked.page([EVENT, FIRST]) == chunk(plain.page([EVENT, FIRST]))
    assert chunked.control("gap", {"id": "a-1"}) == chunk(plain.control("gap", {"id": "a-1"}))
    assert chunked.opening({"id": "a-1", "retry": 500}) == chunk(plain.opening({"id": "a-1", "retry": 500}))


@pytest.mark.parametrize("payload", [b"a", b"a" * 15, b"a" * 16, b"a" * 70_000])
def test_a_chunk_says_its_size_in_hexadecimal(payload: bytes) -> None:
    size, _, rest = chunk(payload).partition(b"\r\n")
    assert (int(size, 16), rest) == (len(payload), payload + b"\r\n")


@pytest.mark.parametrize(
    ("size", "header"),
    [
        (0, b"\x81\x00"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65_535, b"\x81\x7e\xff\xff"),
        (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_websocket_headers_at_every_boundary(size: int, header: bytes) -> None:
    assert text_message(b"a" * size) == header + b"a" * size


@pytest.mark.parametrize("size", [125, 126, 127, 65_535, 65_536, 65_537])
def test_a_page_is_the_frames_joined_at_every_boundary(frames: Frames, size: int) -> None:
    events = [event_of_size(size), FIRST, event_of_size(size)]
    for encoding in (frames.websocket, frames.poll, frames.sse(True, True), frames.sse(False, False)):
        assert encoding.page(events) == encoding.join([encoding.frame(event) for event in events])


def test_a_page_with_characters_beyond_ascii_is_the_frames_joined(frames: Frames) -> None:
    latin = FIRST._replace(data='"é"')  # one character in Latin-1, two bytes in UTF-8
    for events in ([latin], [FIRST, latin, EVENT], [EVENT, FIRST]):
        for encoding in (frames.websocket, frames.poll, frames.sse(True, True)):
            assert encoding.page(events) == encoding.join([encoding.frame(event) for event in events])
        messages = frames.websocket_messages
        assert messages.page(events) == messages.join([messages.frame(event) for event in events])


def test_a_heartbeat_on_a_websocket_carries_a_ping(frames: Frames) -> None:
    beat = frames.websocket.control("heartbeat", {"id": "k7f3q2-7"})
    text = control_json("heartbeat", {"id": "k7f3q2-7"}).encode()
    assert beat == text_message(text) + PING
    assert PING == b"\x89\x00", "final frame, opcode 9, empty (RFC 6455, 5.5.2)"
    assert PING not in frames.websocket.control("gap", {"id": "k7f3q2-7"})


def test_control_text_stays_on_one_line_whatever_a_client_sent(frames: Frames) -> None:
    text = frames.sse(True, False).control("gap", {"requested": "a\r\nid: 9\n\n\u2028", "id": "a-1"}).decode()
    assert text.split("\n") == ["id: a-1", "event: gap", text.split("\n")[2], "", ""]
    assert json.loads(text.split("\n")[2].removeprefix("data: "))["requested"] == "a\r\nid: 9\n\n\u2028"


def test_encodings_are_shared_and_named_apart(frames: Frames) -> None:
    assert frames.sse(True, False) is frames.sse(True, False)
    everything = [frames.websocket, frames.websocket_messages, frames.poll]
    everything += [frames.sse(named, chunked) for named in (True, False) for chunked in (True, False)]
    assert len({encoding.name for encoding in everything}) == 7
    assert {encoding.transport for encoding in everything} == {"websocket", "sse", "poll"}
