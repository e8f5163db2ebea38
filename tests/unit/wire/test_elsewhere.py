from ipaddress import ip_network
from typing import Any

import pytest

from service.access.origins import Origins
from service.stream.asgi import ASGI, Receive, Scope, Send
from service.wire.elsewhere import Elsewhere


async def guest(scope: Scope, receive: Receive, send: Send) -> None:
    """Whose hosts end in `.guest`."""


def host(name: str) -> ASGI | None:
    return guest if name.partition(":")[0].endswith(".guest") else None


def scope(**fields: str) -> dict[str, Any]:
    headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()]
    return {"type": "http", "path": "/", "headers": headers, "client": ("192.0.2.1", 1)}


@pytest.mark.parametrize(
    ("trusted", "fields", "found"),
    [
        ("", {"host": "a.guest"}, "a.guest"),
        ("", {"host": "a.example"}, None),
        ("", {}, None),
        ("", {"host": "a.example", "x_forwarded_host": "a.guest"}, None),  # anybody can say that
        ("192.0.2.1/32", {"host": "upstream", "x_forwarded_host": "a.guest"}, "a.guest"),
        ("192.0.2.1/32", {"host": "a.guest", "x_forwarded_host": "live.example"}, "a.guest"),
        ("192.0.2.1/32", {"host": "upstream", "x_forwarded_host": "live.example"}, None),
    ],
)
def test_by_either_name(trusted: str, fields: dict[str, str], found: str | None) -> None:
    elsewhere = Elsewhere(host, Origins((), [ip_network(trusted)] if trusted else []))
    asked = scope(**fields)
    answer = elsewhere.find(asked, fields.get("host"))
    assert answer is (None if found is None else guest)
    if found is not None:  # what it is asked as is what the browser takes it for
        assert [value for name, value in asked["headers"] if name == b"host"] == [found.encode()]


@pytest.mark.parametrize(
    ("trusted", "fields", "client"),
    [
        ("", {"host": "a.guest", "x_forwarded_for": "198.51.100.7"}, ("192.0.2.1", 1)),  # anybody can say that
        ("192.0.2.1/32", {"host": "a.guest", "x_forwarded_for": "203.0.113.9, 198.51.100.7"}, ("198.51.100.7", 0)),
        (
            "192.0.2.1/32",
            {"host": "upstream", "x_forwarded_host": "a.guest", "x_forwarded_for": "198.51.100.7"},
            ("198.51.100.7", 0),
        ),
        ("192.0.2.1/32", {"host": "a.guest"}, ("192.0.2.1", 0)),
        ("192.0.2.1/32", {"host": "a.example", "x_forwarded_for": "198.51.100.7"}, ("192.0.2.1", 1)),  # ours
    ],
)
def test_the_client_is_whom_a_hop_names(trusted: str, fields: dict[str, str], client: tuple[str, int]) -> None:
    """Else all who come by a proxy would be one to an application, and take each other's places."""
    asked = scope(**fields)
    Elsewhere(host, Origins((), [ip_network(trusted)] if trusted else [])).find(asked, fields.get("host"))
    assert asked["client"] == client


def test_who_has_no_address_gets_none() -> None:
    asked = {**scope(host="a.guest", x_forwarded_for="198.51.100.7"), "client": None}  # a Unix socket
    assert Elsewhere(host, Origins((), [ip_network("192.0.2.1/32")])).find(asked, "a.guest") is guest
    assert asked["client"] is None
