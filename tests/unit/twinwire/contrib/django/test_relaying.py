from typing import Any

import pytest
from django.db import connections
from django.db.backends.signals import connection_created

from tests.support import django_shop
from tests.support.sqlservers import Database
from tests.unit.twinwire.outbox.taking import Service, become
from twinwire import InvalidError, outbox
from twinwire.contrib.django import publish
from twinwire.contrib.django.relaying import connection_of, wrapper_of


def test_it_is_one_of_its_own_that_commits_by_itself(shop: Database) -> None:
    heard: list[str] = []

    def on_created(connection: Any, **rest: Any) -> None:
        heard.append(connection.alias)

    connection_created.connect(on_created)
    try:
        first, second = connection_of("default"), connection_of("default")
    finally:
        connection_created.disconnect(on_created)
    assert len({id(first), id(second), id(connections["default"].connection)}) == 3
    assert heard == ["default", "default"]
    first.cursor().execute("INSERT INTO twinwire_outbox (topic, type, data) VALUES ('t', 'k', '1')")
    assert len(shop.run("SELECT id FROM twinwire_outbox")) == 1
    first.close()
    second.close()


def test_what_the_settings_say_is_kept(shop: Database) -> None:
    """The name of the program, what is to be said first; and a pool is others'."""
    options: dict[str, Any] = {
        "sqlite": {"init_command": "PRAGMA cache_size = 77"},
        "postgresql": {"application_name": "ours", "pool": {"min_size": 1}},
        "mysql": {"init_command": "SET @ours = 77", "read_timeout": 9},
    }[shop.kind]
    asked = {"sqlite": "PRAGMA cache_size", "postgresql": "SHOW application_name", "mysql": "SELECT @ours"}[shop.kind]
    django_shop.use(shop.dsn, OPTIONS=options)
    connection = connection_of("default")
    cursor = connection.cursor()
    cursor.execute(asked)
    assert cursor.fetchone()[0] in (77, "ours")
    cursor.close()
    connection.close()
    wrapper = wrapper_of("default")
    assert "twinwire_outbox" in wrapper.introspection.table_names()
    wrapper.close()


def test_a_peer_that_is_gone_is_noticed(shop: Database) -> None:
    connection = connection_of("default")
    if shop.kind == "postgresql":
        assert connection.info.get_parameters()["keepalives_idle"] == "30"
        assert connection.info.get_parameters()["application_name"] == "twinwire relay"
    elif shop.kind == "mysql":
        assert connection._read_timeout == 30
    connection.close()


def test_a_relay_publishes_through_it(shop: Database) -> None:
    publish("t", "k", {"text": "50 % é"}, subject="s")
    service: Any = Service()
    with outbox.Relay(lambda: connection_of("default"), service, poll=0.01) as relay:
        become(lambda: relay.published == 1)
        publish("t", "k", 2)
        become(lambda: relay.published == 2)
        service.refuse = lambda draft: outbox_error
        publish("t", "k", 3)
        become(lambda: relay.refused == 1)
    assert service.told() == ['{"text":"50 % é"}', "2"]
    assert shop.run("SELECT refused FROM twinwire_outbox") in ([("no",)], [["no"]])


outbox_error = InvalidError("no", status=422)


def test_a_database_in_memory_is_nobody_elses() -> None:
    django_shop.use("sqlite:///:memory:", "memory")
    try:
        with pytest.raises(InvalidError, match=r"DATABASES\['memory'\] is in memory"):
            connection_of("memory")
    finally:
        django_shop.forget("memory")


def test_a_database_without_an_outbox() -> None:
    django_shop.use("sqlite:///:memory:", "none", ENGINE="django.db.backends.dummy")
    try:
        with pytest.raises(InvalidError, match="'unknown' is none of"):
            connection_of("none")
    finally:
        django_shop.forget("none")
