"""Pipes on a connection's transport: bytes with back-pressure, and peers that take nothing."""

import pytest

from service.stream.hypercorn.inside import find_response_writer, find_websocket_writer
from service.stream.hypercorn.pipes import HIGH_WATER, LOW_WATER, TransportPipe, send_last
from tests.support.peer import Peer

# The direct one


class Transport:
    """A transport whose buffer a test empties by hand."""

    def __init__(self) -> None:
        self.buffered = 0
        self.written = b""
        self.closing = False
        self.limits: dict[str, int] = {}

    def set_write_buffer_limits(self, **limits: int) -> None:
        if self.closing:
            raise RuntimeError("the handler is closed")  # as uvloop does
        self.limits = limits

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def is_closing(self) -> bool:
        return self.closing

    def write(self, data: bytes) -> None:
        self.written += data
        self.buffered += len(data)

    def take(self, count: int) -> None:
        self.buffered -= count

    def abort(self) -> None:
        self.closing, self.buffered = True, 0


class Writer:
    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    async def drain(self) -> None:
        return


@pytest.fixture
def transport() -> Transport:
    return Transport()


@pytest.fixture
def pipe(transport: Transport) -> TransportPipe:
    return TransportPipe(Writer(transport))  # type: ignore[arg-type]


async def test_writes_are_taken_whole_up_to_the_high_water_mark(pipe: TransportPipe, transport: Transport) -> None:
    assert transport.limits["high"] == HIGH_WATER
    assert pipe.write(b"a" * HIGH_WATER), "at the mark"
    assert pipe.write(b"b"), "the buffer stands at the mark, not above it"
    assert not pipe.write(b"c")
    assert pipe.push(b"d"), "control frames go in all the same"
    assert transport.written == b"a" * HIGH_WATER + b"bd"
    transport.take(2)
    assert pipe.write(b"e")


async def test_nothing_is_written_to_a_closing_connection(pipe: TransportPipe, transport: Transport) -> None:
    pipe.abort()
    assert pipe.is_closed
    assert not pipe.write(b"a")
    assert not pipe.push(b"a")
    with pytest.raises(ConnectionError):
        await pipe.send(b"a")
    assert transport.written == b""


async def test_a_connection_reset_before_its_answer_only_finds_itself_closed(transport: Transport) -> None:
    transport.abort()
    pipe = TransportPipe(Writer(transport))  # type: ignore[arg-type]
    assert pipe.is_closed
    assert not pipe.write(b"a")
    with pytest.raises(ConnectionResetError):
        await pipe.send(b"b")
    await pipe.flush(1.0)


async def test_a_peer_without_progress_is_told_from_a_slow_one(pipe: TransportPipe, transport: Transport) -> None:
    assert pipe.stalled_for(0) == 0, "nothing to take"
    await pipe.send(b"a" * 1_000)
    assert pipe.stalled_for(10) == 0
    assert pipe.stalled_for(25) == 15
    transport.take(1)
    assert pipe.stalled_for(30) == 0, "one byte is progress"
    pipe.write(b"b")
    assert pipe.stalled_for(50) == 20, "what we add is not"
    transport.take(1_000)
    assert pipe.stalled_for(90) == 0


async def test_a_replay_that_refills_the_buffer_is_not_a_stall(pipe: TransportPipe, transport: Transport) -> None:
    """The buffer is as full at each look as at the one before, or fuller, and yet the peer takes all of it."""
    await pipe.send(b"a" * 10_000)
    assert pipe.stalled_for(1) == 0
    for second in range(2, 100):
        transport.take(10_000)
        await pipe.send(b"a" * 10_010)
        assert pipe.stalled_for(second) == 0
        transport.buffered -= 10


async def test_what_waits_for_a_peer_is_told(pipe: TransportPipe, transport: Transport) -> None:
    assert (pipe.waiting, pipe.is_full) == (0, False)
    pipe.write(b"a" * LOW_WATER)
    assert (pipe.waiting, pipe.is_full) == (LOW_WATER, False)
    pipe.write(b"a")
    assert (pipe.waiting, pipe.is_full) == (LOW_WATER + 1, True)


# What is not Hypercorn


async def test_an_unknown_server_has_no_writer_and_is_asked_politely() -> None:
    peer = Peer()
    assert find_response_writer(peer.send) is None
    assert find_websocket_writer(peer.send) is None
    await send_last(peer.send, {"type": "a"}, 10)
    peer.open.clear()
    await send_last(peer.send, {"type": "b"}, 0.01)
    assert peer.taken == [{"type": "a"}]


@pytest.mark.parametrize("error", [ConnectionResetError, OSError])
async def test_a_connection_that_is_gone_needs_no_last_message(error: type[Exception]) -> None:
    """Also by the word of another server, which has an error of its own for it (ASGI, "Send")."""

    async def send(message: object) -> None:
        raise error

    assert not await send_last(send, {"type": "a"}, 10)
