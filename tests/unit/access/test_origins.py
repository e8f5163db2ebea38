"""Which pages may connect: browsers send their origin with every WebSocket and guard nothing themselves."""

import pytest

from service.access.origins import Origins


@pytest.mark.parametrize(
    ("origin", "host", "permitted"),
    [
        (None, "twinwire.example", True),  # a program
        ("https://twinwire.example", "twinwire.example", True),
        ("http://twinwire.example", "twinwire.example", True),
        ("https://twinwire.example", "twinwire.example:443", True),
        ("http://twinwire.example:80", "twinwire.example:80", True),
        ("http://127.0.0.1:8000", "127.0.0.1:8000", True),
        ("http://[::1]:8000", "[::1]:8000", True),
        ("HTTPS://Twinwire.Example", "twinwire.example", True),
        ("https://app.example", "twinwire.example", True),
        ("https://APP.example/", "twinwire.example", True),
        ("https://evil.example", "twinwire.example", False),
        ("https://twinwire.example.evil.example", "twinwire.example", False),
        ("https://eviltwinwire.example", "twinwire.example", False),
        ("http://app.example", "twinwire.example", False),
        ("https://app.example:8443", "twinwire.example", False),
        ("http://127.0.0.1:3000", "127.0.0.1:8000", False),
        ("http://twinwire.example:8000", "twinwire.example:80", False),
        ("null", "twinwire.example", False),
        ("", "twinwire.example", False),
        ("https://evil.example", None, False),
        ("null", None, False),
        ("http://[::1", "[::1", False),
        ("http://a:99999", "a:99999", False),
        ("file://", "twinwire.example", False),
    ],
)
def test_a_pages_own_origin_and_the_allowed_ones(origin: str | None, host: str | None, permitted: bool) -> None:
    assert Origins(["https://app.example"]).permits(origin, host) is permitted


def test_a_star_allows_all() -> None:
    everyone = Origins(["*"])
    assert everyone.permits("https://evil.example", "twinwire.example")
    assert everyone.permits("null", "twinwire.example")
    assert everyone.cors("https://evil.example")[0] == (b"access-control-allow-origin", b"*")


def test_only_allowed_origins_may_read_answers() -> None:
    origins = Origins(["https://app.example/"])
    assert origins.cors("https://app.example") == [
        (b"access-control-allow-origin", b"https://app.example"),
        (b"access-control-expose-headers", b"retry-after"),
        (b"vary", b"Origin"),
    ]
    assert origins.cors("https://evil.example") == []
    assert origins.cors(None) == []
    assert Origins([]).cors("https://app.example") == []
