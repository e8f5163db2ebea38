"""A real server, over a socket: request heads and WebSocket frames as bytes."""

import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.fuzz import grammar
from tests.fuzz.target import Check, Target, Targets, must
from tests.hostile.attack import frame, handshake
from tests.hostile.victim import Victim
from tests.support.server import HOST

STEP: Final = 0.100
"""Seconds of CPU of one step of the server's loop."""
PATIENCE: Final = 3.0
TAKEN: Final = 0.01
"""Seconds for what was said to be taken in, before our side ends."""
HEALTH: Final = b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"

_VERSION: Final = st.sampled_from(["HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/9", "", "http/1.1"])
_FIELD: Final = st.tuples(
    st.sampled_from(
        ["Host", "Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "Expect", "Content-Type", "X-A", "Te"]
    )
    | st.text(max_size=8),
    st.sampled_from(
        [
            "127.0.0.1",
            "0",
            "5",
            "-1",
            "1,1",
            "chunked",
            "gzip, chunked",
            "close",
            "keep-alive",
            "upgrade",
            "h2c",
            "websocket",
        ]
    )
    | st.just("100-continue")
    | st.text(max_size=12),
).map(lambda pair: f"{pair[0]}: {pair[1]}")
_LINE_END: Final = st.sampled_from(["\r\n", "\r\n", "\r\n", "\n", "\r"])
HEAD: Final = st.builds(
    lambda method, path, version, fields, end: end.join([f"{method} {path} {version}", *fields, "", ""]).encode(
        "utf-8", "replace"
    ),
    grammar.METHODS,
    grammar.PATHS,
    _VERSION,
    st.lists(_FIELD, max_size=6),
    _LINE_END,
)
CHUNKS: Final = st.sampled_from(
    [b"", b"5\r\nhello\r\n0\r\n\r\n", b"-1\r\n", b"5;a=b\r\nhello\r\n0\r\na: b\r\n\r\n", b"FFFFFFFFFFFFFFFFF\r\n"]
)
HEADS: Final = st.tuples(HEAD | st.binary(max_size=40), CHUNKS | st.binary(max_size=40)).map(b"".join)

_OPCODE: Final = st.integers(0, 15)
_PAYLOAD: Final = st.one_of(
    st.binary(max_size=140), grammar.MESSAGES.map(lambda texts: grammar.encode(texts[0])), st.just(b"\x03\xe8")
)
_FRAME: Final = st.one_of(
    st.builds(lambda opcode, payload, final: frame(opcode, payload, final=final), _OPCODE, _PAYLOAD, st.booleans()),
    st.builds(lambda payload: frame(1, payload), _PAYLOAD),
    st.builds(lambda first, second: bytes([first, second]), st.integers(0, 255), st.integers(0, 255)),
)
FRAMES: Final = st.lists(_FRAME, min_size=1, max_size=5).map(b"".join)
STATUSES: Final = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1012, 1013})


def add_wire(targets: Targets) -> None:
    """Adds the targets of this module."""
    targets.add(Target("heads", HEADS, lambda: _serve(_ask), 5, is_apart=True))
    targets.add(Target("frames", FRAMES, lambda: _serve(_talk), 5, is_apart=True))


@contextmanager
def _serve(check: Callable[[Victim, bytes], None]) -> Iterator[Check[bytes]]:
    """One server for all inputs; at the end it has to be there, without a traceback and without a long step."""
    with TemporaryDirectory(prefix="fuzz-") as folder, Victim(Path(folder)) as victim:
        began = time.monotonic()  # its start is no answer to anybody
        yield lambda given: check(victim, given)
        must(victim.returncode is None, f"the server has died: {victim.log_tail()}")
        must(victim.faults() == [], f"the server's log has tracebacks: {victim.log_tail(3)[-2000:]}")
        told = victim.told(began)
        must(told.step <= STEP, f"a step of {told.step * 1_000:.0f} ms: {told.where}")


def _exchange(victim: Victim, *said: bytes, first: Any = None) -> bytes:
    """Say it, end our side, and all that comes until the other side ends."""
    got = b""
    with socket.create_connection((HOST, victim.port), PATIENCE) as line:
        try:
            for piece in said:
                line.sendall(piece)
                if piece is first:
                    got += line.recv(65_536)
            select.select([line], [], [], TAKEN)  # of those who leave at once, only so many a second are let in
            line.shutdown(socket.SHUT_WR)
            while more := line.recv(65_536):
                got += more
                if b"text/event-stream" in got:
                    break  # a stream goes on
        except (ConnectionResetError, BrokenPipeError):
            pass
        except TimeoutError:
            must(False, f"open {PATIENCE:g} s after our end, with {got[-200:]!r}")
    return got


def _ask(victim: Victim, given: bytes) -> None:
    """Bytes of a request: an answer that is none of a fault, or the end; and then health."""
    got = _exchange(victim, given)
    must(not got or got.startswith((b"HTTP/1.", b"\0\0")), f"no HTTP: {got[:80]!r}")
    must(b"HTTP/1.1 500" not in got, f"500: {got[:300]!r}")
    must(b" 200 " in _exchange(victim, HEALTH)[:20], "health does not answer")


def _talk(victim: Victim, given: bytes) -> None:
    """Bytes after a handshake: answers, then a Close that says why, or the end of the connection; never a fault."""
    opening = handshake("topic=nothing/here")
    got = _exchange(victim, opening, given, first=opening)
    must(got.startswith(b"HTTP/1.1 101"), f"no handshake: {got[:80]!r}")
    must(b"\x88\x02\x03\xf3" not in got, "Close 1011: a fault of the server")


HEADS_AND_FRAMES: Final[dict[str, SearchStrategy[bytes]]] = {"heads": HEADS, "frames": FRAMES}
