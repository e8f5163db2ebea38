"""Pipes: bytes with back-pressure, and peers that take nothing."""

import asyncio
from typing import Any

import pytest

from service.stream.pipe import BodyPipe, MessagePipe
from tests.support.peer import Peer
from tests.support.turns import counted_turns

# The portable ones


async def test_a_body_pipe_sends_one_chunk_and_a_message_pipe_one_message_each() -> None:
    peer = Peer()
    await BodyPipe(peer.send, 10).send(b"ab")
    await MessagePipe(peer.send, 10).send((b"a", "é".encode()))
    assert peer.taken == [
        {"type": "http.response.body", "body": b"ab", "more_body": True},
        {"type": "websocket.send", "text": "a"},
        {"type": "websocket.send", "text": "é"},
    ]


@pytest.mark.parametrize("kind", [BodyPipe, MessagePipe])
async def test_sending_gives_others_a_turn_even_if_the_server_never_waits(kind: Any) -> None:
    pipe = kind(Peer().send, 10)
    async with counted_turns() as turns:
        for _ in range(100):
            await pipe.send(b"" if kind is BodyPipe else ())
    assert turns.count >= 100


@pytest.mark.parametrize("kind", [BodyPipe, MessagePipe])
async def test_a_peer_that_takes_nothing_is_a_timeout_and_hears_no_more(kind: Any) -> None:
    peer = Peer()
    peer.open.clear()
    pipe = kind(peer.send, 0.01)
    payload = b"a" if kind is BodyPipe else (b"a",)
    with pytest.raises(TimeoutError):
        await pipe.send(payload)
    assert pipe.is_closed
    with pytest.raises(ConnectionError):
        await pipe.send(payload)


async def test_a_portable_pipe_is_full_while_it_waits_for_its_peer() -> None:
    peer = Peer()
    peer.open.clear()
    pipe = BodyPipe(peer.send, 3_600)
    assert (pipe.is_full, pipe.waiting) == (False, None)
    sending = asyncio.create_task(pipe.send(b"a"))
    await asyncio.sleep(0)
    assert pipe.is_full
    peer.open.set()
    await sending
    assert not pipe.is_full


async def test_aborting_brings_the_sender_back_at_once() -> None:
    peer = Peer()
    peer.open.clear()
    pipe = BodyPipe(peer.send, 3_600)
    sending = asyncio.create_task(pipe.send(b"a"))
    await asyncio.sleep(0)
    pipe.abort()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(sending, 10)
    assert pipe.is_closed


async def test_a_portable_pipe_takes_nothing_from_the_fan_out_but_says_so() -> None:
    pipe, woken = BodyPipe(Peer().send, 10), []
    pipe.on_behind(lambda: woken.append(True))
    assert not pipe.direct
    assert not pipe.write(b"a")
    assert not pipe.push(b"a")
    pipe.behind()
    assert woken == [True]


class LeftError(OSError):
    """As uvicorn raises it to who sends to one who has left."""


@pytest.mark.parametrize("kind", [BodyPipe, MessagePipe])
async def test_whatever_a_server_raises_for_one_who_has_left_is_a_lost_connection(kind: Any) -> None:
    async def send(message: object) -> None:
        raise LeftError

    pipe = kind(send, 10)
    with pytest.raises(ConnectionResetError):
        await pipe.send(b"a" if kind is BodyPipe else (b"a",))
    assert pipe.is_closed
