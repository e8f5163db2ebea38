import re
import socket

import pytest

from service.core.errors import ConfigError
from service.server.listen import SEND_BUFFER, check_open, is_free, listen

linux = pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux's own options")


def test_it_listens_without_blocking() -> None:
    with listen("127.0.0.1", 0, 5, 30.0) as listener:
        assert not listener.getblocking()
        with socket.create_connection(listener.getsockname(), timeout=10):
            pass


@linux
def test_connections_inherit_what_ends_dead_and_stalled_peers() -> None:
    with listen("127.0.0.1", 0, 5, 1.5) as listener, socket.create_connection(listener.getsockname(), timeout=10):
        listener.setblocking(True)
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 1500
            assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 2 * SEND_BUFFER, "Linux doubles it"


def has_ipv6() -> bool:
    """Asked of the kernel and not of `listen`, whose own fault must not look like a machine without it."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
def test_a_colon_means_ipv6() -> None:
    with listen("::1", 0, 5, 30.0) as listener:
        assert listener.family == socket.AF_INET6


def test_a_taken_port_is_named() -> None:
    with listen("127.0.0.1", 0, 5, 30.0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port}"):
            listen("127.0.0.1", port, 5, 30.0)


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host", "a..b", "a" * 300, "\udcff"])
def test_an_address_that_is_not_ours_or_none_is_named(host: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(host)):
        listen(host, 0, 5, 30.0)


def test_whether_a_port_is_free_is_found_out_and_nothing_is_kept() -> None:
    with listen("127.0.0.1", 0, 5, 30.0) as taken:
        port = taken.getsockname()[1]
        assert not is_free("127.0.0.1", port)
    assert is_free("127.0.0.1", port)
    assert is_free("127.0.0.1", port)
    with pytest.raises(ConfigError):
        is_free("a..b", port)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "LocalHost."])
def test_loopback_is_open(host: str) -> None:
    check_open(host, has_keys=False, is_meant=False)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "", "192.0.2.7", "live.example", "localhost.example", "::ffff:7f00:1x"]
)
def test_beyond_loopback_it_takes_keys_or_a_word(host: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        check_open(host, has_keys=False, is_meant=False)
    assert all(name in refusal.value.detail for name in ("TWINWIRE_TOKEN_KEYS", "TWINWIRE_OPEN=1"))
    check_open(host, has_keys=True, is_meant=False)
    check_open(host, has_keys=False, is_meant=True)
