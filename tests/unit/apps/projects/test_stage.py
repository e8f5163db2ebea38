"""What an agent can do with its workspace, and what it can't."""

import asyncio
import json
from typing import Any

import pytest

from service.apps.projects.agents.base import Agent, AgentError, Used, Workspace
from service.apps.projects.brief import parse_brief
from service.apps.projects.changes import Change
from service.apps.projects.limits import FILE_MAX, FILES_MAX, MESSAGE_MAX, OUTPUT_ALL_MAX, PREVIEW_MAX, REMARK_MAX
from service.apps.projects.questions.models import Asked, Question
from service.apps.projects.runs.made import queued_run
from service.apps.projects.runs.news import News
from service.apps.projects.sandbox.sandbox import Sandbox
from service.apps.projects.sandbox.values import Mode
from service.apps.projects.stage import Pace, RunContext, RunFiles, StageWork, running_percent, steps_of
from service.clock import SystemClock
from tests.support.clock import ManualClock
from tests.support.projects import BRIEF, Plain
from tests.support.questions import closed_question


class Desk:
    """A workspace whose commits are kept."""

    def __init__(self, *writes: str, pace: float = 0.0, written: dict[str, str] | None = None) -> None:
        self.clock = ManualClock()
        self.changes: list[Change] = []
        self.asked: list[Asked] = []
        self.agent: Agent = Plain()
        self.agent.writes = writes or ("*",)  # type: ignore[assignment, misc]
        run = queued_run("p", 1, 0).model_copy(update={"id": "r", "status": "running"})
        files = RunFiles(written or {}, known=["old.txt"])
        self.context = RunContext(
            "T", parse_brief(BRIEF), run, files, self.clock, self.commit, 0, News(run, self.clock), self.ask
        )
        self.pace = Pace(self.clock, pace, steps_of(self.agent))
        self.work = StageWork(self.context, self.agent, 2, 4, self.pace)

    async def commit(self, change: Change) -> None:
        self.changes.append(change)

    async def ask(self, asked: Asked) -> Question:
        """Answered with the last choice, at once."""
        self.asked.append(asked)
        return closed_question(asked, asked.choices[-1] if asked.choices else "in words")

    def events(self, type: str) -> list[dict[str, Any]]:
        return [json.loads(draft.data) for change in self.changes for draft in change.drafts if draft.type == type]


async def test_a_written_file_is_stored_and_announced_in_one_commit() -> None:
    desk = Desk()
    await desk.work.write("docs/u.txt", "grün\n")
    (change,) = desk.changes
    assert [draft.type for draft in change.drafts] == ["file_update", "status_update", "run_update"]
    assert any("INSERT INTO files" in statement.text for statement in change.also)
    assert desk.events("file_update") == [{"path": "docs/u.txt", "size": 6, "action": "created", "preview": "grün\n"}]
    assert desk.work.read("docs/u.txt") == "grün\n"
    assert list(desk.work.paths()) == ["docs/u.txt"]


async def test_a_file_that_the_project_has_already_is_updated() -> None:
    desk = Desk(written={"mine.txt": "1"})
    for path in ("mine.txt", "old.txt", "new.txt", "new.txt"):
        await desk.work.write(path, "2")
    actions = [one["action"] for one in desk.events("file_update")]
    assert actions == ["updated", "updated", "created", "updated"]


async def test_previews_and_messages_are_cut() -> None:
    desk = Desk()
    await desk.work.write("x", "y" * (PREVIEW_MAX + 1))
    await desk.work.log("z" * (MESSAGE_MAX + 1))
    await desk.work.log("\ud800")
    assert len(desk.events("file_update")[0]["preview"]) == PREVIEW_MAX
    assert len(desk.events("log")[0]["message"]) == MESSAGE_MAX
    assert desk.events("log")[1]["message"] == "?"


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "./a", "a b", "a\\b", "ü", "a\n", "x" * 201]
)
async def test_paths_that_could_leave_the_folder_are_refused(path: str) -> None:
    desk = Desk()
    with pytest.raises(AgentError, match="is not a path"):
        await desk.work.write(path, "x")
    assert desk.changes == []


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("other.txt", "x", "does not declare"),
        ("a/b", "\ud800", "not valid Unicode"),
        ("a/b", "x" * (FILE_MAX + 1), "at most"),
        ("a/b/c/d", "x", "one would be a folder"),
        ("a", "x", "one would be a folder"),
    ],
)
async def test_files_that_can_not_be(path: str, text: str, message: str) -> None:
    desk = Desk("a*", written={"a/b/c": ""})
    with pytest.raises(AgentError, match=message):
        await desk.work.write(path, text)
    assert desk.changes == []


async def test_the_number_of_files_is_bounded() -> None:
    desk = Desk(written={f"f{number}": "" for number in range(FILES_MAX - 1)})
    await desk.work.write("last", "")
    await desk.work.write("last", "again")
    with pytest.raises(AgentError, match="files"):
        await desk.work.write("one-more", "")


async def test_reading_what_was_not_written() -> None:
    with pytest.raises(AgentError, match="has not been written in this run"):
        Desk().work.read("old.txt")


async def test_progress_grows_within_the_stage_and_never_beyond() -> None:
    desk = Desk()
    for _ in range(30):
        await desk.work.log("step")
    seen = [one["progress"] for one in desk.events("status_update")]
    assert seen == sorted(set(seen))
    assert 25 < seen[0] < seen[-1] < 50


async def test_an_agent_may_tell_its_progress() -> None:
    desk = Desk()
    await desk.work.progress(0.5)
    await desk.work.progress(0.2)
    assert [one["progress"] for one in desk.events("status_update")] == [37]
    for wrong in (-0.1, 1.1, float("nan")):
        with pytest.raises(AgentError):
            await desk.work.progress(wrong)


async def test_what_is_put_out_beyond_the_bound_is_not_told_and_fails_nothing() -> None:
    desk = Desk()
    desk.agent.streams = True  # type: ignore[misc]
    desk.context.sandbox, desk.context.may_run = Sandbox(Mode.UNCONFINED), True
    desk.context.clock = SystemClock()
    await desk.work.output("x" * (OUTPUT_ALL_MAX - 5))
    done = await desk.work.execute(["python", "-c", "print('123456789', end='')"])
    assert (done.ran, done.exit, done.tail) == (True, 0, "123456789")
    assert "".join(map(str, desk.events("output")))[-6:] == "x12345"
    desk.work.close()
    for late in (lambda: desk.work.remark("x"), lambda: desk.work.read("old.txt")):
        with pytest.raises(asyncio.CancelledError):
            late()
    with pytest.raises(asyncio.CancelledError):
        await desk.work.execute(["python"])


async def test_a_command_of_one_who_does_not_stream_is_run_in_silence() -> None:
    desk = Desk(written={"x.py": "print('loud')"})
    desk.context.sandbox, desk.context.may_run = Sandbox(Mode.UNCONFINED), True
    desk.context.clock = SystemClock()
    assert (await desk.work.execute(["python", "x.py"])).tail == "loud\n"
    assert not desk.events("output")
    desk.work.remark("x" * 1_000)
    assert len(desk.work.remarked) == REMARK_MAX


def test_only_the_end_of_a_run_says_100() -> None:
    assert [running_percent(done, 3) for done in (0, 1, 2, 3)] == [0, 33, 66, 99]


async def test_pace_spreads_the_steps_over_the_stage() -> None:
    desk = Desk("a", "b", pace=6.0)
    await desk.work.write("a", "")
    await desk.work.log("half of it")
    assert desk.clock.slept == [1.0, 1.0]
    await desk.pace.settle()
    assert sum(desk.clock.slept) == desk.pace.elapsed == 6.0


async def test_pace_never_makes_a_stage_longer() -> None:
    desk = Desk("a", pace=1.0)
    for _ in range(20):
        await desk.work.log("more than expected")
    await desk.pace.settle()
    assert desk.pace.elapsed == pytest.approx(1.0)


async def test_a_timer_that_fires_early_does_not_make_a_stage_shorter() -> None:
    class Early(ManualClock):
        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds if seconds < 0.001 else seconds * 0.9)

    clock = Early()
    pace = Pace(clock, 1.0, steps=4)
    await pace.settle()
    assert pace.elapsed >= 1.0


async def test_without_pace_nobody_waits() -> None:
    desk = Desk()
    await desk.work.log("x")
    await desk.pace.settle()
    assert desk.clock.slept == []


async def test_after_its_turn_an_agent_can_do_nothing() -> None:
    desk = Desk(written={"x": ""})
    desk.work.close()
    work: Workspace = desk.work
    for call in (work.log("x"), work.write("x", ""), work.progress(1)):
        with pytest.raises(asyncio.CancelledError):
            await call
    with pytest.raises(asyncio.CancelledError):
        work.read("x")
    assert desk.changes == []


async def test_what_is_used_is_stored_with_what_is_told_next_and_once() -> None:
    desk = Desk()
    desk.work.use(10, 0.5)
    desk.work.use(-4, 1.0)
    assert desk.work.used == Used(6, 1.5)
    await desk.work.log("told")
    await desk.work.log("told again")
    stored = [[one.parameters for one in change.also if "tokens" in one.text] for change in desk.changes]
    assert stored == [[{"project": "p", "run": "r", "tokens": 6, "seconds": 1.5}], []]
    desk.work.use(-100, -100.0)
    assert desk.work.used == Used(0, 0.0)
    desk.work.close()
    with pytest.raises(asyncio.CancelledError):
        desk.work.use(1, 1.0)


async def test_a_question_has_a_key_of_its_place_so_that_a_repeated_turn_asks_the_same_one() -> None:
    first, second = Desk(), Desk()
    for desk in (first, second):
        assert await desk.work.ask("Deploy?", ["no", "yes"], timeout=60) == "yes"
        assert await desk.work.ask("Where?", timeout=60, default="here") == "in words"
    assert [one.key for one in first.asked] == [one.key for one in second.asked]
    assert [one.key.rpartition("/")[0] for one in first.asked] == ["r/2/1", "r/2/2"]
    assert [(one.agent, one.choices, one.default) for one in first.asked] == [
        ("plain", ("no", "yes"), None),
        ("plain", None, "here"),
    ]
    first.work.close()
    with pytest.raises(asyncio.CancelledError):
        await first.work.ask("Still there?", timeout=60)
