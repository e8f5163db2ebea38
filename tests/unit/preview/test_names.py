import pytest

from service.core.errors import InvalidError
from service.preview.names import Names, Site, check_below

NAMES = Names("preview.example.org")


@pytest.mark.parametrize(
    ("host", "id"),
    [
        ("app-abc.localhost", "abc"),
        ("app-abc.localhost:8000", "abc"),
        ("APP-ABC.LocalHost.", "abc"),
        ("app-abc.preview.example.org", "abc"),
        (f"app-{'a' * 59}.localhost", "a" * 59),
        # Claimed, so that nothing of the service is there, and nobody's.
        ("app-.localhost", None),
        ("app-a_b.localhost", None),
        ("app-a-b.localhost", None),
        ("x.app-abc.localhost", None),
        ("app-x.app-abc.preview.example.org", None),
    ],
)
def test_what_looks_like_a_program_is_no_name_of_the_service(host: str, id: str | None) -> None:
    assert NAMES.claims(host)
    assert NAMES.id_of(host) == id


@pytest.mark.parametrize(
    "host",
    [
        "",
        "localhost",
        "localhost:8000",
        "x.localhost",
        "app-abc.localhost.evil",
        "app-abc.localhost.evil.example",
        "app-abc.localhost@evil",
        "app-abc.localhost:99999",
        "app-abclocalhost",
        "preview.example.org",
        "example.org",
        "app-abc.example.org",
        "127.0.0.1:8000",
        "[::1]:8000",
        f"app-{'a' * 60}.localhost",
        "a" * 1_000,
    ],
)
def test_all_else_is_the_services(host: str) -> None:
    assert not NAMES.claims(host)


def test_without_a_name_of_the_operators_only_loopback_is_claimed() -> None:
    assert Names().claims("app-abc.localhost")
    assert not Names().claims("app-abc.preview.example.org")


@pytest.mark.parametrize(
    ("page", "below", "there"),
    [
        ("http://localhost:8000", "", "http://app-abc.localhost:8000"),
        ("http://127.0.0.1:8000", "preview.example.org", "http://app-abc.localhost:8000"),
        ("http://[::1]:8000", "", "http://app-abc.localhost:8000"),
        ("http://localhost", "", "http://app-abc.localhost"),
        ("https://live.example.org", "preview.example.org", "https://app-abc.preview.example.org"),
        ("https://live.example.org:8443", "preview.example.org", "https://app-abc.preview.example.org:8443"),
        ("https://live.example.org", "preview.example.org:444", "https://app-abc.preview.example.org:444"),
    ],
)
def test_where_a_program_is_for_a_page(page: str, below: str, there: str) -> None:
    site = Site.of_origin(page)
    assert site is not None
    found = Names(below).site_of("abc", site)
    assert found.origin == there
    sources = Names(below).sources(site.host)
    assert sources == (f"*.{found.host.partition('.')[2]}",)


def test_elsewhere_the_operator_has_to_give_a_name() -> None:
    with pytest.raises(InvalidError, match="TWINWIRE_PREVIEW_HOST"):
        Names().site_of("abc", Site("https", "live.example.org"))
    assert Names().sources("live.example.org") == ()


@pytest.mark.parametrize(
    "text", [None, "", "null", "file:///x", "http://a/b", "http://a b", "http://a;b", "http://a,b"]
)
def test_what_is_no_origin_is_no_page(text: str | None) -> None:
    assert Site.of_origin(text) is None


def test_a_setting_is_a_name() -> None:
    assert check_below(" Preview.Example.org. ") == "preview.example.org"
    assert check_below("preview.example.org:8443") == "preview.example.org:8443"
    assert check_below("") == ""
    for wrong in (
        "https://preview.example.org",
        "*.example.org",
        "192.0.2.1",
        "localhost",
        "a.localhost",
        "preview",
        "a..b",
    ):
        with pytest.raises(ValueError, match="host name"):
            check_below(wrong)
