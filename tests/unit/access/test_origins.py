"""Which pages may change something, connect, or read: the table of docs/protocol.md, row by row, and its edges."""

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Final

import pytest

from service.access.origins import Origins

PROTOCOL: Final = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text("utf-8")
TABLE: Final = re.search(r"<!-- origins -->\n(.*?)<!-- /origins -->", PROTOCOL, re.DOTALL)
ROWS: Final = [
    [cell.strip().strip("`") for cell in line.strip("|").split("|")]
    for line in (TABLE[1] if TABLE else "").strip().splitlines()[2:]
]
HOP: Final = "10.0.0.1"


class Visitor:
    """A request with these headers, from an address."""

    def __init__(self, address: str | None = "192.0.2.7", scheme: str = "http", **headers: str | None) -> None:
        self.address = address
        self.scheme = scheme
        self._headers = {name.replace("_", "-"): value for name, value in headers.items() if value}

    def header(self, name: bytes) -> str | None:
        return self._headers.get(name.decode())

    def fields(self, name: bytes) -> list[str]:
        found = self.header(name)
        return [] if found is None else found.split("\n")


ORIGINS: Final = Origins(["https://app.example"], [ip_network(HOP)])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_table_of_cases(row: list[str]) -> None:
    """`Origin`, `Host`, `Sec-Fetch-Site`, the forwarded host from a trusted hop, and whether a write is allowed."""
    _, origin, host, site, forwarded, allowed = ("" if cell == "-" else cell for cell in row)
    visitor = Visitor(
        HOP if forwarded else "192.0.2.7", origin=origin, host=host, sec_fetch_site=site, x_forwarded_host=forwarded
    )
    assert ORIGINS.permits(visitor) is (allowed == "yes")


def test_the_table_is_there() -> None:
    assert len(ROWS) > 12
    assert {row[5] for row in ROWS} == {"yes", "no"}


@pytest.mark.parametrize(
    ("origin", "host", "permitted"),
    [
        (None, "twinwire.example", True),  # a program
        ("http://twinwire.example:80", "twinwire.example:80", True),
        ("http://[::1]:8000", "[::1]:8000", True),
        ("HTTPS://Twinwire.Example", "twinwire.example", True),
        ("https://APP.example", "twinwire.example", True),
        ("https://twinwire.example.evil.example", "twinwire.example", False),
        ("https://eviltwinwire.example", "twinwire.example", False),
        ("http://app.example", "twinwire.example", False),
        ("https://app.example:8443", "twinwire.example", False),
        ("http://127.0.0.1:3000", "127.0.0.1:8000", False),
        ("http://twinwire.example:8000", "twinwire.example:80", False),
        ("http://twinwire.example:8080", "twinwire.example", False),
        ("chrome-extension://twinwire.example", "twinwire.example", False),
        ("http://evil@twinwire.example", "twinwire.example", False),
        ("https://twinwire.example/", "twinwire.example", False),
        ("https://twinwire.example https://evil.example", "twinwire.example", False),
        ("https://evil.example", None, False),
        ("null", None, False),
        ("http://[::1", "[::1", False),
        ("http://a:99999", "a:99999", False),
        ("file://", "twinwire.example", False),
    ],
)
def test_a_whole_origin_is_compared(origin: str | None, host: str | None, permitted: bool) -> None:
    assert ORIGINS.permits(Visitor(origin=origin, host=host)) is permitted


def test_whoever_set_up_a_proxy_is_told_what_to_set() -> None:
    said = ORIGINS.why_not(Visitor(origin="http://live.example:8080", host="127.0.0.1:8000"))
    assert "the service was asked as '127.0.0.1:8000'" in said
    assert said.endswith("set TWINWIRE_ALLOWED_ORIGINS=http://live.example:8080")
    for odd in ("null", "file://", f"http://{'x' * 200}", "http://a b"):
        assert odd not in ORIGINS.why_not(Visitor(origin=odd, host="127.0.0.1:8000")), (
            "what is no origin is not repeated"
        )


@pytest.mark.parametrize(
    ("address", "forwarded", "named"),
    [
        ("192.0.2.7", "live.example", "as 'upstream'. If"),
        (
            HOP,
            "a.example, Live.example",
            "as 'upstream' and, by a trusted hop's X-Forwarded-Host, as 'live.example'.",
        ),
        (HOP, "upstream", "as 'upstream'. If"),
        (HOP, None, "as 'upstream'. If"),
    ],
)
def test_the_names_that_were_judged_are_told(address: str, forwarded: str | None, named: str) -> None:
    said = ORIGINS.why_not(
        Visitor(address, origin="https://other.example", host="upstream", x_forwarded_host=forwarded)
    )
    assert f"the service was asked {named}" in said
    long = Visitor(HOP, origin="https://other.example", host="upstream", x_forwarded_host="x" * 200)
    assert "xxx" not in ORIGINS.why_not(long), "nor is a name of any length"


@pytest.mark.parametrize(
    ("address", "proto", "origin", "permitted"),
    [
        (HOP, "https", "https://live.example", True),
        (HOP, "https", "http://live.example", False),  # the port that is left out is 443 then
        (HOP, None, "http://live.example", True),
        (f"::ffff:{HOP}", "https", "https://live.example", True),
        ("::ffff:10.0.0.2", "https", "https://live.example", False),
        ("10.0.0.2", "https", "https://live.example", False),
        (None, "https", "https://live.example", False),
        ("unix", "https", "https://live.example", False),
    ],
)
def test_a_forwarded_host_counts_from_a_trusted_hop_alone(
    address: str | None, proto: str | None, origin: str, permitted: bool
) -> None:
    visitor = Visitor(
        address, origin=origin, host="upstream", x_forwarded_host="evil.example, live.example", x_forwarded_proto=proto
    )
    assert ORIGINS.permits(visitor) is permitted


@pytest.mark.parametrize("scheme", ["https", "wss"])
@pytest.mark.parametrize(
    ("origin", "host", "permitted"),
    [
        ("https://live.example", "live.example", True),
        ("https://live.example:8443", "live.example:8443", True),
        ("http://live.example", "live.example", False),
        ("http://live.example:8443", "live.example:8443", False),
        ("http://app.example", "live.example", False),
        ("https://app.example", "live.example", True),
    ],
)
def test_over_https_a_page_of_http_is_another(scheme: str, origin: str, host: str, permitted: bool) -> None:
    """Whoever is on the way to it can be the page of http of our name, and the browser would send our cookie along."""
    for visitor in (
        Visitor(scheme=scheme, origin=origin, host=host),
        Visitor(HOP, origin=origin, host="upstream", x_forwarded_host=host, x_forwarded_proto="https"),
    ):
        assert ORIGINS.permits(visitor) is ORIGINS.is_named(visitor) is permitted
    plain = Visitor(origin=origin, host=host)  # behind a proxy that is not believed
    assert ORIGINS.is_named(plain, is_secure=True) is permitted


@pytest.mark.parametrize(
    ("site", "mode", "origin", "answered"),
    [
        (None, None, None, True),
        ("same-origin", "cors", None, True),
        ("same-site", "cors", "https://other.example", False),
        ("same-site", "no-cors", None, False),
        ("same-site", "cors", "https://app.example", True),
        ("same-site", "navigate", None, True),
        ("none", "navigate", None, True),
        ("cross-site", "navigate", None, True),
        ("cross-site", "no-cors", None, False),
        ("cross-site", "cors", "https://evil.example", False),
        ("cross-site", "cors", "https://app.example", True),
    ],
)
def test_what_a_foreign_page_could_never_see_is_not_read(
    site: str | None, mode: str | None, origin: str | None, answered: bool
) -> None:
    visitor = Visitor(host="a", origin=origin, sec_fetch_site=site, sec_fetch_mode=mode)
    assert ORIGINS.may_read(visitor) is answered


def test_a_star_allows_all() -> None:
    everyone = Origins(["*"])
    assert everyone.permits(Visitor(origin="https://evil.example", host="twinwire.example"))
    assert everyone.permits(Visitor(origin="null", host="twinwire.example"))
    assert everyone.may_read(Visitor(origin="null", sec_fetch_site="cross-site", sec_fetch_mode="cors"))
    assert everyone.cors("https://evil.example")[0] == (b"access-control-allow-origin", b"*")
    assert b"access-control-allow-credentials" not in dict(everyone.cors("https://evil.example"))
    assert everyone.cors(None) == []


def test_a_page_without_an_origin_is_allowed_and_not_named() -> None:
    """Any site can make one."""
    origins = Origins(["null"])
    sandboxed = Visitor(origin="null", host="twinwire.example")
    assert origins.permits(sandboxed)
    assert not origins.is_named(sandboxed)
    assert dict(origins.cors("null"))[b"access-control-allow-origin"] == b"null"
    assert b"access-control-allow-credentials" not in dict(origins.cors("null"))


def test_only_allowed_origins_may_read_answers() -> None:
    origins = Origins(["https://app.example/"])
    assert origins.cors("https://app.example") == [
        (b"access-control-allow-origin", b"https://app.example"),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-expose-headers", b"retry-after, location, www-authenticate"),
        (b"vary", b"Origin"),
    ]
    for stranger in ("https://evil.example", None):
        assert origins.cors(stranger) == [(b"vary", b"Origin")], "a cache must not take this answer for the other"
    assert Origins([]).cors("https://app.example") == []


def test_the_nearest_hop_has_the_last_word_also_on_a_line_of_its_own() -> None:
    """The first line may be whoever's that asks."""
    visitor = Visitor(
        HOP,
        origin="https://live.example",
        host="upstream",
        x_forwarded_host="evil.example\nlive.example",
        x_forwarded_proto="http\nhttps",
    )
    assert ORIGINS.permits(visitor)
    assert ORIGINS.came_by_https(visitor)
    lied = Visitor(HOP, x_forwarded_proto="https\nhttp")
    assert not ORIGINS.came_by_https(lied)
