"""Where a value begins: whoever looks for it need not go through all that was there before."""

import pytest

from service.log.sqlite.values import begin_of
from tests.unit.log.contract_state import about, piece
from tests.unit.log.rigs import Parts


@pytest.mark.parametrize(
    ("at", "offset"),
    [(None, 6), ("7", 6), ("5", 4), ("4", 4), ("3", 1), ("2", 1), ("1", 1), ("0", 0)],
)
async def test_with_the_last_event_that_is_no_append(parts: Parts, at: str | None, offset: int) -> None:
    await parts.writer.append([about("a", "s"), piece("x"), piece("y"), about("a", "s", "null"), piece("z")])
    await parts.writer.append([about("a", "s"), piece("x"), about("a", "t"), piece("y", subject="u")])
    ((found,),) = await parts.sql(f"SELECT {begin_of('1', repr('s'), at=at)}")
    assert found == offset


async def test_of_what_was_only_appended_to_it_is_the_beginning_of_the_log(parts: Parts) -> None:
    await parts.writer.append([piece("x"), piece("y")])
    assert await parts.sql(f"SELECT {begin_of('1', repr('s'))}, {begin_of('1', repr('t'))}") == [(0, 0)]


async def test_it_is_found_by_the_index_of_the_subject(parts: Parts) -> None:
    await parts.writer.append([about("a", "s")])
    plan = await parts.sql(f"EXPLAIN QUERY PLAN SELECT {begin_of('1', repr('s'), at='5')}")
    assert any("events_subject (topic=? AND subject=? AND rowid<?)" in line[-1] for line in plan), plan
    assert not any("B-TREE" in line[-1] for line in plan), plan
