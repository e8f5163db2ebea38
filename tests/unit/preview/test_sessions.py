import pytest

from service.access.caller import Caller, TokenId
from service.access.rights import EVERYTHING
from service.core.errors import InvalidTokenError
from service.preview.names import Site
from service.preview.sessions import (
    OF_ONE_MAX,
    SESSION_SECONDS,
    TICKET_SECONDS,
    TICKETS_MAX,
    Sessions,
    cookies,
    sent,
)
from tests.support.clock import ManualClock

SITE = Site("http", "app-a.localhost:8000")
SOMEBODY = Caller("somebody", token=TokenId())


def counts(caller: Caller) -> None:
    """A credential that does."""


def cookie_of(found: list[bytes] | None) -> list[tuple[bytes, bytes]]:
    assert found is not None
    return [(b"cookie", found[0].partition(b";")[0])]


def test_a_ticket_is_good_once_and_for_one_program() -> None:
    sessions = Sessions(ManualClock())
    ticket = sessions.issue("a", SOMEBODY, counts, SITE)
    fields = cookie_of(sessions.redeem(ticket, "a"))
    assert sessions.redeem(ticket, "a") is None
    found = sessions.find(fields, "a")
    assert found is not None
    assert found.caller == SOMEBODY
    assert sessions.find(fields, "b") is None
    other = sessions.issue("a", SOMEBODY, counts, SITE)
    assert sessions.redeem(other, "b") is None
    assert sessions.redeem(other, "a") is None  # it was spent by the attempt
    assert sessions.redeem("tk_nothing", "a") is None
    assert sessions.find([(b"cookie", b"twinwire-app=nothing")], "a") is None


def test_what_somebody_may_is_not_kept_with_his_session() -> None:
    sessions = Sessions(ManualClock())
    owner = SOMEBODY._replace(rights=EVERYTHING, info={"name": "x" * 1_000})
    found = sessions.find(cookie_of(sessions.redeem(sessions.issue("a", owner, counts, SITE), "a")), "a")
    assert found is not None
    assert found.caller == SOMEBODY


def test_both_end_in_time() -> None:
    clock = ManualClock()
    sessions = Sessions(clock)
    late = sessions.issue("a", SOMEBODY, counts, SITE)
    clock.advance(TICKET_SECONDS)
    assert sessions.redeem(late, "a") is None
    fields = cookie_of(sessions.redeem(sessions.issue("a", SOMEBODY, counts, SITE), "a"))
    clock.advance(SESSION_SECONDS - 1)
    assert sessions.find(fields, "a") is not None
    clock.advance(1)
    assert sessions.find(fields, "a") is None


def test_who_counts_no_more_is_out() -> None:
    is_over = False

    def check(caller: Caller) -> None:
        if is_over:
            raise InvalidTokenError

    sessions = Sessions(ManualClock())
    ticket = sessions.issue("a", SOMEBODY, check, SITE)
    fields = cookie_of(sessions.redeem(sessions.issue("a", SOMEBODY, check, SITE), "a"))
    is_over = True
    assert sessions.redeem(ticket, "a") is None
    assert sessions.find(fields, "a") is None


def test_of_too_many_the_oldest_go() -> None:
    sessions = Sessions(ManualClock())
    first = sessions.issue("a", SOMEBODY, counts, SITE)
    others = [sessions.issue("a", SOMEBODY, counts, SITE) for _ in range(OF_ONE_MAX)]
    assert sessions.redeem(first, "a") is None
    assert sessions.redeem(others[0], "a") is not None
    for number in range(TICKETS_MAX + 5):
        sessions.issue("a", Caller(f"u{number}", token=TokenId()), counts, SITE)
    assert len(sessions) <= TICKETS_MAX + 1
    assert sessions.redeem(others[1], "a") is None


@pytest.mark.parametrize(
    ("site", "names"),
    [
        (Site("https", "app-a.preview.example.org"), ["__Host-twinwire-app"]),
        (SITE, ["twinwire-app", "twinwire-app-plain"]),
        (Site("http", "app-a.preview.lan"), ["twinwire-app-plain"]),
    ],
)
def test_a_cookie_is_of_its_host_alone(site: Site, names: list[str]) -> None:
    found = [one.decode() for one in cookies("value", site)]
    assert [one.partition("=")[0] for one in found] == names
    for one in found:
        assert "; Path=/; HttpOnly; " in one
        assert "domain" not in one.lower()
        is_partitioned = "Secure; SameSite=None; Partitioned" in one
        assert is_partitioned is not ("plain" in one)
        assert is_partitioned or "SameSite=Strict" in one
        assert sent([(b"cookie", f"a=b; {one.partition(';')[0]}".encode())]) == ["value"]
