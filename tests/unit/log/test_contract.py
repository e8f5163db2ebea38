"""The one suite of the event log, on both implementations."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.log.base import EventLog
from tests.unit.log.contract import AppendContract, KeyContract, ListenerContract, RestartContract
from tests.unit.log.contract_abilities import (
    FloorContract,
    GuardContract,
    StateContract,
    StatementContract,
    TableContract,
)
from tests.unit.log.contract_compaction import CompactionContract
from tests.unit.log.contract_forgetting import ForgetContract
from tests.unit.log.contract_joining import JoiningContract
from tests.unit.log.contract_reading import OwnContract, ReadContract, SearchContract, TrimContract
from tests.unit.log.contract_state import SubjectContract
from tests.unit.log.rigs import MemoryRig, Rig, SQLiteRig


@pytest.fixture(params=["sqlite", "memory"])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    rig: Rig = MemoryRig() if request.param == "memory" else await SQLiteRig(tmp_path).open()
    yield rig
    await rig.discard()


async def test_both_are_event_logs(rig: Rig) -> None:
    log: EventLog = rig.log
    assert log.epoch


class TestAppend(AppendContract):
    pass


class TestStatements(StatementContract):
    pass


class TestGuards(GuardContract):
    pass


class TestTables(TableContract):
    pass


class TestState(StateContract):
    pass


class TestFloors(FloorContract):
    pass


class TestForgetting(ForgetContract):
    pass


class TestKeys(KeyContract):
    pass


class TestListeners(ListenerContract):
    pass


class TestRestart(RestartContract):
    pass


class TestRead(ReadContract):
    pass


class TestSearch(SearchContract):
    pass


class TestTrim(TrimContract):
    pass


class TestOwn(OwnContract):
    pass


class TestSubjects(SubjectContract):
    pass


class TestCompaction(CompactionContract):
    pass


class TestJoining(JoiningContract):
    pass
