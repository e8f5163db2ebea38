"""A service for somebody's tests: it serves, survives, is gone in the end, and is never the one of the environment."""

import threading
from collections.abc import Iterator

import pytest

from twinwire import Draft, InvalidError, RefusedError, Twinwire, TwinwireError
from twinwire.testing import Service
from twinwire.testing import service as module


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Service() as found:
        yield found


@pytest.fixture(scope="module")
def guarded() -> Iterator[Service]:
    with Service(keys=True) as found:
        yield found


def test_what_is_published_within_is_listed(service: Service) -> None:
    with Twinwire(service.url) as live:
        live.publish("lists/a", "before")
        with service.published("lists/*", "other") as events:
            live.publish_many([Draft("lists/a", "told", n) for n in range(900)])
            live.publish("elsewhere", "told")
            live.publish("other", "told", "last")
            assert events == []
        live.publish("lists/a", "after")
    assert [event.data for event in events] == [*range(900), "last"]


def test_nothing_published_is_an_empty_list(service: Service) -> None:
    with service.published("nothing/**") as events:
        pass
    assert events == []


def test_it_is_killed_and_stopped_and_has_what_it_had() -> None:
    with Service() as service, Twinwire(service.url) as live:
        live.publish("a", "told", 1)
        url = service.url
        service.kill()
        with Twinwire(url, retry_for=0) as other, pytest.raises(TwinwireError):
            other.publish("a", "told", 2)
        service.start()
        assert service.url == url
        live.publish("a", "told", 3)
        assert service.stop() == 0
        service.start()
        assert [event.data for event in live.history("a").events] == [1, 3]
        assert service.log.count("service_opened") == 3
        with pytest.raises(TwinwireError, match="runs already"):
            service.start()


def test_with_keys_a_token_has_its_rights_and_no_others(guarded: Service) -> None:
    with pytest.raises(RefusedError, match="401"), Twinwire(guarded.url, token=None) as live:
        live.publish("orders/1", "paid")
    with Twinwire(guarded.url, token=guarded.token("ada", publish=["users/{sub}/*"])) as live:
        with guarded.published("**") as events:
            live.publish("users/ada/inbox", "told")
        with pytest.raises(RefusedError, match="403"):
            live.publish("users/bob/inbox", "told")
    assert [event.topic for event in events] == ["users/ada/inbox"]


def test_a_token_that_has_ended_is_refused(guarded: Service) -> None:
    with pytest.raises(RefusedError, match="401"), Twinwire(guarded.url, token=guarded.token(ttl=-3600)) as live:
        live.history("a")


def test_the_environments_settings_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINWIRE_TOKEN_KEYS", "no keys at all")
    monkeypatch.setenv("TWINWIRE_PORT", "1")
    given = {"max_topics": 1, "retention": [{"topics": "a", "max_count": 2}], "log_level": "warning", "open": False}
    with Service(**given) as service, Twinwire(service.url, retry_for=0) as live:
        live.publish("a", "told")
        with pytest.raises(TwinwireError, match="topics"):
            live.publish("b", "told")


def test_what_it_decides_itself_can_not_be_set() -> None:
    for name in ("host", "port", "database", "token_keys"):
        with pytest.raises(InvalidError, match=name) as caught:
            Service(**{name: "x"})
        assert caught.value.field == name


def test_what_does_not_start_says_why_and_leaves_nothing() -> None:
    service = Service(retention="no JSON")
    with pytest.raises(TwinwireError, match="TWINWIRE_RETENTION"), service:
        raise AssertionError("it started")
    with pytest.raises(TwinwireError, match="not started"):
        _ = service.url


def test_a_start_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DEADLINE", 0.01)
    with pytest.raises(TwinwireError, match="did not start"), Service():
        raise AssertionError("it started")


def test_before_it_is_started_there_is_nothing() -> None:
    service = Service()
    for ask in (lambda: service.url, service.stop, service.kill):
        with pytest.raises(TwinwireError, match="not started"):
            ask()
    with pytest.raises(InvalidError, match="keys=True"):
        service.token("ada")
    service.close()


def test_its_database_is_gone_in_the_end() -> None:
    with Service() as service:
        folder = service.folder
        assert (folder / "twinwire.db").exists()
    assert not folder.exists()


def test_a_second_start_that_fails_is_told() -> None:
    service = Service()
    with service:
        assert service.stop() == 0
        assert "service_closed" in service.log, "to its end"
        with Service() as other:
            service._port = other._port
            with pytest.raises(TwinwireError, match="did not start"):
                service.start()


def test_no_thread_is_left() -> None:
    before = threading.enumerate()
    with Service():
        pass
    assert threading.enumerate() == before
