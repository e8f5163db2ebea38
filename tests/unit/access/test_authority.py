"""Who asks: by whichever carrier, where there are keys and where there are none."""

import contextlib

import pytest

from service.access.authority import LONG, LONG_FOR, Authority, Template
from service.access.caller import Caller
from service.access.revocation import Revocation
from service.access.rights import EVERYTHING, NOTHING, Grants
from service.core.errors import (
    ForbiddenError,
    InvalidTokenError,
    PresentationError,
    ScopeError,
    UnauthorizedError,
    UnavailableError,
    UnsupportedError,
)
from tests.support.access import Known, Visitor, caller_of, gate_with
from tests.support.clock import ManualClock

FRESH = [
    (Visitor(authorization="Bearer new"), False),
    (Visitor(cookie="twinwire=new"), False),
    (Visitor(sec_websocket_protocol="twinwire.v1, twinwire.bearer.new"), True),
]
ADA = caller_of("ada", "a/*", jti="one", issued=1)


def authority_with(**templates: Template) -> Authority:
    return gate_with(Known(good=ADA), **templates).authority


def test_without_keys_everybody_may_everything_whatever_he_brings() -> None:
    authority = gate_with().authority
    for visitor in (Visitor(), Visitor(authorization="Basic YTpi"), Visitor("POST", cookie="twinwire=x")):
        assert authority.who(visitor) == Caller(address="192.0.2.7", rights=EVERYTHING)
    assert not authority.has_keys
    assert not authority.is_closed
    with pytest.raises(UnsupportedError):
        authority.bearer("good")


def test_with_keys_who_brings_nothing_is_anonymous() -> None:
    authority = authority_with()
    assert authority.who(Visitor()) == Caller(rights=NOTHING, address="192.0.2.7")
    assert authority.is_closed
    some = authority_with(anonymous=Template(["open/**"], ["inbox"]))
    assert some.who(Visitor()).rights.subscribe == Grants(("open/**",))
    assert some.who(Visitor()).rights.may_publish("inbox")
    assert not some.is_closed


@pytest.mark.parametrize(
    ("visitor", "is_socket"),
    [
        (Visitor(authorization="Bearer good"), False),
        (Visitor(cookie="twinwire=good"), False),
        (Visitor(sec_websocket_protocol="twinwire.v1, twinwire.bearer.good"), True),
    ],
)
def test_a_token_is_its_bearers(visitor: Visitor, is_socket: bool) -> None:
    assert authority_with().who(visitor, is_socket=is_socket) == ADA._replace(address="192.0.2.7")


@pytest.mark.parametrize(
    ("visitor", "error"),
    [
        (Visitor(authorization="Bearer bad"), InvalidTokenError),
        (Visitor(cookie="twinwire=bad"), InvalidTokenError),
        (Visitor(query={"ticket": "tk_bad"}), InvalidTokenError),
        (Visitor(authorization="Basic YTpi"), PresentationError),
        (Visitor("POST", cookie="twinwire=good"), ForbiddenError),
    ],
)
def test_what_is_no_good_is_never_nobodys(visitor: Visitor, error: type[Exception]) -> None:
    """Also where anonymous rights would do."""
    authority = authority_with(anonymous=Template(["**"], ["**"]))
    with pytest.raises(error):
        authority.who(visitor)


def test_everyone_has_a_place_of_his_own() -> None:
    authority = authority_with(everyone=Template(["users/{sub}/**"], ["users/{sub}/inbox"]))
    found = authority.who(Visitor(authorization="Bearer good")).rights
    assert found.subscribe == Grants(("a/*", "users/ada/**"))
    assert found.may_publish("users/ada/inbox")
    assert not found.may_publish("users/bob/inbox")
    assert authority.is_closed


def test_what_every_bearer_has_is_not_for_who_is_none() -> None:
    authority = authority_with(everyone=Template(["news/**"], ["inbox"]), anonymous=Template(["open"]))
    assert authority.who(Visitor()).rights.subscribe == Grants(("open",))
    assert not authority.who(Visitor()).rights.may_publish("inbox")
    assert authority.who(Visitor(authorization="Bearer good")).rights.subscribe == Grants(("a/*", "news/**"))


def test_a_ticket_is_its_makers_and_its_cookie_brings_it_back() -> None:
    authority = authority_with()
    ticket = authority.tickets.issue(ADA, 30)
    assert authority.who(Visitor(query={"ticket": ticket})).subject == "ada"
    cookie = authority.tickets.seal(ticket, ADA)
    assert authority.who(Visitor(query={"ticket": ticket}, cookie=f"twinwire_stream={cookie}")).subject == "ada"
    with pytest.raises(InvalidTokenError):
        authority.who(Visitor(query={"ticket": ticket}))


def test_a_ticket_is_not_longer_than_its_token() -> None:
    authority = authority_with()
    now = authority._clock.unix_ms()
    ticket = authority.tickets.issue(ADA._replace(expires=now), 30)
    with pytest.raises(InvalidTokenError) as refusal:
        authority.who(Visitor(query={"ticket": ticket}))
    assert refusal.value.reason == "expired"


def test_an_application_says_who_asks_where_there_are_no_keys() -> None:
    authority = gate_with(decides=True).authority
    assert (authority.has_keys, authority.is_guarded, authority.is_closed) == (False, True, True)
    assert authority.who(Visitor()) == Caller(rights=NOTHING, address="192.0.2.7")
    found = authority.who(Visitor(decided=ADA, authorization="Basic YTpi"))
    assert found == ADA._replace(address="192.0.2.7")
    with pytest.raises(UnsupportedError):
        authority.bearer("good")
    open_to = gate_with(decides=True, anonymous=Template(["open/**"])).authority
    assert not open_to.is_closed
    assert open_to.who(Visitor()).rights.subscribe == Grants(("open/**",))


def test_what_was_shown_goes_before_an_applications_word_and_that_before_a_cookie() -> None:
    authority = gate_with(Known(good=ADA), decides=True).authority
    bob = caller_of("bob", "b")
    assert authority.who(Visitor(authorization="Bearer good", decided=bob)).subject == "ada"
    assert authority.who(Visitor(query={"ticket": authority.tickets.issue(ADA, 30)}, decided=bob)).subject == "ada"
    assert authority.who(Visitor(cookie="twinwire=good", decided=bob)).subject == "bob"
    assert authority.who(Visitor(cookie="twinwire=good")).subject == "ada"
    with pytest.raises(InvalidTokenError):
        authority.who(Visitor(authorization="Bearer bad", decided=bob))


@pytest.mark.parametrize("visitor", [Visitor("POST", decided=ADA), Visitor(decided=ADA, host="live.example")])
def test_an_applications_word_counts_as_a_cookie_does(visitor: Visitor) -> None:
    """A page of anybody can have a browser send it: a change, or a handshake."""
    authority = gate_with(decides=True).authority
    is_socket = visitor.method == "GET"
    with pytest.raises(ForbiddenError) as refusal:
        authority.who(visitor, is_socket=is_socket)
    assert refusal.value.field == "Origin"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://app.example"},
        {"origin": "https://live.example", "host": "live.example"},
        {"referer": "https://app.example/page"},
        {"authorization": "Bearer of-the-application"},
    ],
)
def test_from_a_page_that_is_known_it_counts(headers: dict[str, str]) -> None:
    authority = gate_with(decides=True).authority
    assert authority.who(Visitor("POST", decided=ADA, **headers)).subject == "ada"
    assert authority.who(Visitor(decided=ADA, **headers), is_socket=True).subject == "ada"


def test_an_application_that_can_not_say_it_gets_nobody_in() -> None:
    authority = gate_with(decides=True, anonymous=Template(["**"])).authority
    error = UnavailableError("x")
    for _ in range(2):
        with pytest.raises(UnavailableError) as refusal:
            authority.who(Visitor(decided=error))
        assert refusal.value is not error, "each that is raised has a traceback of its own"


def test_an_applications_word_can_end_and_be_revoked() -> None:
    authority = gate_with(decides=True, everyone=Template(["users/{sub}/**"])).authority
    now = authority._clock.unix_ms()
    assert authority.decided(ADA).rights.subscribe == Grants(("a/*", "users/ada/**"))
    with pytest.raises(InvalidTokenError) as refusal:
        authority.who(Visitor(decided=ADA._replace(expires=now)))
    assert refusal.value.reason == "expired"
    authority.revocations.add(Revocation("subject", "ada", now, now))
    with pytest.raises(InvalidTokenError) as refusal:
        authority.who(Visitor(decided=ADA))
    assert refusal.value.reason == "revoked"


def test_what_is_revoked_is_refused_by_every_carrier() -> None:
    authority = authority_with()
    ticket, spent = authority.tickets.issue(ADA, 30), authority.tickets.issue(ADA, 30)
    authority.tickets.redeem(spent, "stream")
    back = f"twinwire_stream={authority.tickets.seal(spent, ADA)}"
    authority.revocations.add(Revocation("jti", "one", 0, 0))
    for visitor in (
        Visitor(authorization="Bearer good"),
        Visitor(cookie="twinwire=good"),
        Visitor(query={"ticket": ticket}),
        Visitor(query={"ticket": spent}, cookie=back),
    ):
        with pytest.raises(InvalidTokenError) as refusal:
            authority.who(visitor)
        assert refusal.value.reason == "revoked"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (InvalidTokenError(reason="expired"), "expired"),
        (UnauthorizedError("x"), "missing"),
        (ScopeError("x"), "scope"),
        (PresentationError("x"), "presentation"),
        (ForbiddenError("x"), "cookie"),
        (UnavailableError("x"), "keys"),
    ],
)
def test_refusals_are_counted_by_their_reason(error: UnauthorizedError, reason: str) -> None:
    authority = authority_with()
    assert authority.count(error) == reason
    assert authority.refused == {reason: 1}


def test_what_is_left_of_a_credential() -> None:
    authority = authority_with()
    now = authority._clock.unix_ms()
    assert authority.seconds_left(ADA) == float("inf")
    assert authority.seconds_left(ADA._replace(expires=now + 1_500)) == 1.5
    assert authority.seconds_left(ADA._replace(expires=now - 1)) == 0.0


# How long it takes to find out


class Slow(Known):
    """As one whose signatures take a while."""

    def __init__(self, clock: ManualClock, seconds: float) -> None:
        super().__init__(good=ADA)
        self._clock, self._seconds = clock, seconds

    def verify(self, text: str) -> Caller:
        self._clock.advance(self._seconds)
        return super().verify(text)


@pytest.mark.parametrize("text", ["good", "bad"])
@pytest.mark.parametrize(("seconds", "long"), [(LONG * 2, True), (LONG / 2, False)])
def test_a_token_that_takes_long_is_remembered_for_a_second(text: str, seconds: float, long: bool) -> None:
    """Four keys were tried with each of forty tokens in one turn of the loop: a tenth of a second."""
    clock = ManualClock()
    authority = gate_with(Slow(clock, seconds), clock=clock).authority
    assert not authority.takes_long
    with contextlib.suppress(InvalidTokenError):
        authority.bearer(text)
    assert authority.takes_long is long
    clock.advance(LONG_FOR)
    assert not authority.takes_long


@pytest.mark.parametrize(("visitor", "is_socket"), FRESH)
def test_a_token_that_is_not_known_is_new(visitor: Visitor, is_socket: bool) -> None:
    assert authority_with().is_new(visitor, is_socket=is_socket)
    assert not gate_with().authority.is_new(visitor, is_socket=is_socket), "without keys none is read"


@pytest.mark.parametrize(
    "visitor",
    [
        Visitor(),
        Visitor(authorization="Bearer good"),
        Visitor(authorization="Basic YTpi"),
        Visitor("POST", cookie="twinwire=new"),
        Visitor(query={"ticket": "tk_new"}),
    ],
)
def test_what_takes_no_work_is_not_new(visitor: Visitor) -> None:
    authority = authority_with()
    authority.bearer("good")
    assert not authority.is_new(visitor, is_socket=False)


def test_only_verifying_is_measured() -> None:
    """The clock of the processor is asked of the kernel: a microsecond and a half, twice with each publish."""
    authority = authority_with()
    for _ in range(3):
        authority.bearer("good")
    assert authority.verified[0] == 1


def test_who_has_no_name_by_an_applications_word_is_as_anonymous_as_ever() -> None:
    authority = gate_with(decides=True, everyone=Template(["users/{sub}/**"])).authority
    found = authority.who(Visitor(decided=ADA._replace(subject=None)))
    assert found.is_anonymous
    assert found.rights == ADA.rights
