"""Keys that an issuer shows: when they are fetched, how long they are believed, and what is refused of an answer."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from service.access.jwks import ASKED_MAX, BODY_MAX, GAP, KEPT, KEYS_MAX, LIFE, LIFE_MAX, LIFE_MIN, Jwks, read_keys
from tests.support.clock import ManualClock
from tests.support.tokens import Issuer, issuer, jwk

PATIENCE = 30.0
"""Seconds until a test gives a thread up."""


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def origin() -> Iterator[Issuer]:
    with issuer() as found:
        found.shows(jwk("rsa", "one"))
        yield found


def source(origin: Issuer, clock: ManualClock) -> Jwks:
    return Jwks(origin.url, "https://login.example", ["RS256"], clock)


@pytest.mark.parametrize("admin", [True, False])
def test_its_keys_are_for_an_operator_or_not_as_the_entry_says(origin: Issuer, clock: ManualClock, admin: bool) -> None:
    keys = Jwks(origin.url, "https://login.example", ["RS256"], clock, admin=admin)
    keys.start()
    until(keys, keys.keys)
    (found,) = keys.keys()
    assert found.admin == admin
    keys.close()


def kids(keys: Jwks) -> list[str | None]:
    found = keys.keys()
    return [key.kid for key in found]


def until(keys: Jwks, condition: Callable[[], object]) -> None:
    with keys._changed:
        assert keys._changed.wait_for(condition, PATIENCE)


# The thread


def test_it_fetches_at_its_start_and_when_a_key_is_wanted(origin: Issuer, clock: ManualClock) -> None:
    keys = source(origin, clock)
    assert keys.is_lost
    keys.start()
    keys.start()
    until(keys, lambda: kids(keys) == ["one"])
    assert origin.asked == 1
    origin.shows(jwk("rsa", "one"), jwk("rsa", "two", 1))
    clock.advance(GAP)
    assert keys.want("two")
    until(keys, lambda: kids(keys) == ["one", "two"])
    assert origin.asked == 2
    keys.close()
    assert keys._thread is not None
    keys._thread.join(PATIENCE)
    assert not keys._thread.is_alive()


def test_it_fetches_again_when_its_time_is_over(origin: Issuer, clock: ManualClock) -> None:
    origin.headers["Cache-Control"] = "public, max-age=120"
    keys = source(origin, clock)
    keys.start()
    until(keys, lambda: kids(keys))
    origin.shows(jwk("rsa", "two", 1))
    clock.advance(119.9)
    assert 0 < keys._rest() < 1
    clock.advance(0.1)
    with keys._changed:
        keys._changed.notify_all()  # as the timeout does, when seconds pass
    until(keys, lambda: kids(keys) == ["two"])
    keys.close()


def test_one_that_was_closed_does_not_begin(origin: Issuer, clock: ManualClock) -> None:
    keys = source(origin, clock)
    keys.close()
    keys.start()
    assert keys._thread is None


# When


def test_however_much_is_wanted_it_is_fetched_once_in_30_seconds(origin: Issuer, clock: ManualClock) -> None:
    keys = source(origin, clock)
    keys.refresh()
    for n in range(1_000):
        keys.want(f"k{n}")
        assert keys._rest() == GAP
    assert len(keys._asked) == ASKED_MAX
    clock.advance(GAP)
    assert keys._rest() <= 0
    origin.status = 500
    keys.refresh()
    assert len(keys._asked) == ASKED_MAX, "they are still asked for"
    assert keys._rest() == GAP


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", LIFE),
        ("public", LIFE),
        ("max-age=300", 300),
        ('Public, MAX-AGE="300"', 300),
        ("max-age=59", LIFE_MIN),
        ("max-age=0", LIFE_MIN),
        ("max-age=3601", LIFE_MAX),
        ("max-age=" + "9" * 500, LIFE_MAX),
        ("s-maxage=5", LIFE),
        ("max-age=x", LIFE),
        ("no-cache", LIFE_MIN),
        ("max-age=300, no-store", LIFE_MIN),
    ],
)
def test_a_copy_is_good_for_as_long_as_the_issuer_says_within_bounds(
    origin: Issuer, clock: ManualClock, header: str, seconds: float
) -> None:
    origin.headers["Cache-Control"] = header
    keys = source(origin, clock)
    assert keys.refresh()
    assert keys._rest() == seconds


# How long


def test_the_last_copy_is_used_for_a_day_while_no_other_comes(origin: Issuer, clock: ManualClock) -> None:
    keys = source(origin, clock)
    assert keys.refresh()
    version = keys.version
    origin.status = 503
    clock.advance(KEPT)
    assert not keys.refresh()
    assert keys.fault == "it answers 503"
    assert (kids(keys), keys.version) == (["one"], version)
    clock.advance(0.001)
    assert keys.is_lost
    assert kids(keys) == []
    assert keys.version != version
    origin.status = 200
    assert keys.refresh()
    assert (kids(keys), keys.fault) == (["one"], None)


def test_a_key_that_is_not_shown_any_more_is_gone(origin: Issuer, clock: ManualClock) -> None:
    keys = source(origin, clock)
    keys.refresh()
    version = keys.version
    keys.refresh()
    assert keys.version == version, "they are the same"
    origin.shows(jwk("rsa", "two", 1))
    keys.refresh()
    assert kids(keys) == ["two"]
    assert keys.version != version


def test_a_key_may_come_until_a_fetch_after_the_question_did_not_bring_it(origin: Issuer, clock: ManualClock) -> None:
    keys = source(origin, clock)
    assert keys.want("two"), "nothing is there yet"
    origin.status = 500
    keys.refresh()
    assert keys.want("two"), "it could not be fetched"
    origin.status = 200
    keys.refresh()
    assert not keys.want("two"), "it is not there"
    assert keys.want("three"), "nobody has looked for it"
    origin.status = 500
    keys.refresh()
    assert not keys.want("two")
    assert keys.want("three")
    origin.shows(jwk("rsa", "two", 1))
    keys.refresh()
    assert kids(keys) == ["two"]
    assert keys.want("x" * 10_000), "of such a one nothing is kept"
    assert all(len(kid) < 300 for kid in keys._asked)


def test_one_line_when_it_begins_to_fail_and_one_when_it_ends(
    origin: Issuer, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    keys = source(origin, clock)
    caplog.set_level("INFO")
    for status in (500, 500, 200, 200):
        origin.status = status
        keys.refresh()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


# What


def redirect(request: BaseHTTPRequestHandler) -> None:
    request.send_response(302)
    request.send_header("Location", "/elsewhere")
    request.end_headers()


def break_off(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"keys":[]}')


def no_http(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"keys\r\n\r\n")


def hang_up(request: BaseHTTPRequestHandler) -> None:
    request.connection.close()


def no_end(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n" + b" " * (BODY_MAX + 1))


@pytest.mark.parametrize(
    ("does", "why"),
    [
        (redirect, "it answers 302"),
        (break_off, "breaks off"),
        (no_http, "keys"),
        (hang_up, ""),
        (no_end, "more than 256 KiB"),
    ],
)
def test_an_answer_that_is_none_is_a_fault(
    origin: Issuer, clock: ManualClock, does: Callable[[BaseHTTPRequestHandler], None], why: str
) -> None:
    origin.does = does
    keys = source(origin, clock)
    assert not keys.refresh()
    assert keys.fault is not None
    assert why in keys.fault
    assert origin.asked == 1
    assert keys.is_lost


class HurriedClock(ManualClock):
    """Each look at it takes 11 seconds."""

    def monotonic(self) -> float:
        self.advance(11)
        return super().monotonic()


def test_a_body_that_takes_too_long_is_a_fault(origin: Issuer) -> None:
    keys = source(origin, HurriedClock())
    assert not keys.refresh()
    assert keys.fault == "it takes more than 10 s"


def test_https_is_spoken_where_it_is_named(origin: Issuer, clock: ManualClock) -> None:
    keys = Jwks(origin.url.replace("http:", "https:"), "i", ["RS256"], clock)
    assert not keys.refresh()
    assert "SSL" in (keys.fault or "")
    assert origin.asked == 0


def test_nobody_there_is_a_fault(clock: ManualClock) -> None:
    with issuer() as found:
        keys = source(found, clock)
    assert not keys.refresh()
    assert "refused" in (keys.fault or "").lower()


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"[]", b"{}", b'{"keys":{}}', b"[" * 100_000, b'{"keys":' + b"1" * 5_000]
)
def test_what_is_no_key_set_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="what it shows"):
        read_keys(body, ["RS256"], "i", None)


def test_a_set_has_a_hundred_keys_at_most_and_strange_ones_are_passed_over() -> None:
    good = jwk("rsa", "one")
    strange = [7, {}, {"kty": "oct", "k": "AQAB"}, jwk("p256", "ec"), jwk("rsa", "k" * 257), {**good, "use": "enc"}]
    found = read_keys(json.dumps({"keys": [*strange, good]}).encode(), ["RS256"], "i", None)
    assert [key.kid for key in found] == ["one"]
    many = [{**good, "kid": f"{n}"} for n in range(KEYS_MAX + 1)]
    assert len(read_keys(json.dumps({"keys": many[1:]}).encode(), ["RS256"], "i", None)) == KEYS_MAX
    with pytest.raises(ValueError, match="101 keys"):
        read_keys(json.dumps({"keys": many}).encode(), ["RS256"], "i", None)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "jwks.json",
        "file:///etc/passwd",
        "ftp://a.example/",
        "http://a.example/",
        "http://127.0.0.1.evil.example/",
        "http://localhost.evil.example/",
        "https:///path",
        "https://user@a.example/",
        "https://a.example:x/",
        "https://a.example:0/",
        "https://a.example:70000/",
        "https://a.example/ x",
        "https://a.example/\r\nX: y",
        "https://é.example/",
        "https://[::1/",
        "https://a.example/#x",
        "https://a.example/" + "a" * 2_048,
    ],
)
def test_a_url_is_https_or_http_to_this_machine(url: str, clock: ManualClock) -> None:
    with pytest.raises(ValueError, match="is not"):
        Jwks(url, "i", ["RS256"], clock)


@pytest.mark.parametrize(
    "url", ["https://a.example/jwks?v=1", "http://localhost:1/", "http://127.9.9.9/", "http://[::1]:8000/x"]
)
def test_urls_that_may_be(url: str, clock: ManualClock) -> None:
    assert "login" in repr(Jwks(url, "login", ["RS256"], clock))
