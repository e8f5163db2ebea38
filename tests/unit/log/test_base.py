"""What an engine may be unable to do: asked for at start, refused before anything is written."""

from collections.abc import Sequence

import pytest

from service.core.errors import UnsupportedError
from service.log.base import Ability, Guard, Statement, require
from tests.support.clock import ManualClock
from tests.support.memorylog import MemoryEventLog
from tests.unit.log.rigs import drafts


class Engine:
    def __init__(self, *abilities: Ability) -> None:
        self.abilities = frozenset(abilities)


def test_what_is_there_may_be_required() -> None:
    require(Engine())
    require(Engine(Ability.GUARDS), Ability.GUARDS)
    require(Engine(*Ability), *Ability)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(UnsupportedError, match=r"the log's engine has no statements that commit with events$"):
        require(Engine(Ability.GUARDS), *Ability)
    with pytest.raises(UnsupportedError, match=r"no statements .* and no guards on which an append depends$"):
        require(Engine(), *Ability)


@pytest.mark.parametrize(
    ("abilities", "also", "guards"),
    [
        ([], [Statement("put", {"key": 1, "value": 1})], []),
        ([Ability.GUARDS], [Statement("put", {"key": 1, "value": 1})], []),
        ([], [], [Guard("get", {"key": 1})]),
        ([Ability.STATEMENTS], [Statement("put", {"key": 1, "value": 1})], [Guard("get", {"key": 1})]),
    ],
)
async def test_an_append_that_uses_it_is_refused_whole(
    abilities: list[Ability], also: Sequence[Statement], guards: Sequence[Guard]
) -> None:
    log = MemoryEventLog(ManualClock(), abilities=frozenset(abilities))
    with pytest.raises(UnsupportedError):
        await log.append(drafts("a", 1), also, guards)
    assert (log.head, log.disk.table) == (0, {})
    assert (await log.append(drafts("a", 1))).offsets == (1,)
