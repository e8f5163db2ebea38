"""A stage's talk with a model: shown in pieces, handed back at most three times, paid for before it is asked for."""

import asyncio

import pytest

from service.apps.projects.llm import talk
from service.apps.projects.llm.exchange import MESSAGE_TOKENS
from service.apps.projects.llm.faults import BudgetError, ModelError
from service.apps.projects.llm.fences import FormatError
from service.apps.projects.llm.model import Model
from service.apps.projects.llm.talk import HAND_BACKS, RECALLED_MAX, Talk
from tests.support import standin as manners
from tests.support.models import model_of
from tests.support.standin import Asked, StandIn, file, saying
from tests.support.workbench import Workbench

PLAN = file("docs/plan.md", "# The plan\n")


def talk_at(work: Workbench, model: Model) -> Talk:
    return Talk(work, model, ("docs/plan.md",), lambda path: path == "docs/plan.md")


async def test_files_of_an_answer_that_is_shown_as_it_comes() -> None:
    usage = {"prompt_tokens": 300, "completion_tokens": 20, "total_tokens": 320}
    async with StandIn.open(saying(f"Sure.\n{PLAN}", usage)) as standin, model_of(standin) as model:
        work = Workbench()
        assert await talk_at(work, model).files("Plan it.") == {"docs/plan.md": "# The plan\n"}
    assert work.text == f"Sure.\n{PLAN}"
    assert len(work.texts) < 5, "an event for each token"
    assert work.used.tokens == 320
    assert work.used.seconds > 0
    assert "320 tokens in " in work.lines[-1][1]
    assert "199,680 of 200,000 are left to this run" in work.lines[-1][1]
    system, task = standin.asked[0].body["messages"]
    assert "You may write these and nothing else: docs/plan.md" in system["content"]
    assert task == {"role": "user", "content": "Plan it."}


async def test_what_waits_is_shown_though_nothing_more_comes() -> None:
    seen = asyncio.Event()

    class Watched(Workbench):
        async def output(self, text: str) -> None:
            await super().output(text)
            seen.set()

    async def waits(asked: Asked) -> None:
        await asked.begin()
        await asked.say("Let me think.\n")
        await seen.wait()
        await asked.say(PLAN, finish="stop")
        await asked.end()

    async with StandIn.open(waits) as standin, model_of(standin) as model:
        work = Watched()
        await talk_at(work, model).files("Plan it.")
    assert work.texts == ["Let me think.\n", PLAN]


async def test_an_answer_that_can_not_be_read_is_handed_back_with_what_is_wrong() -> None:
    script = (saying("No."), saying(PLAN, finish="length"), saying(""), saying(PLAN))
    async with StandIn.open(*script) as standin, model_of(standin) as model:
        work = Workbench()
        assert list(await talk_at(work, model).files("Plan it.")) == ["docs/plan.md"]
    asked = [[(one["role"], one["content"]) for one in request.body["messages"]] for request in standin.asked]
    assert [len(one) for one in asked] == [2, 4, 4, 4]
    assert asked[1][2] == ("assistant", "No.")
    assert "there is no file in it" in asked[1][3][1]
    assert asked[2][2] == ("assistant", PLAN)
    assert "was cut off; write less" in asked[2][3][1]
    assert asked[3][2] == ("assistant", "(nothing)")
    assert "it is empty" in asked[3][3][1]
    assert [line.rpartition(" Handed back")[2] for line in work.warnings()] == [
        f" to the model ({number} of 3)" for number in (1, 2, 3)
    ]


async def test_but_three_times_at_most() -> None:
    async with StandIn.open(manners.leaves_the_folder) as standin, model_of(standin) as model:
        work = Workbench()
        with pytest.raises(ModelError, match=r"line 1: '../x' is not a path.* handed back to the model 3 times: gen"):
            await talk_at(work, model).files("Plan it.")
    assert len(standin.asked) == 1 + HAND_BACKS
    assert work.files == {}


async def test_files_that_are_not_what_was_asked_for_are_handed_back_too() -> None:
    def check(files: dict[str, str]) -> None:
        if "draft" in files["docs/plan.md"]:
            raise FormatError("a draft")

    async with (
        StandIn.open(saying(file("docs/plan.md", "draft\n")), saying(PLAN)) as standin,
        model_of(standin) as model,
    ):
        assert await talk_at(Workbench(), model).files("Plan it.", check) == {"docs/plan.md": "# The plan\n"}


async def test_of_a_long_answer_only_the_beginning_goes_back() -> None:
    script = (saying("x" * (RECALLED_MAX + 1), size=9_999), saying(PLAN))
    async with StandIn.open(*script) as standin, model_of(standin) as model:
        await talk_at(Workbench(), model).files("Plan it.")
    assert standin.asked[1].body["messages"][2]["content"] == "x" * RECALLED_MAX


async def test_an_answer_is_paid_for_before_it_is_asked_for() -> None:
    """And a question that ends in the middle costs what had come of it."""
    paid: list[int] = []

    class Watched(Workbench):
        async def log(self, message: str, level: object = "info") -> None:
            paid.append(self.used.tokens)

    async with StandIn.open(manners.trickles) as standin, model_of(standin, llm_seconds_max=2) as model:
        work = Watched()
        with pytest.raises(BudgetError, match=r"for the 2 s that it may \(TWINWIRE_LLM_SECONDS_MAX\)"):
            await talk_at(work, model).files("Plan it.")
        cost = paid[0] - model.budget.answer
    assert MESSAGE_TOKENS * 2 < cost < work.used.tokens < cost + 1_000
    assert work.used.seconds > 1.9


async def test_a_run_that_has_used_what_it_may_asks_no_more() -> None:
    async with StandIn.open() as standin, model_of(standin, llm_tokens_max=2_000) as model:
        work = Workbench()
        work.use(1_500, 0)
        with pytest.raises(BudgetError, match="used 1,500 of the 2,000 tokens that it may"):
            await talk_at(work, model).files("Plan it.")
    assert standin.asked == []


async def test_more_than_a_stage_shows_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talk, "SHOWN_MAX", 10)
    async with StandIn.open(saying(PLAN)) as standin, model_of(standin) as model:
        work = Workbench()
        await talk_at(work, model).files("Plan it.")
    assert work.text == PLAN[:10]
    assert work.warnings() == ["The model says more than is shown here"]


async def test_who_is_cancelled_leaves_nobody_asking() -> None:
    async with StandIn.open(manners.stalls_in_the_middle) as standin, model_of(standin) as model:
        stage = asyncio.create_task(talk_at(Workbench(), model).files("Plan it."))
        asked = await standin.until(1)
        stage.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stage
        await asyncio.wait_for(asked.gone.wait(), manners.DEADLINE)
