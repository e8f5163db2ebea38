"""Two relays on one table: one posts, and nothing depends on it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import sqlservers
from tests.unit.twinwire.outbox.taking import Service, become, made, make, put
from twinwire import outbox
from twinwire.outbox import relay as module


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STANDBY", 0.01)


def relay_of(database: sqlservers.Database, service: Service) -> outbox.Relay:
    client: Any = service
    return outbox.Relay(database.dsn, client, poll=0.01)


def test_another_relay_stands_by_and_takes_over(database: sqlservers.Database) -> None:
    make(database)
    service = Service()
    with relay_of(database, service) as first:
        become(lambda: first.is_leading)
        with relay_of(database, service) as second:
            put(database, 1)
            become(lambda: first.published == 1)
            assert not second.is_leading
            first.stop()
            become(lambda: not first.is_leading)
            put(database, 2)
            become(lambda: second.published == 1)
    assert service.told() == ["1", "2"]


def test_two_that_post_at_a_time_publish_nothing_twice(tmp_path: Path) -> None:
    """As where the lock's file was removed: the keys are the same, and each begins with the first row."""
    shop = made(tmp_path)
    service = Service()
    put(shop, *range(2_000))
    with relay_of(shop, service) as first:
        become(lambda: first.is_leading)
        Path(shop.dsn.removeprefix("sqlite:///") + "-relay").unlink()
        with relay_of(shop, service) as second:
            become(lambda: second.is_leading)
            put(shop, *range(2_000, 3_000))
            become(lambda: shop.run("SELECT id FROM twinwire_outbox") == [])
    assert [json.loads(data) for data in service.told()] == list(range(3_000))
