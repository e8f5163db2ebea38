"""The three ways in which a page of a state is found; each finds what the contract says."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.core.errors import GoneError
from service.core.topics import TopicFilter
from service.log.base import StateSearch
from service.log.sqlite import state as module
from tests.unit.log.contract_state import SubjectContract, about, offsets, state
from tests.unit.log.rigs import ALL, SQLiteRig

WAYS = {"merged": (16, 1_000), "gathered": (0, 1_000), "looked through": (0, 0)}
"""Of how many topics, at most, for the first two."""


@pytest.fixture(params=WAYS)
async def rig(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[SQLiteRig]:
    few, several = WAYS[request.param]
    monkeypatch.setattr(module, "MERGE_TOPICS", few)
    monkeypatch.setattr(module, "GATHERED", several)
    monkeypatch.setattr(module, "WINDOW", 3)
    rig = await SQLiteRig(tmp_path).open()
    yield rig
    await rig.discard()


class TestWays:
    """What of the contract may differ between them."""

    test_positions = SubjectContract.test_the_state_at_an_earlier_position_is_what_it_was
    test_filters = SubjectContract.test_of_a_filter_and_of_a_subject
    test_pages = SubjectContract.test_a_page_ends_with_the_event_that_fills_it

    @pytest.mark.parametrize("seed", [10, 11])
    async def test_all_of_it(self, rig: SQLiteRig, seed: int) -> None:
        await SubjectContract().test_it_is_what_a_plain_dictionary_holds(rig, seed)


async def test_a_state_is_gone_once_too_much_was_replaced_since(
    rig: SQLiteRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each page looks through what was replaced since its position, so that has a bound."""
    monkeypatch.setattr(module, "SINCE_MAX", 5)
    await rig.log.append([about("a", str(n)) for n in range(9)])
    await rig.log.append([about("a", str(n)) for n in range(5)])
    assert offsets(await state(rig, at=9, limit=2)) == list(range(1, 10))
    await rig.log.append([about("b", "s"), about("b", "s")])
    with pytest.raises(GoneError):
        await rig.log.state(StateSearch(ALL, 9, limit=2))
    assert offsets(await state(rig, TopicFilter(("b",)))) == [16]


async def test_each_way_is_by_indexes_alone(rig: SQLiteRig) -> None:
    """What is kept and what was replaced costs nothing."""
    await rig.log.append([about("a", str(n)) for n in range(9)])
    statements: list[str] = []
    connection = rig.log._reader.readers.connection
    connection.set_trace_callback(statements.append)
    await rig.log.state(StateSearch(ALL, 9, limit=2))
    await rig.log.state(StateSearch(TopicFilter(("a",)), 9, subject="3", lasts=True, limit=2))
    connection.set_trace_callback(None)
    statements = [sql for sql in statements if sql not in ("BEGIN", "ROLLBACK")]
    assert statements
    steps = [row[3] for sql in statements for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert not [step for step in steps if step.startswith(("SCAN events", "SCAN e ", "SCAN later"))]


@pytest.mark.parametrize("lasts", [False, True])
async def test_what_retention_is_about_to_cut_is_not_told(rig: SQLiteRig, lasts: bool) -> None:
    """Floors rise long before the last row below them goes: a state that was begun in between told the beginning of a
    text, whose rest was left out once the beginning had gone.
    """
    text = [about("a", "text", append=n > 0) for n in range(4)]
    whole = [about("a", "other"), about("a", "other", append=True), about("a", "single"), about("b", "text")]
    await rig.log.append([*text, *whole])
    registry = rig.log._registry
    a = registry.get("a")
    assert a is not None
    registry.raise_floor(a, 2)
    expected = [6, 7, 8] if lasts else [5, 6, 7, 8]
    for limit in (1, 100):
        found, after = [], 0
        while after < 8:
            page = await rig.log.state(StateSearch(ALL, 8, after, lasts=lasts, limit=limit))
            found += [row[0] for row in page.rows]
            after = page.next
        assert found == expected
    subject = await rig.log.state(StateSearch(TopicFilter(("a",)), 8, subject="text"))
    assert not subject.rows
    registry.raise_floor(a, 7)
    assert offsets(await state(rig, at=8)) == [8]
