"""The one door: what each act is asked, in which order, and that a place is given back in every path."""

from typing import Any

import pytest
import structlog

from service.access.authority import Template
from service.access.drain import Drain
from service.access.gate import PENDING_MAX, Act, Gate
from service.access.lease import Wish
from service.access.revocation import Revocation
from service.access.rights import Rights
from service.access.shares import Most
from service.core.errors import (
    DrainingError,
    ForbiddenError,
    InvalidError,
    InvalidTokenError,
    MisdirectedError,
    OverloadedError,
    RateLimitedError,
    ScopeError,
    UnauthorizedError,
)
from service.core.limits import RETRY_MIN_MS
from service.core.topics import TopicFilter
from tests.support.access import Known, Visitor, caller_of, gate_with

PLACED = (Act.STREAM, Act.SOCKET, Act.WAIT)


FOREIGN = Visitor(origin="https://evil.example", host="twinwire.example")


def gate_of(max_places: int = 0) -> tuple[Gate, Drain]:
    drain = Drain()
    return gate_with(max_places=max_places, hosts=["twinwire.example"], drain=drain), drain


@pytest.mark.parametrize("act", Act)
async def test_whoever_is_let_in_has_a_name_and_an_address(act: Act) -> None:
    gate, _ = gate_of()
    with gate.enter(Visitor(), act) as lease:
        assert (lease.caller.subject, lease.caller.address) == (None, "192.0.2.7")
        assert gate.places == (1 if act in PLACED else 0)
    assert gate.places == 0
    assert not gate.refused


@pytest.mark.parametrize("act", Act)
async def test_a_foreign_page_may_read_but_neither_change_nor_connect(act: Act) -> None:
    gate, _ = gate_of()
    if act not in (Act.CHANGE, Act.SOCKET):
        gate.enter(FOREIGN, act).release()
        return
    with pytest.raises(ForbiddenError) as refusal:
        gate.enter(FOREIGN, act)
    assert refusal.value.field == "Origin"
    assert gate.refused == {(act, "origin"): 1}
    assert gate.places == 0


@pytest.mark.parametrize("act", Act)
async def test_whoever_only_reads_is_answered_to_the_end(act: Act) -> None:
    gate, drain = gate_of()
    drain.begin()
    if act in (Act.PAGE, Act.READ):
        gate.enter(Visitor(), act)
        return
    with pytest.raises(DrainingError) as refusal:
        gate.enter(Visitor(), act)
    assert (refusal.value.retry_after or 0) >= RETRY_MIN_MS / 1000
    assert gate.refused == {(act, "draining"): 1}


@pytest.mark.parametrize("act", Act)
async def test_everybody_is_let_in_while_a_drain_is_only_announced(act: Act) -> None:
    gate, drain = gate_of()
    drain.announce()
    gate.enter(Visitor(), act).release()
    assert not gate.refused


async def test_a_service_that_goes_away_tells_a_stranger_no_more_than_a_friend() -> None:
    gate, drain = gate_of()
    drain.begin()
    with pytest.raises(DrainingError):
        gate.enter(FOREIGN, Act.SOCKET)


@pytest.mark.parametrize("act", PLACED)
async def test_the_last_place_is_given_and_one_more_is_refused(act: Act) -> None:
    gate, _ = gate_of(max_places=2)
    first, second = gate.enter(Visitor(), act), gate.enter(Visitor(), Act.STREAM)
    with pytest.raises(OverloadedError, match="all 2"):
        gate.enter(Visitor(), act)
    gate.enter(Visitor(), Act.READ)
    gate.enter(Visitor(), Act.CHANGE)
    first.release()
    first.release()
    assert gate.places == 1, "given back once, however often it is released"
    gate.enter(Visitor(), act)
    assert gate.places == 2
    second.release()
    assert gate.refused == {(act, "full"): 1}


async def test_without_a_bound_everybody_has_a_place() -> None:
    gate, _ = gate_of()
    leases = [gate.enter(Visitor(), Act.STREAM) for _ in range(1_000)]
    assert gate.places == len(leases)


async def test_a_place_is_given_back_when_its_holder_fails() -> None:
    gate, _ = gate_of(max_places=1)
    with pytest.raises(RuntimeError), gate.enter(Visitor(), Act.STREAM):
        raise RuntimeError
    assert gate.places == 0


async def test_only_pages_of_allowed_origins_may_read_answers() -> None:
    gate, _ = gate_of()
    for stranger in (FOREIGN, Visitor()):
        assert gate.cors(stranger) == [(b"vary", b"Origin")]
    assert (b"access-control-allow-origin", b"https://app.example") in gate.cors(Visitor(origin="https://app.example"))


@pytest.mark.parametrize("act", Act)
async def test_what_a_foreign_page_could_not_see_is_not_carried_out(act: Act) -> None:
    gate, _ = gate_of()
    foreign = Visitor(host="twinwire.example", sec_fetch_site="cross-site", sec_fetch_mode="no-cors")
    if act in (Act.READ, Act.STREAM, Act.WAIT):
        with pytest.raises(ForbiddenError) as refusal:
            gate.enter(foreign, act)
        assert refusal.value.field == "Sec-Fetch-Site"
    else:
        gate.enter(foreign, act).release()


def test_a_name_that_is_not_ours_is_refused_before_anything_is_asked() -> None:
    gate, _ = gate_of()
    gate.knock("twinwire.example:8000", "/api/events")
    gate.knock(None, "/")
    with pytest.raises(MisdirectedError, match="TWINWIRE_HOSTS") as refusal:
        gate.knock("evil.example", "/nothing")
    assert (refusal.value.status, refusal.value.field) == (421, "Host")
    assert gate.refused == {(Act.READ, "host"): 1}
    for path in ("/api/health", "/api/ready"):
        gate.knock("evil.example", path)
        with pytest.raises(MisdirectedError):
            gate.knock("evil..example", path)


def test_any_name_will_do_where_an_application_says_who_asks() -> None:
    """As with keys: what a rebound page has is another origin's, and who brings nothing may nothing."""
    gate_with(decides=True).knock("shop.example", "/api/events")
    for limited in (
        gate_with(decides=True, hosts=["live.example"]),
        gate_with(decides=True, anonymous=Template(["**"])),
    ):
        with pytest.raises(MisdirectedError):
            limited.knock("shop.example", "/api/events")


@pytest.mark.parametrize("act", Act)
def test_a_forwarded_name_that_is_not_ours_is_refused_where_names_are_limited(act: Act) -> None:
    """A proxy that has a name of its own for us passes on the one that a rebound page was asked under."""
    passed = Visitor(host="127.0.0.1:8000", x_forwarded_host="evil.example", sec_fetch_site="same-origin")
    gate = gate_with(hosts=["twinwire.example"], hops=["192.0.2.7"])
    with pytest.raises(MisdirectedError, match="TWINWIRE_HOSTS") as refusal:
        gate.enter(passed, act)
    assert (refusal.value.status, refusal.value.field) == (421, "X-Forwarded-Host")
    assert (gate.refused, gate.places) == ({(act, "host"): 1}, 0)
    for fine in ("twinwire.example", "evil.example, twinwire.example:443", "localhost"):
        gate.enter(Visitor(host="127.0.0.1", x_forwarded_host=fine), act).release()
    for other in (
        gate_with(hosts=["twinwire.example"]),
        gate_with(hosts=["twinwire.example"], hops=["198.51.100.1"]),
        gate_with(hops=["192.0.2.7"]),
    ):
        other.enter(passed, act).release()


# Who asks, and what he may

ADA = caller_of("ada", "a/*", publish=("a/1",), streams=2)
ROOT = caller_of("root", admin=True)
READS = (Act.READ, Act.STREAM, Act.SOCKET, Act.WAIT)


def guarded(**options: Any) -> Gate:
    return gate_with(Known(ada=ADA, root=ROOT), **options)


def bearer(name: str, **more: Any) -> Visitor:
    return Visitor(authorization=f"Bearer {name}", **more)


@pytest.mark.parametrize("act", READS)
def test_a_wish_is_granted_or_refused_as_a_whole(act: Act) -> None:
    gate = guarded()
    with gate.enter(bearer("ada"), act, Wish(TopicFilter(("a/1", "a/2")))) as lease:
        assert lease.topics == TopicFilter(("a/1", "a/2"))
    for asked in (("a/1", "b"), ("**",), ("a/1/2",), ("b", "c")):
        with pytest.raises(ScopeError) as refusal:
            gate.enter(bearer("ada"), act, Wish(TopicFilter(asked)))
        assert refusal.value.field == "topic"
        assert repr(next(one for one in asked if one != "a/1")) in refusal.value.detail
    assert gate.places == 0
    assert gate.refused == {(act, "right"): 4}
    assert gate.authority.refused == {"scope": 4}


@pytest.mark.parametrize("act", READS)
def test_who_wishes_for_nothing_gets_what_he_may(act: Act) -> None:
    gate = guarded()
    with gate.enter(bearer("ada"), act, Wish(None)) as lease:
        assert lease.topics == TopicFilter(("a/*",))
    with gate.enter(bearer("root"), act, Wish(None)) as lease:
        assert lease.topics == TopicFilter.all()
    with pytest.raises(UnauthorizedError):
        gate.enter(Visitor(), act, Wish(None))
    assert gate.authority.refused == {"missing": 1}


@pytest.mark.parametrize("act", Act)
def test_a_credential_that_is_no_good_is_refused_whatever_is_asked(act: Act) -> None:
    gate = guarded(anonymous=Template(["**"], ["**"]))
    for asker in (bearer("bad"), bearer("ada")):  # who is not looked at has no more than anybody
        assert gate.enter(asker, act, is_open=True).caller.rights == gate.authority.nobody.rights
    if act is Act.PAGE:
        assert gate.enter(bearer("bad"), act).caller == gate.authority.stranger(Visitor())
        return
    with pytest.raises(InvalidTokenError):
        gate.enter(bearer("bad"), act, Wish(None))
    assert gate.places == 0
    assert gate.refused == {(act, "credential"): 1}


def test_who_is_expected_to_be_somebody_is_not_nobody() -> None:
    gate = guarded(anonymous=Template(["**"]))
    gate.enter(Visitor(), Act.STREAM, Wish(None)).release()
    with pytest.raises(UnauthorizedError):
        gate.enter(Visitor(query={"auth": "required"}), Act.STREAM, Wish(None))
    gate.enter(bearer("ada", query={"auth": "required"}), Act.STREAM, Wish(None)).release()
    with pytest.raises(UnauthorizedError, match="TWINWIRE_TOKEN_KEYS"):
        gate_with().enter(Visitor(query={"auth": "required"}), Act.STREAM, Wish(None))
    for act, word in ((Act.STREAM, "message"), (Act.SOCKET, "maybe"), (Act.READ, "")):
        with pytest.raises(InvalidError) as refusal:
            gate.enter(Visitor(query={"auth": word}), act)
        assert refusal.value.field == "auth"


def test_one_who_says_later_who_he_is() -> None:
    gate = guarded()
    with gate.enter(Visitor(query={"auth": "message"}), Act.SOCKET, Wish(None)) as lease:
        assert lease.is_pending
        with pytest.raises(InvalidTokenError):
            gate.admit(lease, "bad", Wish(None))
        assert lease.is_pending
        with pytest.raises(ScopeError):
            gate.admit(lease, "ada", Wish(TopicFilter(("b",))))
        assert gate.admit(lease, "ada", Wish(None)) == TopicFilter(("a/*",))
        assert not lease.is_pending
        assert (lease.caller.subject, lease.caller.address) == ("ada", "192.0.2.7")
    assert gate.places == 0
    assert not gate.shares.of_subject


def test_only_so_many_have_yet_to_say_it() -> None:
    gate = guarded()
    visitor = Visitor(query={"auth": "message"})
    pending = [gate.enter(visitor, Act.SOCKET) for _ in range(PENDING_MAX)]
    with pytest.raises(OverloadedError):
        gate.enter(visitor, Act.SOCKET)
    gate.enter(bearer("ada"), Act.SOCKET).release()
    gate.admit(pending.pop(), "ada", None)
    gate.enter(visitor, Act.SOCKET).release()
    for lease in pending:
        lease.release()
    gate.enter(visitor, Act.SOCKET).release()


@pytest.mark.parametrize("act", PLACED)
def test_a_subject_has_as_many_streams_as_his_token_says(act: Act) -> None:
    gate = guarded()
    leases = [gate.enter(bearer("ada"), act) for _ in range(2)]
    with pytest.raises(RateLimitedError) as refusal:
        gate.enter(bearer("ada"), act)
    assert refusal.value.retry_after
    gate.enter(bearer("root"), act).release()
    leases.pop().release()
    gate.enter(bearer("ada"), act).release()
    leases.pop().release()
    assert (gate.places, dict(gate.shares.of_subject)) == (0, {})
    assert gate.refused == {(act, "share"): 1}


def test_the_address_is_the_one_that_trusted_hops_give() -> None:
    gate = gate_with(Known(ada=ADA), hops=["10.0.0.1"], most=Most(address_streams=1))
    first = gate.enter(bearer("ada", address="10.0.0.1", x_forwarded_for="192.0.2.1"), Act.STREAM)
    assert first.caller.address == "192.0.2.1"
    with pytest.raises(RateLimitedError, match="of one address"):
        gate.enter(bearer("ada", address="10.0.0.1", x_forwarded_for="evil, 192.0.2.1"), Act.STREAM)
    assert gate.refused == {(Act.STREAM, "share"): 1}
    with gate.enter(bearer("ada", address="10.0.0.1", forwarded="for=192.0.2.2"), Act.STREAM) as second:
        assert second.caller.address == "192.0.2.2"
    first.release()
    assert (gate.places, dict(gate.shares.of_address)) == (0, {})


def test_polls_that_wait_have_a_bound_of_their_own() -> None:
    gate = guarded(most=Most(polls=1))
    with gate.place(Act.WAIT, ROOT):
        with pytest.raises(OverloadedError, match="1 polls"):
            gate.place(Act.WAIT, ADA)
        gate.place(Act.STREAM, ROOT).release()
    gate.place(Act.WAIT, ADA).release()
    assert (gate.places, gate.shares.polls) == (0, 0)
    assert gate.refused == {(Act.WAIT, "full"): 1}


@pytest.mark.parametrize("act", [Act.STREAM, Act.SOCKET])
def test_a_filter_has_as_many_patterns_as_the_settings_say(act: Act) -> None:
    gate = gate_with(filters=2)
    gate.enter(Visitor(), act, Wish(TopicFilter(("a", "b")))).release()
    with pytest.raises(InvalidError, match="at most 2 topics") as refusal:
        gate.enter(Visitor(), act, Wish(TopicFilter(("a", "b", "c"))))
    assert (refusal.value.status, refusal.value.field, gate.places) == (422, "topic", 0)
    wide = gate_with(Known(wide=caller_of("wide", "a", "b", "c")), filters=2)
    with pytest.raises(InvalidError, match="at most 2 topics"):
        wide.enter(bearer("wide"), act, Wish(None))


def test_publishing_and_operating_take_their_rights() -> None:
    gate = guarded()
    gate.check_publish(ADA, Act.CHANGE, "a/1")
    gate.check_publish(ROOT, Act.CHANGE, "anything")
    gate.check_run(ROOT, Act.CHANGE, "anything")
    gate.check_admin(ROOT, Act.CHANGE)
    metrics = caller_of("m")._replace(rights=Rights(metrics=True))
    gate.check_admin(metrics, Act.READ, metrics=True)
    for refused in (
        lambda: gate.check_publish(ADA, Act.CHANGE, "a/2"),
        lambda: gate.check_run(ADA, Act.CHANGE, "a/1"),
        lambda: gate.check_admin(ADA, Act.CHANGE),
        lambda: gate.check_admin(metrics, Act.CHANGE),
        lambda: gate.check_read(ADA, Act.READ, "b"),
        lambda: gate.check_publish(ROOT, Act.CHANGE, "twinwire/revocations"),
    ):
        with pytest.raises(ScopeError):
            refused()
    nobody = gate.authority.nobody
    for refused in (
        lambda: gate.check_publish(nobody, Act.CHANGE, "a/2"),
        lambda: gate.check_any(nobody, Act.READ),
    ):
        with pytest.raises(UnauthorizedError):
            refused()
    gate.check_any(ADA, Act.READ)


def test_those_who_wait_are_told_of_a_revocation() -> None:
    gate, told = guarded(), list[str]()
    with gate.place(Act.WAIT, ADA) as lease, gate.place(Act.WAIT, ROOT) as other:
        lease.told, other.told = (lambda: told.append("ada")), (lambda: told.append("root"))
        gate.authority.revocations.add(Revocation("subject", "ada", 1, 1))
        gate.recheck()
    gate.recheck()
    assert told == ["ada"]


@pytest.mark.parametrize(
    ("gate", "answers"),
    [
        (gate_with(), False),
        (guarded(), True),  # a rebound page has no credential
        (guarded(hosts=["live.example"]), False),
        (guarded(anonymous=Template(["open"])), False),
        (guarded(everyone=Template(["open"], ["users/{sub}"])), True),
    ],
)
def test_any_name_will_do_where_nobody_may_anything_without_a_token(gate: Gate, answers: bool) -> None:
    if answers:
        gate.knock("evil.example", "/api/events")
        with pytest.raises(MisdirectedError):
            gate.knock("evil..example", "/api/events")
        return
    with pytest.raises(MisdirectedError):
        gate.knock("evil.example", "/api/events")


def test_a_service_that_is_open_to_https_says_so_once() -> None:
    with structlog.testing.capture_logs() as logs:
        gate = gate_with()
        gate.enter(Visitor(), Act.PAGE)
        assert logs == []
        for visitor in (
            Visitor(x_forwarded_proto="https"),
            Visitor(origin="https://live.example", host="live.example"),
        ):
            gate.enter(visitor, Act.READ)
    assert [line["event"] for line in logs] == ["open_behind_https"]
    with structlog.testing.capture_logs() as logs:
        guarded().enter(Visitor(x_forwarded_proto="https"), Act.PAGE)
    assert logs == []


def test_the_log_has_who_and_why() -> None:
    gate = guarded()
    with structlog.testing.capture_logs() as logs:
        with pytest.raises(ScopeError):
            gate.enter(bearer("ada"), Act.READ, Wish(TopicFilter(("b",))))
        with pytest.raises(InvalidTokenError):
            gate.enter(bearer("secret"), Act.READ)
    scope, bad = logs
    assert (scope["event"], scope["reason"], scope["subject"]) == ("auth_refused", "scope", "ada")
    assert (bad["reason"], "secret" in str(bad)) == ("signature", False)
