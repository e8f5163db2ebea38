"""A peer is a value that others can speak of."""

from dataclasses import FrozenInstanceError

import pytest

from service.access.caller import Caller
from service.stream.peer import Peer


def test_a_peer_is_where_its_caller_is_and_does_not_change() -> None:
    peer = Peer("one", Caller(address="192.0.2.7"), "sse", 1_000)
    assert peer.address == "192.0.2.7"
    with pytest.raises(FrozenInstanceError):
        peer.id = "two"  # type: ignore[misc]
