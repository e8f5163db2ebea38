"""Streams whose pipes are fed by the fan-out, as those of a real server are."""

import pytest

from tests.support.stream_fixtures import House, bus, clock, house

__all__ = ["bus", "clock", "house"]


@pytest.fixture
def fed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages are what tests can read; only bytes are fed otherwise."""
    monkeypatch.setattr(type(house.frames.websocket_messages), "is_fed", True)
