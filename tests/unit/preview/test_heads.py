import pytest

from service.preview.heads import back, towards, unframed


def test_nothing_of_who_one_is_goes_there() -> None:
    fields = [
        (b"host", b"app-a.localhost"),
        (b"cookie", b"twinwire=x"),
        (b"authorization", b"Bearer x"),
        (b"x-forwarded-host", b"live.example.org"),
        (b"x-real-ip", b"192.0.2.1"),
        (b"forwarded", b"for=192.0.2.1"),
        (b"connection", b"X-Mine , upgrade"),
        (b"x-mine", b"1"),
        (b"transfer-encoding", b"chunked"),
        (b"content-length", b"3"),
        (b"sec-websocket-key", b"x"),
        (b"last-event-id", b"7"),
        (b"x-csrf-token", b"own"),
    ]
    assert towards(fields) == [(b"host", b"app-a.localhost"), (b"last-event-id", b"7"), (b"x-csrf-token", b"own")]


@pytest.mark.parametrize(
    "name",
    [
        b"Set-Cookie",
        b"Clear-Site-Data",
        b"Service-Worker-Allowed",
        b"Strict-Transport-Security",
        b"Alt-Svc",
        b"X-Accel-Redirect",
        b"X-Sendfile",
        b"WWW-Authenticate",
        b"Access-Control-Allow-Credentials",
        b"X-Frame-Options",
        b"Keep-Alive",
        b"NEL",
    ],
)
def test_nothing_that_reaches_beyond_it_comes_back(name: bytes) -> None:
    names = [found for found, _ in back([(name, b"x"), (b"X-Own", b"1")], [])]
    assert names == [b"x-own", b"referrer-policy", b"cache-control", b"content-security-policy"]


@pytest.mark.parametrize(
    ("name", "value"), [(b"x-a", b"a\r\nset-cookie: b"), (b"x-a", b"a\0b"), (b"x a", b"1"), (b"", b"1"), (b"x:", b"1")]
)
def test_what_is_no_field_is_none(name: bytes, value: bytes) -> None:
    with pytest.raises(ValueError, match="field"):
        back([(name, value)], [])


@pytest.mark.parametrize(
    ("policy", "left"),
    [
        (b"default-src 'none'; frame-ancestors 'none'", b"default-src 'none'"),
        (b"FRAME-ANCESTORS 'none'", b""),
        (b"frame-ancestors;img-src *", b"img-src *"),
        (b"default-src 'self', frame-ancestors 'none'; img-src *", b"default-src 'self', img-src *"),
        (b"frame-ancestors-not x", b"frame-ancestors-not x"),
    ],
)
def test_who_may_show_it_is_not_for_it_to_say(policy: bytes, left: bytes) -> None:
    assert unframed(policy) == left
    found = [value for name, value in back([(b"Content-Security-Policy", policy)], ["http://a"]) if name[8:9] == b"s"]
    assert found[-1] == b"frame-ancestors http://a"
    assert b"frame-ancestors 'none'" in dict(back([], [])).values()
