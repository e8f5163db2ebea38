"""The one door: what each act is asked, in which order, and that a place is given back in every path."""

import pytest

from service.access.drain import Drain
from service.access.gate import Act, Gate
from service.access.hosts import Hosts
from service.access.origins import Origins
from service.core.errors import DrainingError, ForbiddenError, MisdirectedError, OverloadedError
from service.core.limits import RETRY_MIN_MS

PLACED = (Act.STREAM, Act.SOCKET, Act.WAIT)


class Visitor:
    """A request, as the gate looks at it."""

    address = "192.0.2.7"

    def __init__(self, **headers: str) -> None:
        self._headers = headers

    def header(self, name: bytes) -> str | None:
        return self._headers.get(name.decode().replace("-", "_"))


FOREIGN = Visitor(origin="https://evil.example", host="twinwire.example")


def gate_of(max_places: int = 0) -> tuple[Gate, Drain]:
    drain = Drain()
    return Gate(Hosts(["twinwire.example"]), Origins(["https://app.example"]), drain, max_places=max_places), drain


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
