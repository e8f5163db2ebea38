"""Questions on a real log: asked once, ended once, whoever comes at the same time, and told to all who wait."""

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.apps.projects.questions.limits import KEPT_MAX, OPEN_MAX
from service.apps.projects.questions.models import Question
from service.apps.projects.questions.service import Questions
from service.core.errors import ConflictError, InvalidError, NotFoundError
from service.log.base import Receipt
from tests.support.clock import HeldClock
from tests.support.projects import BRIEF, DEADLINE, LimitedBus, Plain, World
from tests.support.questions import asked


async def opened(world: World) -> tuple[Questions, str]:
    service = await world.service([Plain()])
    return service.questions, (await service.create("P", BRIEF)).id


async def test_a_question_and_its_answer_are_told_as_they_are_stored(world: World) -> None:
    questions, project = await opened(world)
    question, is_new = await questions.ask(project, asked(default="no", author="bob"))
    assert is_new
    assert question.is_open
    assert world.of("question", project) == [question.model_dump(mode="json")]
    answered = await questions.answer(project, question.id, "yes", "ada")
    assert (answered.how, answered.answer, answered.by) == ("person", "yes", "ada")
    assert world.of("answer", project) == [answered.model_dump(mode="json")]
    assert await questions.get(project, question.id) == answered
    listing = await questions.listing(project)
    assert listing.questions == (answered,)
    assert listing.cursor == world.bus.cursor(world.bus.head)


async def test_whoever_asks_again_with_his_key_asks_nothing_new(world: World) -> None:
    questions, project = await opened(world)
    both = await asyncio.gather(*(questions.ask(project, asked("same")) for _ in range(5)))
    assert len({one.id for one, _ in both}) == 1
    assert sorted(is_new for _, is_new in both) == [False] * 4 + [True]
    await questions.answer(project, both[0][0].id, "no", None)
    again, is_new = await questions.ask(project, asked("same"))
    assert (again.answer, is_new) == ("no", False)
    agents, is_new = await questions.ask(project, asked("same", agent="plain"))
    assert is_new  # nobody can ask for an agent, by guessing its key
    assert agents.id != again.id


async def test_what_may_not_be_asked(world: World) -> None:
    questions, project = await opened(world)
    with pytest.raises(NotFoundError):
        await questions.ask("nobody", asked())
    with pytest.raises(InvalidError) as caught:
        await questions.ask(project, asked(run=7))
    assert caught.value.field == "run"
    made = [(await questions.ask(project, asked(str(n))))[0] for n in range(OPEN_MAX)]
    with pytest.raises(ConflictError, match=f"{OPEN_MAX} questions of this project are open already"):
        await questions.ask(project, asked("one more"))
    await questions.withdraw(project, made[0].id, "bob")
    await questions.ask(project, asked("one more"))


async def test_the_newest_are_kept_and_open_ones_whatever_their_age(world: World) -> None:
    questions, project = await opened(world)
    first, _ = await questions.ask(project, asked("first"))
    closed: list[str] = []
    for number in range(KEPT_MAX + 2):
        question, _ = await questions.ask(project, asked(str(number)))
        await questions.answer(project, question.id, "yes", None)
        closed.append(question.id)
    kept = (await questions.listing(project)).questions
    assert [one.id for one in kept] == [*reversed(closed[3:]), first.id]
    assert len(kept) == KEPT_MAX
    removed = [one for one in world.told if one.type == "removed" and one.topic == f"projects/{project}"]
    assert len(removed) == 3
    with pytest.raises(NotFoundError):
        await questions.get(project, closed[0])


async def test_an_answer_has_to_be_one_and_later_ones_are_told_of_the_first(world: World) -> None:
    questions, project = await opened(world)
    question, _ = await questions.ask(project, asked())
    with pytest.raises(InvalidError) as caught:
        await questions.answer(project, question.id, "perhaps", "ada")
    assert caught.value.field == "answer"
    await questions.answer(project, question.id, "yes", "ada")
    for late in (questions.answer(project, question.id, "no", "eve"), questions.withdraw(project, question.id, "eve")):
        with pytest.raises(ConflictError, match="'ada' has answered 'yes'"):
            await late
    with pytest.raises(NotFoundError):
        await questions.answer(project, "nothing", "yes", "ada")
    with pytest.raises(NotFoundError):
        await questions.answer("nobody", question.id, "yes", "ada")


async def test_whoever_waits_is_told_and_nobody_else_is_kept_waiting_for(world: World) -> None:
    questions, project = await opened(world)
    question, _ = await questions.ask(project, asked())
    waiting = [asyncio.create_task(questions.ended(project, question.id)) for _ in range(3)]
    gone = asyncio.create_task(questions.ended(project, question.id))
    while not questions._ends:
        await asyncio.sleep(0)
    gone.cancel()
    await questions.answer(project, question.id, "no", None)
    async with asyncio.timeout(DEADLINE):
        assert {(await one).answer for one in waiting} == {"no"}
    assert (await questions.ended(project, question.id)).answer == "no"
    del waiting
    await asyncio.gather(gone, return_exceptions=True)
    assert not questions._ends


async def test_an_answer_that_is_cancelled_is_carried_out_and_told(world: World) -> None:
    """Else a client that hangs up would leave others waiting for what there is."""

    class SlowBus(LimitedBus):
        async def publish(self, *change: Any) -> Receipt:
            begun.set()
            await goes_on.wait()
            return await super().publish(*change)

    begun, goes_on = asyncio.Event(), asyncio.Event()
    first, project = await opened(world)
    question, _ = await first.ask(project, asked())
    questions = Questions(SlowBus(world.bus, 9), first._store, HeldClock(0))
    waiting = asyncio.create_task(questions.ended(project, question.id))
    answering = asyncio.create_task(questions.answer(project, question.id, "yes", "ada"))
    await begun.wait()
    answering.cancel()
    goes_on.set()
    async with asyncio.timeout(DEADLINE):
        assert (await waiting).answer == "yes"


async def test_a_project_that_is_deleted_takes_its_questions_along(world: World) -> None:
    service = await world.service([Plain()])
    project = (await service.create("P", BRIEF)).id
    question, _ = await service.questions.ask(project, asked())
    waiting = asyncio.create_task(service.questions.ended(project, question.id))
    while not service.questions._ends:
        await asyncio.sleep(0)
    await service.delete(project)
    async with asyncio.timeout(DEADLINE):
        with pytest.raises(NotFoundError):
            await waiting
    with pytest.raises(NotFoundError):
        await service.questions.ask(project, asked("another"))


async def test_an_answer_that_comes_after_the_deadline_is_none(world: World) -> None:
    """Also where the timer has not come to it yet."""
    service = await world.service([Plain()])
    project = (await service.create("P", BRIEF)).id
    clock = HeldClock()
    questions = Questions(world.bus, service.questions._store, clock)
    question, _ = await questions.ask(project, asked(timeout=5.0, default="no"))
    clock.advance(5)
    with pytest.raises(ConflictError, match="nobody answered in time, and the default 'no' counts"):
        await questions.answer(project, question.id, "yes", "ada")
    assert (await questions.get(project, question.id)).how == "default"


async def test_what_is_asked_in_a_run_is_withdrawn_at_its_end(world: World) -> None:
    """And nothing else, however its key begins."""
    questions, project = await opened(world)
    theirs, _ = await questions.ask(project, asked("run/1/1/x", agent="plain"))
    other, _ = await questions.ask(project, asked("runner/1/1/x", agent="plain"))
    command, _ = await questions.ask(project, asked("run/1/1/x"))
    await questions.withdraw_of_run(project, "run")
    await questions.withdraw_of_run(project, "run")
    found = [(await questions.get(project, one.id)).how for one in (theirs, other, command)]
    assert found == ["withdrawn", None, None]


# The first one counts

ACTORS: Final = st.lists(
    st.tuples(st.sampled_from(("ada", "bob", "deadline", "asker")), st.integers(0, 12), st.booleans()),
    min_size=1,
    max_size=8,
)
"""Who closes it, after how many turns of the loop, and whether he hangs up at once."""


async def contest(world: World, questions: Questions, project: str, actors: list[tuple[str, int, bool]]) -> None:
    """All of them at the same time: one counts, is stored and told once, and everyone else hears of it."""
    before = len(world.told)
    question, _ = await questions.ask(project, asked(os.urandom(8).hex(), default="no"))
    waiting = asyncio.create_task(questions.ended(project, question.id))

    async def close(who: str, turns: int) -> Question | None:
        for _ in range(turns):
            await asyncio.sleep(0)
        if who == "deadline":
            await questions._expire(question)
            return None
        if who == "asker":
            return await questions.withdraw(project, question.id, who)
        return await questions.answer(project, question.id, "yes", who)

    tasks = [(asyncio.create_task(close(who, turns)), hangs_up) for who, turns, hangs_up in actors]
    for turn in range(6):
        await asyncio.sleep(0)
        for number, (task, hangs_up) in enumerate(tasks):
            if hangs_up and number == turn:
                task.cancel()
    done = await asyncio.gather(*(task for task, _ in tasks), return_exceptions=True)
    if all(isinstance(one, asyncio.CancelledError) for one in done):
        await questions._expire(question)  # perhaps none of them came to anything
    async with asyncio.timeout(DEADLINE):
        end = await waiting
    answers = [one.data for one in world.told[before:] if one.type == "answer"]
    assert answers == [end.model_dump(mode="json")]
    assert await questions.get(project, question.id) == end
    assert [one for one in done if isinstance(one, Question)] in ([], [end])
    for one in done:
        if isinstance(one, BaseException):
            assert isinstance(one, asyncio.CancelledError) or (isinstance(one, ConflictError) and one.detail == end.end)


def test_of_any_number_who_end_it_at_the_same_time_the_first_counts() -> None:
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        opening = World.open(Path(folder) / "test.db")
        world = runner.run(opening.__aenter__())
        questions, project = runner.run(opened(world))

        @settings(
            max_examples=80,
            deadline=None,
            derandomize="CI" in os.environ,
            suppress_health_check=[HealthCheck.too_slow],
        )
        @given(ACTORS)
        def holds(actors: list[tuple[str, int, bool]]) -> None:
            runner.run(contest(world, questions, project, actors))

        try:
            holds()
        finally:
            runner.run(opening.__aexit__(None, None, None))
