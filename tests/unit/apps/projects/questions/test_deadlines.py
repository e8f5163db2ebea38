"""One timer for all: what is due happens, also what fell due while nobody was there, and no sooner."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest
import pytest_asyncio

from service.apps.projects.patience import AGAIN
from service.apps.projects.questions.deadlines import LOOK_EVERY, Deadlines
from service.apps.projects.questions.models import Question
from service.apps.projects.questions.service import Questions
from service.apps.projects.questions.store import QuestionStore
from service.core.errors import DrainingError, StorageFullError
from service.log.sqlite.tables import open_tables
from tests.support.clock import HeldClock
from tests.support.projects import BRIEF, DEADLINE, Plain, World
from tests.support.questions import asked


@pytest_asyncio.fixture
async def store(world: World) -> AsyncIterator[QuestionStore]:
    tables = await partial(open_tables, world.path)()
    yield QuestionStore(tables)
    await tables.close()


class Expiring:
    """Remembers what is due; `errors` are raised first."""

    def __init__(self, questions: Questions, *errors: Exception) -> None:
        self.questions = questions
        self.errors = list(errors)
        self.tried = 0

    async def __call__(self, question: Question) -> None:
        self.tried += 1
        if self.errors:
            raise self.errors.pop(0)
        await self.questions._expire(question)


async def until(clock: HeldClock, sleeps: int) -> None:
    """The timer has gone to sleep so often."""
    async with asyncio.timeout(DEADLINE):
        while len(clock.slept) < sleeps:
            await asyncio.sleep(0)


async def test_it_sleeps_until_the_next_one_and_is_told_of_a_nearer(world: World, store: QuestionStore) -> None:
    service = await world.service([Plain()])
    project = (await service.create("P", BRIEF)).id
    clock = HeldClock()
    questions = Questions(world.bus, store, clock)
    expiring = Expiring(questions)
    deadlines = Deadlines(store, clock, expiring)
    questions._deadlines = deadlines
    questions.start()
    far, _ = await questions.ask(project, asked("far", timeout=100.0, default="no"))
    await until(clock, 1)
    near, _ = await questions.ask(project, asked("near", timeout=20.0))
    await until(clock, 2)
    assert clock.slept == [LOOK_EVERY, 20.0]
    clock.advance(19.999)
    assert (await questions.get(project, near.id)).is_open
    clock.advance(0.002)
    async with asyncio.timeout(DEADLINE):
        ended = await questions.ended(project, near.id)
    assert (ended.how, ended.answer, ended.by) == ("unanswered", None, None)
    clock.advance(100)  # past two looks at the calendar
    async with asyncio.timeout(DEADLINE):
        ended = await questions.ended(project, far.id)
    assert (ended.how, ended.answer, ended.by) == ("default", "no", None)
    assert expiring.tried == 2
    await questions.close()


@pytest.mark.parametrize("error", [StorageFullError("full"), KeyError("a mistake"), None])
async def test_one_that_could_not_be_stored_is_tried_again(
    world: World, store: QuestionStore, error: Exception | None
) -> None:
    """And what fell due while no timer ran, 60 of it, is due at once."""
    service = await world.service([Plain()])
    projects = [(await service.create(name, BRIEF)).id for name in "abc"]
    clock = HeldClock()
    questions = Questions(world.bus, store, clock)
    made = [
        (project, (await questions.ask(project, asked(str(n), default="yes")))[0])
        for project in projects
        for n in range(20)
    ]
    clock.advance(60)
    expiring = Expiring(questions, *([error] if error else []))
    deadlines = Deadlines(store, clock, expiring)
    deadlines.start()
    if error:
        await until(clock, 1)
        assert clock.slept[0] >= AGAIN
        clock.advance(clock.slept[0])
    async with asyncio.timeout(DEADLINE):
        ended = [await questions.ended(project, one.id) for project, one in made]
    assert {(one.how, one.answer) for one in ended} == {("default", "yes")}
    assert len(world.of("answer")) == len(made)
    await deadlines.close()
    await deadlines.close()


async def test_while_the_service_stops_the_next_one_is_left_to_do_it(world: World, store: QuestionStore) -> None:
    service = await world.service([Plain()])
    project = (await service.create("P", BRIEF)).id
    clock = HeldClock()
    questions = Questions(world.bus, store, clock)
    one, _ = await questions.ask(project, asked())
    clock.advance(60)
    expiring = Expiring(questions, DrainingError("going"))
    deadlines = Deadlines(store, clock, expiring)
    deadlines.start()
    async with asyncio.timeout(DEADLINE):
        while not expiring.tried:
            await asyncio.sleep(0)
    await deadlines.close()
    assert (await questions.get(project, one.id)).is_open
