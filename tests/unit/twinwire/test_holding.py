"""A member's own side, against a service that answers as it is told to."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.twinwire.answers import Answers
from twinwire.errors import ClosedError, InvalidError, RefusedError, TwinwireError
from twinwire.holding import Holding, member_id, merged, object_of

BUSY = TwinwireError("busy", status=503, is_passing=True)


class Rig:
    def __init__(self, **timing: float) -> None:
        self.http: Any = Answers(**timing)
        self.failed: list[TwinwireError] = []
        self.holding = Holding(self.http, "a/b~c", "t.1", {"n": 0}, self.failed.append)

    @property
    def said(self) -> list[Any]:
        return [body for _, body in self.http.said]


@pytest.fixture
async def rigs() -> AsyncIterator[Any]:
    made: list[Rig] = []

    def make(**timing: float) -> Rig:
        made.append(Rig(**timing))
        return made[-1]

    yield make
    for rig in made:
        rig.http.gate.set()
        await rig.holding.leave()
        assert rig.holding._task.done()


async def test_it_enters_once_it_is_known_of_which_connection_and_anew_with_each(rigs: Any) -> None:
    rig = rigs()
    entering = asyncio.create_task(rig.holding.until_told())
    await asyncio.sleep(0.01)
    assert rig.said == []
    rig.holding.bind("one")
    await entering
    rig.holding.bind("two")
    await rig.http.until(2)
    assert rig.said == [{"data": {"n": 0}, "lease": 30.0, "connection": one} for one in ("one", "two")]
    await rig.holding.leave()
    assert rig.http.said[-1] == ("DELETE", None)
    with pytest.raises(ClosedError):
        await rig.holding.set({})


async def test_a_lease_is_renewed_in_time_beside_a_stream_too(rigs: Any) -> None:
    """Whose line may be cut for many minutes before the service notices."""
    rig = rigs(lease=12.0)
    rig.http.lease = 0.03
    rig.holding.bind(None)
    await rig.http.until(3)
    assert rig.said[:3] == [{"data": {"n": 0}, "lease": 12.0}] * 3
    rig.holding.bind("one")
    await rig.holding.until_told()
    await rig.http.until(len(rig.said) + 2)
    assert rig.said[-2:] == [{"data": {"n": 0}, "lease": 12.0, "connection": "one"}] * 2


async def test_what_is_set_meanwhile_is_said_by_the_next_one_and_the_last_wins(rigs: Any) -> None:
    rig = rigs()
    rig.http.gate.clear()
    rig.holding.bind("one")
    await rig.http.until(1)
    setting = [asyncio.create_task(rig.holding.set({"n": n})) for n in (1, 2, 3)]
    await asyncio.sleep(0.01)
    rig.http.gate.set()
    await asyncio.gather(*setting)
    assert [body["data"]["n"] for body in rig.said] == [0, 3]


async def test_it_is_paced(rigs: Any) -> None:
    rig = rigs(pace=3_600.0)
    rig.holding.bind("one")
    await rig.holding.until_told()
    setting = asyncio.create_task(rig.holding.set({"n": 1}))
    await asyncio.sleep(0.02)
    assert len(rig.said) == 1
    await rig.holding.leave()
    with pytest.raises(ClosedError):
        await setting


async def test_what_passes_is_tried_again_and_told_if_it_lasts(rigs: Any) -> None:
    rig = rigs()
    rig.http.errors += [BUSY, BUSY]
    rig.holding.bind("one")
    await rig.holding.until_told()
    assert len(rig.said) == 3
    impatient = rigs(publish=0.02)
    impatient.http.errors += [BUSY] * 10_000
    impatient.holding.bind("one")
    with pytest.raises(TwinwireError, match="busy"):
        await impatient.holding.until_told()
    impatient.http.errors.clear()
    impatient.http.timing = replace(impatient.http.timing, publish=10.0)  # it has time now
    await impatient.holding.until_told()
    assert impatient.failed == []
    nowhere = rigs(publish=0.01)
    with pytest.raises(TwinwireError, match="could not be told that it is at a/b~c") as raised:
        await nowhere.holding.until_told()
    assert raised.value.is_passing


async def test_a_stream_that_is_back_ends_a_pause(rigs: Any) -> None:
    """Others hold who was there for ten seconds; a pause after an outage may be thirty."""
    rig = rigs()
    rig.http.errors.append(TwinwireError("away", status=503, is_passing=True, retry_after=3_600.0))
    rig.holding.bind("one")
    await rig.http.until(1)
    await asyncio.sleep(0.02)
    rig.holding.bind("two")
    await rig.http.until(2)
    assert rig.said[-1]["connection"] == "two"


async def test_who_waits_is_told_though_others_set_more(rigs: Any) -> None:
    """Each request had found newer data, and nobody was told until they paused."""
    rig = rigs(publish=5.0)
    rig.holding.bind("one")
    await rig.holding.until_told()
    rig.http.gate.clear()
    first = asyncio.create_task(rig.holding.set({"n": 1}))
    await rig.http.until(2)
    later = asyncio.create_task(rig.holding.set({"n": 2}))
    await asyncio.sleep(0.01)
    answered, rig.http.gate = rig.http.gate, asyncio.Event()
    answered.set()
    await first
    assert not later.done()
    rig.http.gate.set()
    await later
    assert rig.said[-1]["data"] == {"n": 2}


async def test_a_connection_that_has_ended_is_replaced(rigs: Any) -> None:
    rig = rigs()
    rig.http.errors.append(TwinwireError("no such connection", status=404, field="connection"))
    rig.holding.bind("one")
    await rig.http.until(1)
    rig.holding.bind("two")
    await rig.holding.until_told()
    assert rig.said[-1]["connection"] == "two"


async def test_data_that_are_refused_are_what_they_were(rigs: Any) -> None:
    rig = rigs()
    rig.holding.bind("one")
    await rig.holding.until_told()
    rig.http.errors.append(TwinwireError("too large", status=413, field="data"))
    with pytest.raises(TwinwireError, match="too large"):
        await rig.holding.set({"n": "x" * 9_999})
    assert rig.holding.data == {"n": 0}
    rig.holding.bind("two")
    await rig.holding.until_told()
    assert rig.said[-1] == {"data": {"n": 0}, "lease": 30.0, "connection": "two"}
    assert rig.failed == []


@pytest.mark.parametrize("is_in", [False, True])
async def test_who_is_refused_is_out(rigs: Any, is_in: bool) -> None:
    rig = rigs()
    rig.holding.bind("one")
    if is_in:
        await rig.holding.until_told()
    refused = RefusedError("no right", status=403)
    rig.http.errors.append(refused)
    with pytest.raises(RefusedError):
        await rig.holding.until_told()
    assert rig.failed == [refused]
    with pytest.raises(RefusedError):
        await rig.holding.set({})
    count = len(rig.said)
    await rig.holding.leave()
    assert len(rig.said) == count, "who is not there can't leave"


async def test_whatever_ends_it_is_told(rigs: Any) -> None:
    rig = rigs()
    rig.http.errors.append(KeyError("a fault"))
    rig.holding.bind("one")
    with pytest.raises(TwinwireError, match="a fault"):
        await rig.holding.until_told()
    assert len(rig.failed) == 1


async def test_who_leaves_waits_for_what_is_said(rigs: Any) -> None:
    """Else the service might carry it out after he has left."""
    rig = rigs()
    rig.http.gate.clear()
    rig.holding.bind("one")
    await rig.http.until(1)
    leaving = asyncio.create_task(rig.holding.leave())
    await asyncio.sleep(0.01)
    assert len(rig.said) == 1
    rig.http.gate.set()
    await leaving
    assert [method for method, _ in rig.http.said] == ["PUT", "DELETE"]


async def test_who_can_not_be_told_of_it_is_not(rigs: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    rig = rigs()
    rig.holding.bind("one")
    await rig.holding.until_told()
    rig.http.errors.append(BUSY)
    await rig.holding.leave()
    assert "could not be told that a/b~c was left: busy" in caplog.text


def test_a_patch() -> None:
    """RFC 7396, its own cases where they are objects."""
    for before, patch, after in (
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ):
        assert merged(before, patch) == after


def test_what_is_no_member_and_no_data() -> None:
    assert member_id("t-1") == "t-1"
    assert member_id(None) != member_id(None)
    wrong: tuple[Any, ...] = ("", "x" * 65, "a/b", "ä", "a\n", "..", 7)
    for member in wrong:
        with pytest.raises(InvalidError) as raised:
            member_id(member)
        assert raised.value.field == "member"
    for data in ([], "x", float("nan")):
        with pytest.raises(InvalidError):
            object_of(data)


async def test_no_place_leads_out_of_its_url() -> None:
    for place in ("a//b", "a/../b", "..", "", "/a"):
        with pytest.raises(InvalidError) as raised:
            Holding(None, place, "t", {}, print)  # type: ignore[arg-type]
        assert raised.value.field == "place"
