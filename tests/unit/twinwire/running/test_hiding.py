"""Secrets never get through, wherever output is cut, and nothing else is changed."""

from hypothesis import given
from hypothesis import strategies as st

from twinwire.running.hiding import STARS, Hider, secrets_of

few = st.binary(max_size=40).map(lambda data: bytes(b"ab\n*"[byte % 4] for byte in data))
"""Of four bytes, so that secrets occur, overlap and touch."""


def plain(data: bytes, secrets: set[bytes]) -> bytes:
    """The same for all of it at once: each byte that lies in an occurrence is covered, each row of them is stars."""
    covered = [False] * len(data)
    for secret in secrets:
        for at in range(len(data) - len(secret) + 1):
            if data[at : at + len(secret)] == secret:
                covered[at : at + len(secret)] = [True] * len(secret)
    out = b""
    for at, byte in enumerate(data):
        if not covered[at]:
            out += bytes([byte])
        elif at == 0 or not covered[at - 1]:
            out += STARS
    return out


@given(pieces=st.lists(few, max_size=12), secrets=st.sets(few.filter(len), max_size=4))
def test_however_it_is_cut_it_is_as_if_it_were_not(pieces: list[bytes], secrets: set[bytes]) -> None:
    hider = Hider(secrets)
    shown = [hider.feed(piece) for piece in pieces]
    longest = max(map(len, secrets), default=1)
    held = len(b"".join(pieces)) - len(b"".join(shown))
    assert secrets or held == 0
    shown.append(hider.flush())
    assert b"".join(shown) == plain(b"".join(pieces), secrets)
    assert len(hider._buffer) < longest, "nothing grows"


def test_what_may_be_the_beginning_of_one_waits_and_no_more() -> None:
    hider = Hider([b"hunter2"])
    assert hider.feed(b"password: hun") == b"password: "
    assert hider.feed(b"gry\npassword: hunte") == b"hungry\npassword: "
    assert hider.feed(b"r2\n") == b"***\n"
    assert hider.feed(b"h") == b""
    assert hider.flush() == b"h"


def test_each_line_of_a_value_is_a_secret_and_all_of_it() -> None:
    key = "-----BEGIN KEY-----\nMIIBVg==\n}\n-----END KEY-----\n"
    hider = Hider(secrets_of(key))
    assert hider.text(key) == "***\n"
    assert hider.text("  MIIBVg==\n") == "  ***\n"
    assert hider.text("a } is no secret") == "a } is no secret"
    assert hider.text(key.replace("\n", "\r\n")) == "***\r\n", "as a terminal shows it"
    assert secrets_of("s3\n") == {b"s3"}
    assert Hider(secrets_of("\udcff\udcfe")).feed(b"a\xff\xfeb") == b"a***b", "what is no text too"


def test_a_long_secret_costs_no_more_than_a_look() -> None:
    secret = b"a" * 100_000 + b"b"
    hider = Hider([secret])
    out = b"".join(hider.feed(b"x" * 60_000 + b"aaaa") for _ in range(50)) + hider.flush()
    assert len(out) == 50 * 60_004
