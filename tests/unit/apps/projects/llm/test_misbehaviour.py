"""Whatever an endpoint does, a run ends, and says in a sentence what is wrong and what to do."""

import asyncio
import re
from typing import Any, Final

import pytest

from service.apps.projects.llm.agents import Plan
from tests.support import standin as manners
from tests.support.models import model_of
from tests.support.projects import BRIEF, DEADLINE, World
from tests.support.standin import KEY, MISBEHAVIOURS, StandIn, file, saying

_STALLED: Final = (
    " said nothing for 0.5 s, 4 times in a row: see whether it is loaded and not overloaded, or raise"
    " TWINWIRE_LLM_SILENCE"
)
_BROKE_OFF: Final = ", 4 times in a row: look into the endpoint's log, or generate again later"
_NO_ENDPOINT: Final = ": check that TWINWIRE_LLM_URL is the base of an OpenAI-compatible endpoint that streams"
_HANDED_BACK: Final = (
    ". It was handed back to the model 3 times: generate again, take a smaller brief, or a model that can do it"
)
SAID: Final = {
    "stalls-at-once": f"The model has not begun to answer and{_STALLED}",
    "stalls-in-the-middle": f"The model stopped in the middle of its answer and{_STALLED}",
    "breaks-off": "The connection to the model broke off in the middle of its answer (peer closed connection"
    " without sending complete message body (incomplete chunked read))" + _BROKE_OFF,
    "ends-without-an-end": "The model's answer broke off in the middle: the endpoint closed it without an end"
    + _BROKE_OFF,
    "is-no-stream": f"The model's endpoint answers with something else than events of a chat completion{_NO_ENDPOINT}",
    "is-no-json": f"The model's endpoint sends an event that is not a chunk of a chat completion{_NO_ENDPOINT}",
    "is-a-page": f"The model's endpoint answers with text/html in place of a stream (text/event-stream){_NO_ENDPOINT}",
    "has-no-files": "The model's answer can't be used: there is no file in it: no line '=== file: PATH ==='"
    + _HANDED_BACK,
    "is-busy": "The model's endpoint says that it is asked too much (429: Rate limit reached for requests), 4 times in"
    " a row: generate again later, or ask for a higher rate there",
    "is-busy-for-an-hour": "The model's endpoint says that it is asked too much (429): the next try is due in 3600"
    " s, and the run has 30 s left (TWINWIRE_LLM_SECONDS_MAX): generate again later",
    "fails": "The model's endpoint fails (500: CUDA out of memory), 4 times in a row: look into its log, or generate"
    " again later",
    "never-ends": "The model's answer does not come to an end: it was to have 8,192 tokens at most, and with it the run"
    " has used 20,*** of the 20,000 that it may (TWINWIRE_LLM_TOKENS_MAX): see whether the endpoint honours max_tokens,"
    " or change TWINWIRE_LLM_ANSWER_TOKENS",
    "has-one-line": f"The model's endpoint sends a line that is longer than any answer's{_NO_ENDPOINT}",
    "is-no-text": f"The model's endpoint sends bytes that are not UTF-8{_NO_ENDPOINT}",
    "redirects": "The model's endpoint redirects to http://127.0.0.1:1/v1/chat/completions (307), which is not"
    " followed, since the key is for nobody else: set TWINWIRE_LLM_URL to the address that answers",
    "trickles": "The run has waited for the model for the 1 s that it may (TWINWIRE_LLM_SECONDS_MAX): raise it, or"
    " take a faster model",
    "leaves-the-folder": "The model's answer can't be used: line 1: '../x' is not a path: segments of A-Z a-z 0-9 . _ -"
    " joined by /" + _HANDED_BACK,
    "says-nothing": f"The model's answer can't be used: it is empty{_HANDED_BACK}",
    "is-cut-off": "The model's answer can't be used: it is longer than an answer may be (TWINWIRE_LLM_ANSWER_TOKENS),"
    " and was cut off; write less, in fewer or shorter files" + _HANDED_BACK,
    "refuses-the-key": "The model's endpoint does not let us in (401: Incorrect API key provided: ****.): check"
    " TWINWIRE_LLM_KEY",
}
"""What people read, by what the endpoint does."""


async def _ended(world: World, standin: StandIn, **settings: Any) -> tuple[str, str]:
    """The status and the message with which a run ends."""
    async with model_of(standin, **settings) as model:
        service = await world.service([Plan(model)])
        project = (await service.create("Tools", BRIEF)).id
        run = await service.generate(project)
        completion = (await world.completion(run.id)).data
        await service.close()
    return str(completion["status"]), str(completion["message"])


@pytest.mark.parametrize("name", MISBEHAVIOURS)
async def test_a_run_says_what_is_wrong_and_what_to_do(world: World, name: str) -> None:
    seconds = 1 if name == "trickles" else 30
    silence = 0.5 if name.startswith("stalls") else 20
    settings = {"llm_silence": silence, "llm_tokens_max": 20_000, "llm_seconds_max": seconds}
    async with StandIn.open(MISBEHAVIOURS[name]) as standin:
        status, message = await _ended(world, standin, **settings)
        for asked in standin.asked:  # nobody is left waiting for an answer
            await asyncio.wait_for(asked.gone.wait(), DEADLINE)
    said = re.sub(r"used 20,\d{3} of", "used 20,*** of", message)  # how many depends on how they came
    assert (status, said) == ("failed", SAID[name])
    errors = [line["message"] for line in world.of("log") if line["level"] == "error"]
    assert errors == [message]
    assert [one["status"] for one in world.of("agent_update")] == ["started", "failed"]
    assert world.of("file_update") == []
    assert KEY not in str(world.told)


async def test_a_key_that_a_model_says_is_starred_out_in_what_it_writes_too(world: World) -> None:
    async with StandIn.open(manners.says_the_key) as standin:
        assert (await _ended(world, standin))[0] == "completed"
    assert KEY not in str(world.told)
    assert "The key is ****, or ****." in world.of("file_update")[0]["preview"]
    text = "".join(str(told.data) for told in world.told if told.type == "output")
    assert "The key is ****, or ****." in text


async def test_what_a_run_has_used_is_known_after_it_was_killed(world: World) -> None:
    """It goes on with what is left, and its stage begins anew."""
    plan = saying(file("docs/plan.md", "# The plan\n"), usage={"total_tokens": 900})
    async with (
        StandIn.open(manners.stalls_in_the_middle, plan) as standin,
        model_of(standin, llm_tokens_max=20_000) as model,
    ):
        first = await world.service([Plan(model)])
        project = (await first.create("Tools", BRIEF)).id
        run = await first.generate(project)
        await standin.until(1)
        await world.until(lambda told: told.type == "output")
        await first.close()
        await world.service([Plan(model)])
        assert (await world.completion(run.id)).data["status"] == "completed"
    told = [line["message"] for line in world.of("log") if "tokens" in line["message"]]
    asked = re.fullmatch(r"Asking .*: about (\d+) tokens, for at most 8,192", told[0])
    assert asked is not None
    left = 20_000 - int(asked[1]) - 8_192 - 900
    assert told[-1].endswith(f"{left:,} of 20,000 are left to this run")


async def test_cancelling_closes_the_connection(world: World) -> None:
    async with StandIn.open(manners.stalls_in_the_middle) as standin, model_of(standin) as model:
        service = await world.service([Plan(model)])
        project = (await service.create("Tools", BRIEF)).id
        await service.generate(project)
        asked = await standin.until(1)
        assert (await service.cancel(project)).status == "cancelled"
        await asyncio.wait_for(asked.gone.wait(), DEADLINE)
        assert len(standin.asked) == 1
