"""Under which names the service answers."""

import pytest

from service.access.hosts import HOST_MAX, REMEMBERED, Hosts, split_host


@pytest.mark.parametrize(
    ("host", "permitted"),
    [
        (None, True),  # HTTP/1.0
        ("", True),
        ("127.0.0.1:8000", True),
        ("192.0.2.7", True),
        ("[::1]:8000", True),
        ("[2001:db8::1]", True),
        ("localhost", True),
        ("LOCALHOST:8000", True),
        ("localhost.", True),
        ("app.localhost:1", True),
        ("live.example.org", True),
        ("Live.Example.org:443", True),
        ("live.example.org.", True),
        ("a.team.example", True),
        ("a.b.team.example", True),
        ("team.example", False),
        ("evil.example", False),
        ("evil.example:8000", False),
        ("live.example.org.evil.example", False),
        ("evillive.example.org", False),
        ("notlocalhost", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("127.0.0.1@evil.example", False),
        ("evil.example@127.0.0.1", False),
        ("evil.example/127.0.0.1", False),
        ("evil.example#127.0.0.1", False),
        ("127.1", False),
        ("0x7f000001", False),
        ("127.0.0.1:99999", False),
        ("127.0.0.1:8000:8000", False),
        ("[::1", False),
        ("::1", False),
        ("a b", False),
    ],
)
def test_addresses_localhost_and_the_names_that_are_listed(host: str | None, permitted: bool) -> None:
    assert Hosts(["live.example.org", "*.team.example"]).permits(host) is permitted


@pytest.mark.parametrize("host", ["evil.example", "a_b", "127.0.0.1", "[::1]"])
def test_a_star_answers_for_any(host: str) -> None:
    assert Hosts(["*"]).permits(host)


@pytest.mark.parametrize("host", ["a b", ".localhost", "a..localhost", f"{'a' * 64}.localhost", "\xff.localhost"])
def test_what_is_no_name_is_nobodys(host: str) -> None:
    """A framework that reads it as one raises UnicodeError."""
    assert not Hosts(["*"]).permits(host)
    assert not Hosts([]).permits(host)
    assert not Hosts([]).is_any(host)


def test_any_name_is_one_and_so_is_none() -> None:
    for host in ("evil.example", "EVIL.example.:443", "[::1]:8000", "127.0.0.1", "", None):
        assert Hosts([]).is_any(host)
    assert not Hosts([]).is_any(f"{'a' * HOST_MAX}.example")


def test_without_names_only_who_needs_none_is_answered() -> None:
    assert Hosts([]).permits("localhost:8000")
    assert not Hosts([]).permits("twinwire.example")


def test_a_host_is_split_into_name_and_port() -> None:
    assert split_host("Live.Example.org.:8000") == ("live.example.org", 8000)
    assert split_host("[::1]") == ("[::1]", None)
    assert split_host("a:b") is None


def test_verdicts_are_remembered_a_few_of_them() -> None:
    hosts = Hosts(["live.example.org"])
    for _ in range(2):
        for n in range(3 * REMEMBERED):
            assert not hosts.permits(f"evil{n}.example")
            assert hosts.permits("live.example.org:443")
    assert hosts._known.cache_info().currsize <= REMEMBERED
    asked = hosts._known.cache_info().misses
    assert not hosts.permits("a" * (HOST_MAX + 1))
    assert hosts._known.cache_info().misses == asked, "it was not asked, so nothing of it is kept"
