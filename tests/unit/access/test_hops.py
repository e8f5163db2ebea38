"""Where a request comes from: what trusted hops say, and nothing that anybody else has written beside it."""

from ipaddress import ip_network

import pytest
import structlog

from service.access.hops import ADDRESS_MAX, ENTRY_MAX, HOPS_MAX, REMEMBERED, Hops, network_of
from tests.support.access import Visitor

HOPS = Hops([ip_network("10.0.0.0/8"), ip_network("2001:db8:f::/48")])
PEER = "10.0.0.1"


def client(peer: str | None = PEER, hops: Hops = HOPS, **fields: str | list[str]) -> str | None:
    return hops.client(Visitor(address=peer, **fields))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("192.0.2.7", "192.0.2.7"),
        (" 192.0.2.7 ", "192.0.2.7"),
        ("192.0.2.7:4711", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("2001:DB8:0:0:0:0:0:7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::1"),
        ("198.51.100.9, 192.0.2.7", "192.0.2.7"),
        ("evil, 192.0.2.7, 10.0.0.2", "192.0.2.7"),
        ("192.0.2.7, 10.0.0.3, 2001:db8:f::1", "192.0.2.7"),
        ("10.0.0.9, 10.0.0.2", "10.0.0.9"),  # one of our own asked
        ("unknown", PEER),
        ("192.0.2.7, unknown, 10.0.0.2", "10.0.0.2"),  # that one does not know, and nobody else does
        ("", PEER),
        (",", PEER),
        ("[2001:db8::7", PEER),
        ("[2001:db8::7]x", PEER),
        ("192.0.2.7:port", PEER),
        ("192.0.2.256", PEER),
        ("1" * 10_000, PEER),
    ],
)
def test_a_list_is_walked_from_the_right_over_our_own(text: str, found: str) -> None:
    assert client(x_forwarded_for=text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("for=192.0.2.7", "192.0.2.7"),
        ('for="192.0.2.7:4711";proto=https;by=10.0.0.1', "192.0.2.7"),
        ('For="[2001:db8::7]:4711"', "2001:db8::7"),
        ("proto=https ; for=192.0.2.7 ; host=live.example", "192.0.2.7"),
        ("for=198.51.100.9, for=192.0.2.7", "192.0.2.7"),
        ("for=192.0.2.7, for=10.0.0.2;proto=http", "192.0.2.7"),
        ('for="192.0.2.\\7"', "192.0.2.7"),
        ('for="_a,b";x="1,2", for=10.0.0.2', "10.0.0.2"),
        ("for=_hidden", PEER),
        ("for=unknown", PEER),
        ("proto=https", PEER),
        ("for=192.0.2.7;;", "192.0.2.7"),
        ("", PEER),
        ("192.0.2.7", PEER),
        ("for=192.0.2.7 x", PEER),
        # what stands left of it is whoever's: a quotation mark left open, or text without end
        ('for="x, for=192.0.2.7', "192.0.2.7"),
        ('for=198.51.100.9", for=192.0.2.7', "192.0.2.7"),
        (f'for="{"a" * 10_000}, for=192.0.2.7', "192.0.2.7"),
        (f"for={'a' * ENTRY_MAX}", PEER),
        (";" * 10_000, PEER),
        (";  " * 10_000 + "x", PEER),
        ("," * 10_000, PEER),
    ],
)
def test_so_is_the_standards_field(text: str, found: str) -> None:
    assert client(forwarded=text) == found


def test_several_fields_are_one_list() -> None:
    assert client(x_forwarded_for=["198.51.100.9", "192.0.2.7, 10.0.0.2"]) == "192.0.2.7"
    assert client(forwarded=["for=198.51.100.9", "for=192.0.2.7"]) == "192.0.2.7"


def test_where_the_two_disagree_neither_is_believed() -> None:
    """A proxy writes one of them, and passes on what a client has put into the other."""
    assert client(x_forwarded_for="192.0.2.7", forwarded="for=192.0.2.7") == "192.0.2.7"
    assert client(x_forwarded_for="192.0.2.7", forwarded="for=198.51.100.9") == PEER
    assert client(x_forwarded_for="192.0.2.7", forwarded="nonsense") == PEER


def test_nobody_else_is_believed() -> None:
    """Neither a peer that is no hop, nor anybody where none are named."""
    for fields in ({"x_forwarded_for": "192.0.2.7"}, {"forwarded": "for=192.0.2.7"}):
        assert client("198.51.100.1", **fields) == "198.51.100.1"
        assert client(PEER, Hops(), **fields) == PEER
        assert client(None, **fields) is None
        assert client("<local>", **fields) == "<local>"


def test_a_hop_that_names_nobody_is_told_of_once() -> None:
    hops = Hops([ip_network(PEER)])
    with structlog.testing.capture_logs() as logs:
        assert client(hops=hops, x_forwarded_for="192.0.2.7") == "192.0.2.7"
        assert logs == []
        for _ in range(2):
            assert client(hops=hops) == PEER
    assert [(line["event"], line["hop"], line["log_level"]) for line in logs] == [
        ("hop_names_no_client", PEER, "warning")
    ]


def test_a_hop_is_one_by_whichever_family_its_socket_names_it() -> None:
    assert client("::ffff:10.0.0.1", x_forwarded_for="192.0.2.7") == "192.0.2.7"
    assert HOPS.trusts("::ffff:10.0.0.1")
    assert HOPS.trusts("2001:db8:f::1%eth0")
    assert not HOPS.trusts("192.0.2.1")
    assert not HOPS.trusts(None)
    assert not Hops().trusts(PEER)


def test_verdicts_are_remembered_and_long_texts_are_not() -> None:
    hops = Hops([ip_network("10.0.0.0/8")])
    for number in range(REMEMBERED + 100):
        assert not hops.trusts(f"192.0.{number >> 8}.{number & 255}")
    assert hops._known.cache_info().currsize == REMEMBERED
    before = hops._known.cache_info().misses
    for text in ("1" * (ADDRESS_MAX + 1), "10.0.0.1" + " " * ADDRESS_MAX):
        assert not hops.trusts(text)
    assert hops._known.cache_info().misses == before


def test_a_list_without_end_is_walked_so_far() -> None:
    ours = ["10.0.0.2"] * (HOPS_MAX - 1)
    assert client(x_forwarded_for=", ".join(["192.0.2.7", *ours])) == "192.0.2.7"
    assert client(x_forwarded_for=", ".join(["192.0.2.7", "10.0.0.3", *ours])) == "10.0.0.3"


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("a:strange:one", "a:strange:one"),
        (None, ""),
    ],
)
def test_addresses_are_counted_by_who_has_them(address: str | None, network: str) -> None:
    assert network_of(address) == network
