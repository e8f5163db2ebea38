"""Tickets: one use, within seconds; and the cookie with which an EventSource comes back."""

import json
import tracemalloc
from base64 import urlsafe_b64decode

import pytest

from service.access import tickets as tickets_module
from service.access.caller import Caller
from service.access.rights import EVERYTHING, Grants
from service.access.tickets import (
    COOKIE_MAX,
    LOGIN_LIFE,
    OF_ONE_BYTES,
    OF_ONE_MAX,
    PREFIX,
    WAITING_BYTES,
    Tickets,
    narrowed,
)
from service.core.errors import InvalidTokenError, OverloadedError, RateLimitedError
from tests.support.access import SECRET, caller_of
from tests.support.clock import ManualClock

ADA = caller_of("ada", "a/*", "b", publish=("a/1",), jti="one", issued=1_000, expires=10_000_000_000_000)


@pytest.fixture
def tickets(clock: ManualClock) -> Tickets:
    return Tickets(clock, SECRET)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def test_a_ticket_is_good_for_one_use(tickets: Tickets) -> None:
    text = tickets.issue(ADA, 30)
    assert text.startswith(PREFIX)
    assert len(text) == len(PREFIX) + 43
    assert tickets.redeem(text, "stream").caller == ADA
    with pytest.raises(InvalidTokenError) as refusal:
        tickets.redeem(text, "stream")
    assert refusal.value.reason == "ticket"
    assert len(tickets) == 0


@pytest.mark.parametrize("text", ["", "tk_", "tk_" + "a" * 43, "\ud800", "é"])
def test_what_was_never_a_ticket_is_refused(tickets: Tickets, text: str) -> None:
    with pytest.raises(InvalidTokenError):
        tickets.redeem(text, "stream")


async def test_a_ticket_ends(tickets: Tickets, clock: ManualClock) -> None:
    first, second = tickets.issue(ADA, 5), tickets.issue(ADA, 6)
    clock.advance(5.5)
    with pytest.raises(InvalidTokenError):
        tickets.redeem(first, "stream")
    assert tickets.redeem(second, "stream").caller == ADA


def test_a_login_opens_no_stream_and_a_streams_ticket_is_no_login(tickets: Tickets) -> None:
    login, stream = tickets.issue(ADA, LOGIN_LIFE, use="login", token="a.b.c"), tickets.issue(ADA, 30)
    for text, use in ((login, "stream"), (stream, "login")):
        with pytest.raises(InvalidTokenError):
            tickets.redeem(text, use)  # type: ignore[arg-type]
    assert tickets.redeem(login, "login").token == "a.b.c"  # and was not spent by that
    assert tickets.redeem(stream, "stream").caller == ADA


async def test_only_so_many_wait(tickets: Tickets, clock: ManualClock) -> None:
    for _ in range(OF_ONE_MAX):
        tickets.issue(ADA, 30)
    with pytest.raises(RateLimitedError) as refusal:
        tickets.issue(ADA, 30)
    assert refusal.value.retry_after
    bob = tickets.issue(caller_of("bob"), 60)
    clock.advance(31)
    tickets.issue(ADA, 30)
    assert len(tickets) == 2
    tickets.redeem(bob, "stream")


def test_in_all_too(tickets: Tickets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tickets_module, "WAITING_MAX", 500)
    for number in range(500):
        tickets.issue(caller_of(f"user{number}"), 30)
    with pytest.raises(OverloadedError) as refusal:
        tickets.issue(ADA, 30)
    assert refusal.value.retry_after


async def test_what_they_stand_for_is_bounded_in_bytes(clock: ManualClock) -> None:
    tickets = Tickets(clock, SECRET)
    topics = tuple(f"{'t' * 190}/{number}" for number in range(100))
    large = narrowed(ADA._replace(rights=EVERYTHING), topics)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    count = 0
    while _is_issued(tickets, narrowed(large, tuple(f"{topic}{count}"[1:] for topic in topics))):
        count += 1
    real = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert 10 < count < OF_ONE_MAX
    assert real <= 1.1 * tickets.held, "no more than is counted, but for the tickets themselves"
    assert tickets.held <= OF_ONE_BYTES
    tickets.issue(ADA, 30)
    while _is_issued(tickets, large._replace(subject=f"user{count}")):
        count += 1
    assert WAITING_BYTES - OF_ONE_BYTES < tickets.held <= WAITING_BYTES
    clock.advance(31)
    tickets.issue(ADA, 30)
    assert (len(tickets), tickets.held) == (1, ADA.held)


def _is_issued(tickets: Tickets, caller: Caller) -> bool:
    caller.rights.subscribe.covers("a/b")  # its places are there, as once it was used
    try:
        tickets.issue(caller, 30)
    except (RateLimitedError, OverloadedError):
        return False
    return True


def test_the_text_of_a_ticket_is_not_kept(tickets: Tickets) -> None:
    text = tickets.issue(ADA, 30)
    assert text[len(PREFIX) :] not in repr(vars(tickets))


# The cookie


def test_whoever_comes_back_with_both_is_let_in(tickets: Tickets, clock: ManualClock) -> None:
    cookie = tickets.seal("tk_1", ADA)
    back = Tickets(clock, SECRET).unseal("tk_1", cookie)  # as after a restart
    assert back is not None
    assert (back.subject, back.expires, back.token, back.streams) == (ADA.subject, ADA.expires, ADA.token, None)
    assert back.rights.subscribe == ADA.rights.subscribe
    assert not back.rights.publish  # an EventSource only reads


def test_the_cookie_is_of_its_ticket_and_of_us(tickets: Tickets, clock: ManualClock) -> None:
    cookie = tickets.seal("tk_1", ADA)
    assert cookie is not None
    assert tickets.unseal("tk_2", cookie) is None
    assert Tickets(clock, b"another").unseal("tk_1", cookie) is None
    text, _, signature = cookie.partition(".")
    for forged in (None, "", ".", text, f"{text}.", f".{signature}", f"{text}A.{signature}", f"{text}.é", "a.b"):
        assert tickets.unseal("tk_1", forged) is None
    assert "tk_1" not in urlsafe_b64decode(text + "==").decode()


async def test_the_cookie_ends_with_the_token(tickets: Tickets, clock: ManualClock) -> None:
    soon = ADA._replace(expires=clock.unix_ms() + 1_000)
    cookie = tickets.seal("tk_1", soon)
    assert tickets.unseal("tk_1", cookie) is not None
    clock.advance(1.0)
    assert tickets.unseal("tk_1", cookie) is None


def test_a_browser_has_several_streams_and_one_cookie(tickets: Tickets) -> None:
    first = tickets.seal("tk_1", narrowed(ADA, ("a/1",)))
    second = tickets.seal("tk_2", narrowed(ADA, ("b",)), first)
    one, other = tickets.unseal("tk_1", second), tickets.unseal("tk_2", second)
    assert one is not None
    assert other is not None
    assert (one.rights.subscribe, other.rights.subscribe) == (Grants(("a/1",)), Grants(("b",)))


def test_who_becomes_somebody_else_leaves_his_streams_behind(tickets: Tickets) -> None:
    cookie = tickets.seal("tk_2", caller_of("bob", "**"), tickets.seal("tk_1", ADA))
    assert tickets.unseal("tk_1", cookie) is None
    assert tickets.unseal("tk_2", cookie) is not None


def test_a_cookie_is_never_too_long_for_a_browser(tickets: Tickets) -> None:
    cookie: str | None = None
    for number in range(60):
        cookie = tickets.seal(f"tk_{number}", ADA, cookie)
        assert cookie is not None
        assert len(cookie) <= COOKIE_MAX
    assert tickets.unseal("tk_59", cookie) is not None
    assert tickets.unseal("tk_0", cookie) is None
    long = caller_of("ada", *(f"{'t' * 100}/{n}" for n in range(60)))
    assert tickets.seal("tk_1", long, cookie) is None


def test_narrowed_to_topics_rights_stay_what_they_were() -> None:
    found = narrowed(ADA, ("a/1", "a/2")).rights
    assert (found.subscribe, found.publish) == (Grants(("a/1", "a/2")), Grants(("a/1",)))
    root = narrowed(Caller(rights=EVERYTHING), ("a",)).rights
    assert (root.publish, root.admin) == (Grants(("a",)), False)


def test_what_is_sealed_is_json(tickets: Tickets) -> None:
    cookie = tickets.seal("tk_1", ADA) or ""
    text = cookie.partition(".")[0]
    assert json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))["sub"] == "ada"


def test_a_cookie_reads_and_no_more(tickets: Tickets) -> None:
    """It is for a stream that comes back: with an operator's, one that can be written to would write anywhere."""
    root = caller_of("root", admin=True, publish=["a"])
    found = tickets.unseal("tk_1", tickets.seal("tk_1", root))
    assert found is not None
    assert found.rights.may_read("a")
    assert not found.rights.may_read("twinwire/revocations")
    assert not found.rights.may_publish("a")
    assert (found.rights.admin, found.rights.metrics) == (False, False)


def test_nobody_is_asked_for_more_than_a_ticket_has(tickets: Tickets) -> None:
    """It may be narrowed, and an application's word on its bearer is not."""

    async def again() -> None:
        raise AssertionError("nobody is asked")

    text = tickets.issue(narrowed(ADA._replace(again=again), ("a/1",)), 30)
    assert tickets.redeem(text, "stream").caller.again is None
