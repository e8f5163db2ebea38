"""A brief from prose: one that can be read, after one more try at most, and what is told where there is none."""

import asyncio

import pytest

from service.apps.projects.llm.proposals import AT_ONCE, EXPLANATION_MAX, PROSE_MAX, Proposal, Proposals
from service.core.errors import InvalidError, OverloadedError, UnavailableError, UnsupportedError
from tests.support import standin as manners
from tests.support.models import model_of
from tests.support.standin import DEADLINE, StandIn, file, saying, well

PROSE = "We lend tools to neighbours, with a deposit: $text."


def proposing(brief: str, explanation: str = "As you said.\n") -> manners.Manner:
    return saying(file("brief.txt", f"{brief}\n") + file("explanation.txt", explanation))


async def test_a_brief_that_can_be_read() -> None:
    async with StandIn.open(proposing("Tools : name text,\n deposit float ;")) as standin, model_of(standin) as model:
        proposal = await Proposals(model).propose(PROSE)
    assert proposal == Proposal(brief="tools: name text, deposit float", explanation="As you said.")
    (asked,) = standin.asked
    assert PROSE in asked.last
    assert '"text" / "int" / "float" / "bool" / "date"' in asked.last


async def test_one_that_can_not_is_handed_back_with_what_is_wrong_once() -> None:
    async with StandIn.open(proposing("tools: price euro"), well) as standin, model_of(standin) as model:
        assert isinstance(await Proposals(model).propose(PROSE), Proposal)
        assert "'euro' is not a type" in standin.asked[1].last
        standin.then(saying("Tools, I would say."))
        outcome = await Proposals(model).propose(PROSE)
    assert isinstance(outcome, UnavailableError)
    assert "can't be used (there is no file in it" in outcome.detail
    assert outcome.detail.endswith("write the brief yourself, or try again")
    assert len(standin.asked) == 4


async def test_a_long_explanation_is_cut_and_one_may_be_missing() -> None:
    long = proposing("tools: name text", "x" * (EXPLANATION_MAX + 1) + "\n")
    async with StandIn.open(long, saying(file("brief.txt", "a: b int\n"))) as standin, model_of(standin) as model:
        first, second = [await Proposals(model).propose(PROSE) for _ in range(2)]
    assert isinstance(first, Proposal)
    assert len(first.explanation) == EXPLANATION_MAX
    assert second == Proposal(brief="a: b int", explanation="")


async def test_an_endpoint_that_does_not_answer_is_told_as_what_it_is() -> None:
    async with StandIn.open(manners.refuses_the_key) as standin, model_of(standin) as model:
        outcome = await Proposals(model).propose(PROSE)
        assert isinstance(outcome, UnavailableError)
        assert "check TWINWIRE_LLM_KEY" in outcome.detail
        standin.then(manners.never_ends)
        outcome = await Proposals(model).propose(PROSE)
        assert isinstance(outcome, UnavailableError)
        assert "shorten the description" in outcome.detail


async def test_a_person_waits_no_longer_than_a_run_may() -> None:
    async with StandIn.open(manners.trickles) as standin, model_of(standin, llm_seconds_max=1) as model:
        outcome = await Proposals(model).propose(PROSE)
    assert isinstance(outcome, UnavailableError)
    assert "write the brief yourself" in outcome.detail


async def test_without_a_model_it_is_not_possible() -> None:
    proposals = Proposals(None)
    assert not proposals.is_possible
    with pytest.raises(UnsupportedError, match="write the brief yourself, or set TWINWIRE_LLM_URL"):
        await proposals.propose(PROSE)


async def test_descriptions_are_bounded_in_length_and_in_number() -> None:
    async with StandIn.open() as standin, model_of(standin) as model:
        proposals = Proposals(model)
        assert isinstance(await proposals.propose("x" * PROSE_MAX), Proposal)
        for text in (" \n", "x" * (PROSE_MAX + 1)):
            with pytest.raises(InvalidError) as caught:
                await proposals.propose(text)
            assert caught.value.field == "text"
        standin.then(manners.stalls_at_once)
        asking = [asyncio.create_task(proposals.propose(PROSE)) for _ in range(AT_ONCE)]
        await standin.until(1 + AT_ONCE)
        with pytest.raises(OverloadedError, match=f"at work on {AT_ONCE} descriptions"):
            await proposals.propose(PROSE)
        asking[0].cancel()  # who hangs up gives the place back
        await asyncio.wait({asking[0]})
        standin.then(well)
        assert isinstance(await proposals.propose(PROSE), Proposal)
        for task in asking:
            task.cancel()
        await asyncio.wait(asking)
        await asyncio.wait_for(standin.asked[-2].gone.wait(), DEADLINE)
