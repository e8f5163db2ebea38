from collections.abc import Iterator

import pytest

from service.stream.hypercorn.meter import (
    CONTINUATION,
    DATA,
    END_STREAM,
    HEADERS,
    PING,
    PREFACE,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    SMALL,
    WINDOW_UPDATE,
    FrameMeter,
)


def raw(kind: int, size: int = 0, flags: int = 0) -> bytes:
    return size.to_bytes(3) + bytes((kind, flags)) + bytes(4) + bytes(size)


def price(*frames: bytes) -> int:
    return FrameMeter().price(bytes(PREFACE) + b"".join(frames))


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (raw(DATA, SMALL), 0),
        (raw(DATA, SMALL - 1), 1),
        (raw(DATA, 1), 1),
        (raw(DATA, 1, END_STREAM), 0),
        (raw(DATA, 0, END_STREAM), 0),
        (raw(DATA, 0), 5),
        (raw(HEADERS, 100), 1),
        (raw(HEADERS, 3 * SMALL), 4),
        (raw(PRIORITY, 5), 1),
        (raw(RST_STREAM, 4), 1),
        (raw(SETTINGS, 6), 10),
        (raw(PING, 8), 2),
        (raw(WINDOW_UPDATE, 4), 1),
        (raw(CONTINUATION, 0), 10),
        (raw(CONTINUATION, 2 * SMALL), 12),
        (raw(200, 0), 1),
    ],
)
def test_prices(frame: bytes, expected: int) -> None:
    assert price(frame) == expected


def cuts(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


@pytest.mark.parametrize("size", [1, 2, 5, 8, 9, 10, 24, 33, 1_000])
def test_it_does_not_matter_how_the_frames_are_cut(size: int) -> None:
    data = bytes(PREFACE) + raw(SETTINGS, 12) + raw(DATA, 3_000) + raw(PING, 8) * 3 + raw(DATA, 0) + raw(HEADERS, 50)
    meter = FrameMeter()
    assert sum(meter.price(piece) for piece in cuts(data, size)) == 10 + 0 + 6 + 5 + 1


def test_a_frame_is_priced_when_its_head_is_there_and_not_again() -> None:
    meter = FrameMeter()
    frame = raw(PING, 8)
    assert meter.price(bytes(PREFACE) + frame[:8]) == 0
    assert meter.price(frame[8:9]) == 2
    assert meter.price(frame[9:]) == 0


def test_what_says_it_is_long_is_not_waited_for() -> None:
    meter = FrameMeter()
    assert meter.price(bytes(PREFACE) + b"\xff\xff\xff" + bytes((PING, 0)) + bytes(4)) == 2
    assert meter.price(bytes(1 << 20)) == 0
