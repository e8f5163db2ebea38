import contextlib
import logging
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.support import sqlservers
from tests.unit.twinwire.outbox.taking import Service, become, made, make, put
from twinwire import ClosedError, Draft, InvalidError, RefusedError, TwinwireError, outbox
from twinwire.outbox import relay as module
from twinwire.outbox.rows import ROWS_MAX
from twinwire.timing import Timing


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACKOFF", Timing(backoff_base=0.001, backoff_cap=0.01))


@pytest.fixture
def shop(tmp_path: Path) -> sqlservers.Database:
    return made(tmp_path)


def relay_of(database: sqlservers.Database, service: Service, **given: Any) -> outbox.Relay:
    client: Any = service
    return outbox.Relay(database.dsn, client, **{"poll": 0.01, **given})


def left(database: sqlservers.Database) -> list[tuple[Any, ...]]:
    return database.run("SELECT topic, data, refused FROM twinwire_outbox ORDER BY id")


def bad(status: int = 422) -> Any:
    """Refuses data that is `"bad"`."""

    def refuse(draft: Draft) -> TwinwireError | None:
        return TwinwireError("no", status=status, field="data") if draft.data.text == '"bad"' else None

    return refuse


def test_what_is_there_and_what_comes_is_published_and_gone(shop: sqlservers.Database) -> None:
    put(shop, *range(1_200))
    service = Service()
    with relay_of(shop, service) as relay:
        become(lambda: relay.published == 1_200)
        put(shop, "later")
        become(lambda: relay.published == 1_201)
        assert relay.is_leading
    assert service.told() == [*map(str, range(1_200)), '"later"']
    assert max(service.requests) == ROWS_MAX
    assert left(shop) == []
    assert not relay.is_leading
    assert "twinwire-relay" not in {thread.name for thread in threading.enumerate()}


def test_what_passes_is_waited_out_and_told_once(shop: sqlservers.Database, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "twinwire.outbox")
    put(shop, 1, 2)
    service = Service()
    service.answers = [
        TwinwireError("busy", status=503, retry_after=0.001, is_passing=True),
        RefusedError("who are you", status=401),
        TwinwireError("not found", status=404),
        KeyError("of a function for tokens"),
    ]
    with relay_of(shop, service) as relay:
        become(lambda: relay.published == 2)
    assert relay.failed == 4
    assert relay.trouble is None
    assert service.told() == ["1", "2"]
    said = [record.message for record in caplog.records]
    assert [line for line in said if "rows wait" in line] == ["rows wait, and it is tried again: busy"]
    assert "it goes on" in said


def test_what_goes_on_failing_is_told_again(
    shop: sqlservers.Database, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TOLD", 0.0)
    put(shop, 1)
    service = Service()
    service.answers = [TwinwireError("busy", is_passing=True) for _ in range(3)]
    with relay_of(shop, service) as relay:
        become(lambda: relay.published == 1)
    assert caplog.text.count("busy") == 3


def test_an_answer_that_is_lost_publishes_nothing_twice(shop: sqlservers.Database) -> None:
    put(shop, 1, 2)
    service = Service()
    service.loses_answers = 3
    with relay_of(shop, service) as relay:
        become(lambda: relay.published == 2)
    assert service.told() == ["1", "2"]
    assert len(service.requests) == 4


def test_of_several_requests_what_was_published_is_gone(shop: sqlservers.Database) -> None:
    put(shop, 1, 2, 3)
    error = TwinwireError("busy", is_passing=True)
    error.stored = ["e-1", "e-2"]
    service = Service()
    service.answers = [error]
    with relay_of(shop, service) as relay:
        become(lambda: relay.published == 3)
    assert service.told() == ["3"], "the others were said to be stored"


@pytest.mark.parametrize("status", [400, 409, 413, 422])
def test_what_is_refused_is_set_aside_with_its_reason_and_told(
    shop: sqlservers.Database, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    put(shop, 1, "bad", 2, "bad", "bad", 3, key=None)
    refused: list[outbox.Refusal] = []
    service = Service()
    service.refuse = bad(status)
    with relay_of(shop, service, on_refused=refused.append) as relay:
        become(lambda: relay.published == 3)
    assert service.told() == ["1", "2", "3"]
    assert left(shop) == [("t", '"bad"', "no (data)")] * 3
    assert relay.refused == 3
    assert [(one.topic, one.type, one.status, one.reason) for one in refused] == [("t", "k", status, "no (data)")] * 3
    assert caplog.text.count("is refused for good, and set aside: no (data)") == 3


def test_a_callback_that_fails_is_told_and_stops_nothing(
    shop: sqlservers.Database, caplog: pytest.LogCaptureFixture
) -> None:
    put(shop, "bad", 1)
    service = Service()
    service.refuse = bad()
    with relay_of(shop, service, on_refused=lambda refusal: 1 / 0) as relay:
        become(lambda: relay.published == 1)
    assert "on_refused has failed" in caplog.text


def test_one_that_nobody_names_is_found(shop: sqlservers.Database) -> None:
    """A request over the service's own bound is refused as a whole."""
    put(shop, *range(10), "bad", *range(10, 30))
    service = Service()
    many = service.publish_many

    def unnamed(drafts: Any) -> list[str]:
        try:
            return many(drafts)
        except TwinwireError as error:
            raise TwinwireError("too large", status=413) from error

    service.publish_many = unnamed  # type: ignore[method-assign]
    service.refuse = bad()
    with relay_of(shop, service) as relay:
        become(lambda: relay.published == 30)
    assert service.told() == [*map(str, range(30))]
    assert left(shop) == [("t", '"bad"', "too large")]


def test_without_hold_a_topic_goes_on_behind_it(shop: sqlservers.Database) -> None:
    put(shop, "bad", 1)
    service = Service()
    service.refuse = bad()
    with relay_of(shop, service) as relay:
        become(lambda: relay.published == 1)


def test_with_hold_it_waits_until_somebody_decides(shop: sqlservers.Database) -> None:
    put(shop, 1, "bad", 2, 3)
    put(shop, 4, topic="other")
    service = Service()
    service.refuse = bad()
    with relay_of(shop, service, hold=True) as relay:
        become(lambda: relay.published == 2)
        put(shop, 5, topic="other")
        become(lambda: relay.published == 3)
        assert service.told() == ["1"]
        assert service.told("other") == ["4", "5"]
        shop.run("DELETE FROM twinwire_outbox WHERE refused_at IS NOT NULL")
        become(lambda: relay.published == 5)
    assert service.told() == ["1", "2", "3"]


def test_what_can_not_be_sent_at_all_is_set_aside_in_its_turn(shop: sqlservers.Database) -> None:
    put(shop, 1)
    shop.run("INSERT INTO twinwire_outbox (topic, type, data) VALUES (%s, %s, %s)", ["t", "k", "{"])
    put(shop, 2)
    refused: list[outbox.Refusal] = []
    service = Service()
    with relay_of(shop, service, on_refused=refused.append) as relay:
        become(lambda: relay.published == 2)
    assert service.told() == ["1", "2"]
    assert [one.status for one in refused] == [0]


def test_a_topic_that_the_token_is_not_for_waits_alone(
    shop: sqlservers.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HELD", 0.2)
    service = Service()
    is_allowed = threading.Event()

    def refuse(draft: Draft) -> TwinwireError | None:
        is_ours = draft.topic != "theirs" or is_allowed.is_set()
        return None if is_ours else RefusedError("not yours", status=403, reason="forbidden")

    service.refuse = refuse
    put(shop, 1, topic="theirs")
    put(shop, 2)
    put(shop, 3, topic="theirs")
    with relay_of(shop, service) as relay:
        become(lambda: relay.published == 1)
        put(shop, 4)
        become(lambda: relay.published == 2)
        assert relay.refused == 0
        is_allowed.set()
        become(lambda: relay.published == 4)
    assert service.told() == ["2", "4"]
    assert service.told("theirs") == ["1", "3"]


def test_topics_that_wait_so_are_bounded(shop: sqlservers.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """With so many of them the token is not the right one, and all is as without one."""
    monkeypatch.setattr(module, "HELD_MAX", 2)
    service = Service()
    service.refuse = lambda draft: RefusedError("no", status=403) if draft.topic != "t" else None
    for n in range(3):
        put(shop, n, topic=f"theirs/{n}")
    put(shop, 1)
    with relay_of(shop, service) as relay:
        become(lambda: relay.failed > 2)
        assert relay.trouble == "no"
        assert relay.published == 0
        service.refuse = lambda draft: None
        become(lambda: relay.published == 2)
        become(lambda: relay.trouble == "2 topics wait: no")
    assert [topic for topic, _ in service.log] == ["theirs/2", "t"]


def test_a_connection_is_made_ready_as_the_driver_gives_it(database: sqlservers.Database) -> None:
    """Which is one in which nothing is committed by itself."""
    make(database)
    put(database, 1)
    client: Any = Service()
    with outbox.Relay(database.connect, client, poll=0.01) as relay:
        become(lambda: relay.published == 1)
        assert left(database) == []


def test_a_database_that_is_gone_comes_back(shop: sqlservers.Database, tmp_path: Path) -> None:
    """Each attempt is a new connection."""
    service = Service()
    connections: list[sqlite3.Connection] = []
    attempts = iter([tmp_path / "none" / "shop.db"])

    def connect() -> sqlite3.Connection:
        path = next(attempts, None) if connections else None
        connections.append(sqlite3.connect(path or tmp_path / "shop.db", check_same_thread=False))
        return connections[-1]

    client: Any = service
    with outbox.Relay(connect, client, poll=0.01) as relay:
        become(lambda: relay.is_leading)
        shop.run("ALTER TABLE twinwire_outbox RENAME TO elsewhere")
        become(lambda: relay.failed > 3)
        assert "database fails" in str(relay.trouble)
        shop.run("ALTER TABLE elsewhere RENAME TO twinwire_outbox")
        put(shop, 1)
        become(lambda: relay.published == 1)
    assert relay.trouble is None
    for connection in connections:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_a_session_that_is_cut_is_opened_anew(sql_servers: Any, tmp_path: Path, kind: str) -> None:
    database = sql_servers.database(kind, tmp_path)
    make(database)
    service = Service()
    with relay_of(database, service) as relay:
        become(lambda: relay.is_leading)
        if kind == "postgresql":
            database.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        else:
            ids = database.run(
                "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
            )
            for (id,) in ids:  # one that is closing yet may be among them, and gone by then
                with contextlib.suppress(Exception):
                    database.run(f"KILL {id}")
        put(database, 1)
        become(lambda: relay.published == 1)
        assert relay.failed >= 1
    assert service.told() == ["1"]


def test_it_ends_where_nothing_can_be_mended(shop: sqlservers.Database, caplog: pytest.LogCaptureFixture) -> None:
    put(shop, 1)
    service = Service()
    service.answers = [ClosedError("this client is closed")]
    with relay_of(shop, service) as relay:
        become(lambda: relay.trouble is not None)
    assert "the relay has ended" in caplog.text
    assert len(left(shop)) == 1
    client: Any = service
    with pytest.raises(InvalidError):
        outbox.Relay("oracle://x", client).run()
    with pytest.raises(InvalidError, match="no connection"):
        outbox.Relay(lambda: None, client).run()
    with pytest.raises(InvalidError, match="poll"):
        outbox.Relay("sqlite:///x", client, poll=0)


def test_it_can_be_stopped_before_it_begins_and_while_it_waits(shop: sqlservers.Database) -> None:
    service = Service()
    relay = relay_of(shop, service)
    relay.stop()
    relay.run()
    put(shop, 1)
    service.answers = [TwinwireError("busy", retry_after=600.0, is_passing=True)]
    with relay_of(shop, service) as relay:
        become(lambda: relay.failed == 1)
    assert service.log == []
