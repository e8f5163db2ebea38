"""How a credential comes, and whether it counts there: one that is there and not as it should be is an error."""

import pytest

from service.access.carriers import (
    PLAIN_COOKIE,
    SECURE_COOKIE,
    Credential,
    cookie_of,
    find_credential,
    protocols,
    session_cookie,
    set_cookie,
)
from service.access.origins import Origins
from service.core.errors import ForbiddenError, InvalidError, PresentationError
from tests.support.access import Visitor

ORIGINS = Origins(["https://app.example"])


def found(visitor: Visitor, *, is_socket: bool = False) -> Credential | None:
    return find_credential(visitor, ORIGINS, is_socket=is_socket)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_bearer_whatever_the_case(scheme: str) -> None:
    assert found(Visitor(authorization=f"{scheme} a.b-c_d")) == Credential("bearer", "a.b-c_d")


@pytest.mark.parametrize(
    "fields",
    ["Basic YTpi", "Bearer", "Bearer ", "Bearer a b", "a.b.c", "", "Bearer é", ["Bearer a", "Bearer a"]],
)
def test_another_presentation_is_malformed_and_not_nobodys(fields: str | list[str]) -> None:
    with pytest.raises(PresentationError) as refusal:
        found(Visitor(authorization=fields))
    assert (refusal.value.status, refusal.value.field) == (400, "Authorization")


def test_nothing_is_nobody() -> None:
    assert found(Visitor()) is None
    assert found(Visitor(), is_socket=True) is None
    assert found(Visitor(cookie="theme=dark; twinwire=")) is None


def test_a_websockets_subprotocol_carries_a_token() -> None:
    offered = Visitor(sec_websocket_protocol="twinwire.v1, twinwire.bearer.a.b.c")
    assert found(offered, is_socket=True) == Credential("protocol", "a.b.c")
    assert found(offered) is None  # of another request it says nothing
    apart = Visitor(sec_websocket_protocol=["twinwire.bearer.a.b.c", "twinwire.v1"])
    assert found(apart, is_socket=True) == Credential("protocol", "a.b.c")
    assert protocols(apart) == ["twinwire.bearer.a.b.c", "twinwire.v1"]
    assert found(Visitor(sec_websocket_protocol="twinwire.v1, chat"), is_socket=True) is None


@pytest.mark.parametrize(
    "offered",
    [
        "twinwire.bearer.a",
        "twinwire.v1, twinwire.bearer.",
        "twinwire.v1, twinwire.bearer.a, twinwire.bearer.b",
        "chat, twinwire.bearer.a",
    ],
)
def test_a_subprotocol_that_could_not_be_answered_is_malformed(offered: str) -> None:
    with pytest.raises(PresentationError) as refusal:
        found(Visitor(sec_websocket_protocol=offered), is_socket=True)
    assert refusal.value.field == "Sec-WebSocket-Protocol"


def test_the_first_carrier_is_the_one() -> None:
    everything = {
        "query": {"ticket": "tk_1"},
        "cookie": "twinwire=c",
        "origin": "https://app.example",
    }
    assert found(Visitor(authorization="Bearer h", **everything)) == Credential("bearer", "h")  # type: ignore[arg-type]
    offered = "twinwire.v1, twinwire.bearer.p"
    both = Visitor(sec_websocket_protocol=offered, **everything)  # type: ignore[arg-type]
    assert found(both, is_socket=True) == Credential("protocol", "p")
    assert found(Visitor(**everything)) == Credential("ticket", "tk_1")  # type: ignore[arg-type]
    assert found(Visitor(cookie="twinwire=c")) == Credential("cookie", "c")


@pytest.mark.parametrize("method", ["POST", "HEAD", "DELETE"])
def test_a_ticket_is_for_get_alone(method: str) -> None:
    with pytest.raises(InvalidError) as refusal:
        found(Visitor(method, {"ticket": "tk_1"}))
    assert refusal.value.field == "ticket"


@pytest.mark.parametrize(
    ("headers", "counts"),
    [
        ({}, False),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"referer": "https://evil.example/live.example"}, False),
        ({"referer": "live.example"}, False),
        ({"origin": "https://app.example"}, True),
        ({"origin": "https://live.example"}, True),
        ({"referer": "https://live.example/page?x=1"}, True),
        ({"referer": "https://app.example"}, True),
        ({"origin": "https://live.example:8443"}, False),
        ({"origin": "https://other.example", "sec_fetch_site": "same-origin"}, True),  # a proxy has lost Host
        ({"origin": "https://evil.example", "referer": "https://live.example/"}, False),  # an Origin comes first
    ],
)
def test_a_cookie_counts_beside_a_page_of_ours(headers: dict[str, str], counts: bool) -> None:
    """For what changes something, and for a handshake; a read needs none."""
    for visitor, is_socket in (
        (Visitor("POST", cookie="twinwire=c", host="live.example", **headers), False),
        (Visitor("GET", cookie="twinwire=c", host="live.example", **headers), True),
    ):
        if counts:
            assert found(visitor, is_socket=is_socket) == Credential("cookie", "c")
            continue
        with pytest.raises(ForbiddenError) as refusal:
            found(visitor, is_socket=is_socket)
        assert refusal.value.field == "Origin"
    assert found(Visitor(cookie="twinwire=c", host="live.example", **headers)) == Credential("cookie", "c")


def test_the_cookie_of_https_does_not_count_beside_a_page_of_http() -> None:
    """Of the same name: whoever is on the way to the browser can answer for it."""
    page = {"host": "live.example", "cookie": "__Host-twinwire=c"}
    for scheme in ("http", "https"):  # the first: behind a proxy that is not believed
        for where in ({"origin": "http://live.example"}, {"referer": "http://live.example/page"}):
            for visitor, is_socket in (
                (Visitor("POST", scheme=scheme, **page, **where), False),
                (Visitor("GET", scheme=scheme, **page, **where), True),
            ):
                with pytest.raises(ForbiddenError):
                    found(visitor, is_socket=is_socket)
    own = Visitor("POST", **page, origin="https://live.example")  # type: ignore[arg-type]
    assert found(own) == Credential("cookie", "c")


def test_a_star_names_nobody() -> None:
    visitor = Visitor("POST", cookie="twinwire=c", host="live.example", origin="https://evil.example")
    with pytest.raises(ForbiddenError):
        find_credential(visitor, Origins(["*"]), is_socket=False)


def test_the_cookie_of_https_comes_first() -> None:
    both = Visitor(cookie="twinwire=plain; __Host-twinwire=secure")
    assert session_cookie(both, is_secure=False) == session_cookie(both, is_secure=True) == "secure"
    plain = Visitor(cookie=["twinwire=plain", "__Host-twinwire="])
    assert session_cookie(plain, is_secure=False) == "plain"
    assert session_cookie(plain, is_secure=True) is None
    assert cookie_of(Visitor(cookie='x=1;twinwire="quoted"; twinwire=2'), PLAIN_COOKIE) == "quoted"
    assert cookie_of(Visitor(cookie="xtwinwire=1; twinwire"), PLAIN_COOKIE) is None


def test_over_https_a_cookie_that_another_host_can_set_is_none() -> None:
    """A neighbour of the domain, or a page of http, could make somebody its own user."""
    assert found(Visitor(scheme="https", cookie="twinwire=planted")) is None
    assert found(Visitor(scheme="https", cookie="__Host-twinwire=c")) == Credential("cookie", "c")


def test_a_cookie_is_nobodys_but_the_browsers() -> None:
    plain = set_cookie(PLAIN_COOKIE, "v", path="/", max_age=60, is_secure=False).decode()
    assert plain == "twinwire=v; HttpOnly; SameSite=Strict; Path=/; Max-Age=60"
    secure = set_cookie(SECURE_COOKIE, "v", path="/", max_age=60, is_secure=True).decode()
    assert secure == "__Host-twinwire=v; HttpOnly; Secure; SameSite=Strict; Path=/; Max-Age=60"
