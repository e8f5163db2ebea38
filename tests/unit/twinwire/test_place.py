import pytest

from twinwire.errors import InvalidError
from twinwire.place import URL_MAX, Place


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TWINWIRE_URL", raising=False)


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://live.example/", "https://live.example"),
        ("live.example:81/a b/", "http://live.example:81/a%20b"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://live.example/twin?x#y", "https://live.example/twin"),
    ],
)
def test_where_it_is(url: str, base: str) -> None:
    assert Place(url).base == base


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Place().base == "http://127.0.0.1:8000"
    monkeypatch.setenv("TWINWIRE_URL", " https://live.example/x ")
    assert Place().base == "https://live.example/x"
    assert Place("http://other").base == "http://other"
    monkeypatch.setenv("TWINWIRE_URL", "")
    assert Place().base == "http://127.0.0.1:8000"


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://x", "http://", "http://x:99999", "http://a b", "http://x:y", "http://[::1", "http://u:p@x"),
        *("http://a\x7f", "http://\udce9", "http://x/\udcff", "http://x#@y"),
    ],
)
def test_what_is_no_place(url: str) -> None:
    with pytest.raises(InvalidError):
        Place(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://me:secret@x",
        "htps://me:secret@x",
        "https://me:secret@",
        "http://me:12#secret@x:9",
        "http://me:secret@[x",
    ],
)
def test_a_password_is_not_shown(url: str) -> None:
    with pytest.raises(InvalidError) as raised:
        Place(url)
    assert "secret" not in str(raised.value)


def test_urls() -> None:
    place = Place("https://x/p")
    assert place.url("events", [("topic", "a/*"), ("after", None)]) == "https://x/p/api/events?topic=a%2F%2A"
    assert place.websocket([("after", "e-1")]) == "wss://x/p/api/ws?after=e-1"
    assert Place("http://x").websocket([]) == "ws://x/api/ws"
    with pytest.raises(InvalidError):
        place.url("events", [("topic", "\ud800")])


def test_topics_that_outgrow_a_url_go_in_a_body() -> None:
    place = Place("http://x")
    url, body = place.asking("sse", "sse", ["a"], [("after", None)])
    assert (url, body) == ("http://x/api/sse?topic=a", None)
    many = [f"{n}/{'t' * 90}" for n in range(80)]
    url, body = place.asking("events", "events/read", many, [("after", "e-1"), ("limit", None)])
    assert url == "http://x/api/events/read"
    assert body == {"topics": many, "after": "e-1"}
    assert len(url) < URL_MAX


@pytest.mark.parametrize(
    ("url", "overheard"),
    [
        ("http://127.0.0.1", False),
        ("http://[::1]", False),
        ("http://localhost", False),
        ("http://a.localhost", False),
        ("https://live.example", False),
        ("http://live.example", True),
        ("http://192.168.0.1", True),
        ("http://127.9.9.9", False),
        ("http://[fe80::1%25eth0]", True),
        ("http://localhost.example", True),
    ],
)
def test_who_could_read_a_token(url: str, overheard: bool) -> None:
    assert Place(url).is_overheard is overheard
