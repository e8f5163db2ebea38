"""One question to an endpoint: what is asked, what is heard, what is tried again, and what nobody learns."""

import asyncio
import logging

import pytest

from service.apps.projects.llm.client import PAUSE, TRIES
from service.apps.projects.llm.exchange import Answer, Question, tokens_in, tokens_of
from service.apps.projects.llm.faults import EndpointError, OutOfTokensError
from service.apps.projects.llm.hearing import Hearing
from service.apps.projects.llm.model import Model
from tests.support import standin as manners
from tests.support.models import HastyClock, model_of
from tests.support.standin import DEADLINE, KEY, MODEL, Asked, StandIn, messages, saying

STARS = "****"


def question(seconds: float = DEADLINE, room: int = 100_000) -> Question:
    asked = messages("Hello?")
    return Question(asked, cost=tokens_of(asked), tokens=1_000, room=room, seconds=seconds)


async def ask(model: Model, hearing: Hearing | None = None, **values: float) -> Answer:
    return await model.endpoint.ask(question(**values), hearing or Hearing())  # type: ignore[arg-type]


async def test_a_question_is_one_of_the_openai_api() -> None:
    async with StandIn.open(saying("Hello.")) as standin, model_of(standin) as model:
        assert await ask(model) == Answer("Hello.", is_cut=False)
    (asked,) = standin.asked
    assert asked.head.startswith("POST /v1/chat/completions HTTP/1.1\r\n")
    assert f"\r\nAuthorization: Bearer {KEY}\r\n" in asked.head
    assert asked.body == {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Hello?"}],
        "stream": True,
        "max_tokens": 1_000,
        "stream_options": {"include_usage": True},
    }


async def test_without_a_key_none_is_sent() -> None:
    async with StandIn.open(saying("Hello.")) as standin, model_of(standin, llm_key="") as model:
        await ask(model)
    assert "Authorization" not in standin.asked[0].head


async def test_tokens_are_those_that_are_told_or_else_estimated() -> None:
    told = saying("Hello.", usage={"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7})
    async with StandIn.open(told, saying("Hello.", size=3)) as standin, model_of(standin) as model:
        first, second = Hearing(), Hearing()
        await ask(model, first)
        await ask(model, second)
    assert first.tokens == 7
    assert second.tokens == question().cost + tokens_in("Hello.")


async def test_what_is_told_before_the_end_takes_no_place_of_what_comes() -> None:
    async def tells_early(asked: Asked) -> None:
        await asked.begin()
        await asked.send(manners.event({"choices": [], "usage": {"total_tokens": 1}}))
        while not asked.gone.is_set():
            await asked.say("and so on " * 100)

    async def tells_late(asked: Asked) -> None:
        await asked.begin()
        await asked.say("Hello.", finish="stop")
        await asked.send(manners.event({"choices": [], "usage": {"total_tokens": 1}}))
        await asked.end()

    async with StandIn.open(tells_late, tells_early) as standin, model_of(standin) as model:
        hearing = Hearing()
        await ask(model, hearing)
        assert hearing.tokens == 1
        with pytest.raises(OutOfTokensError):
            await ask(model, room=5_000)


async def test_what_a_model_thinks_counts_and_is_no_part_of_its_answer() -> None:
    async def thinks(asked: Asked) -> None:
        await asked.begin()
        await asked.send(manners.event({"choices": [{"delta": {"reasoning_content": "x" * 300}}]}))
        await asked.say("Yes.", finish="stop")
        await asked.end()

    async with StandIn.open(thinks) as standin, model_of(standin) as model:
        hearing = Hearing()
        assert (await ask(model, hearing)).text == "Yes."
    assert hearing.tokens == question().cost + tokens_in("x" * 300 + "Yes.")


async def test_an_end_without_a_word_is_one_after_its_reason() -> None:
    async def ends(asked: Asked) -> None:
        await asked.begin()
        await asked.say("All.", finish="stop")
        asked.writer.close()

    async with StandIn.open(ends) as standin, model_of(standin) as model:
        assert (await ask(model)).text == "All."


@pytest.mark.parametrize("manner", [manners.fails, manners.is_busy, manners.breaks_off, manners.ends_without_an_end])
async def test_what_may_be_otherwise_is_tried_again(manner: manners.Manner) -> None:
    clock = HastyClock()
    async with StandIn.open(manner, manner, saying("Yes.")) as standin, model_of(standin, clock) as model:
        hearing = Hearing()
        assert (await ask(model, hearing)).text == "Yes."
    assert len(standin.asked) == 3
    assert [PAUSE <= clock.slept[0] <= PAUSE * 1.25, PAUSE * 2 <= clock.slept[1] <= PAUSE * 2.5] == [True, True]
    assert len(hearing.take().notes) == 2


async def test_but_not_for_ever() -> None:
    async with StandIn.open(manners.fails) as standin, model_of(standin) as model:
        with pytest.raises(EndpointError, match=rf"fails \(500: CUDA out of memory\), {TRIES} times in a row: look"):
            await ask(model)
    assert len(standin.asked) == TRIES


async def test_and_not_what_stays_as_it_is() -> None:
    async with StandIn.open(manners.refuses_the_key) as standin, model_of(standin) as model:
        with pytest.raises(EndpointError, match="check TWINWIRE_LLM_KEY"):
            await ask(model)
    assert len(standin.asked) == 1


@pytest.mark.parametrize(
    ("fields", "waited"),
    [
        (("Retry-After: 7",), 7.0),
        (("Retry-After: Wed, 21 Oct 2026 07:28:09 GMT", "Date: Wed, 21 Oct 2026 07:28:00 GMT"), 9.0),
    ],
)
async def test_retry_after_is_honoured(fields: tuple[str, ...], waited: float) -> None:
    async def busy(asked: Asked) -> None:
        await asked.answer("429 Too Many Requests", b"{}", *fields)

    clock = HastyClock()
    async with StandIn.open(busy, saying("Yes.")) as standin, model_of(standin, clock) as model:
        assert (await ask(model)).text == "Yes."
    assert clock.slept == [waited]


async def test_unless_there_is_not_as_much_time() -> None:
    async with StandIn.open(manners.is_busy_for_an_hour) as standin, model_of(standin) as model:
        with pytest.raises(EndpointError, match="the next try is due in 3600 s, and the run has 30 s left"):
            await ask(model)
    assert len(standin.asked) == 1


async def test_what_all_tries_used_counts() -> None:
    async with StandIn.open(manners.breaks_off, saying("Yes.")) as standin, model_of(standin) as model:
        hearing = Hearing()
        await ask(model, hearing)
    assert hearing.tokens > 2 * question().cost


async def test_an_answer_has_no_more_than_the_room_that_is_left() -> None:
    async with StandIn.open(manners.never_ends) as standin, model_of(standin) as model:
        with pytest.raises(OutOfTokensError):
            await ask(model, room=5_000)
        await asyncio.wait_for(standin.asked[0].gone.wait(), DEADLINE)


async def test_who_waits_no_more_closes_the_connection() -> None:
    async with StandIn.open(manners.stalls_in_the_middle) as standin, model_of(standin) as model:
        asking = asyncio.create_task(ask(model))
        asked = await standin.until(1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.wait_for(asked.gone.wait(), DEADLINE)


async def test_time_that_is_over_ends_it() -> None:
    async with StandIn.open(manners.trickles) as standin, model_of(standin) as model:
        with pytest.raises(TimeoutError):
            await ask(model, seconds=0.2)
        await asyncio.wait_for(standin.asked[0].gone.wait(), DEADLINE)


async def test_nobody_else_is_asked_when_it_redirects() -> None:
    async with StandIn.open(saying("Yes.")) as other:

        async def leads_away(asked: Asked) -> None:
            await asked.answer("308 Permanent Redirect", b"", f"Location: {other.url}/chat/completions?{KEY}")

        async with StandIn.open(leads_away) as standin, model_of(standin) as model:
            with pytest.raises(EndpointError, match="set TWINWIRE_LLM_URL to the address that answers") as caught:
                await ask(model)
    assert other.asked == []
    assert f"redirects to {other.url}/chat/completions?{STARS} (308)" in str(caught.value)


@pytest.mark.parametrize(
    ("word", "asked_again"), [("max_completion_tokens", "max_completion_tokens"), ("stream_options", "max_tokens")]
)
async def test_an_endpoint_that_wants_another_word_gets_it_from_then_on(word: str, asked_again: str) -> None:
    async def refuses(asked: Asked) -> None:
        await asked.answer("400 Bad Request", f'{{"error": {{"message": "Unsupported, see {word}"}}}}'.encode())

    async with StandIn.open(refuses, saying("Yes.")) as standin, model_of(standin) as model:
        await ask(model)
        await ask(model)
        standin.then(refuses)
        with pytest.raises(EndpointError, match="refuses the question"):  # it has got it
            await ask(model)
    first, *others = standin.asked
    assert "max_tokens" in first.body
    assert all(asked_again in one.body for one in others)
    assert all(("stream_options" in one.body) == (word != "stream_options") for one in others)


async def test_its_own_words_are_shown_and_never_the_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def in_an_event(asked: Asked) -> None:
        await asked.begin()
        await asked.send(manners.event({"error": {"message": f"no {KEY}"}}))

    async def in_a_status_line(asked: Asked) -> None:
        await asked.send(f"HTTP/1.1 {KEY}\r\n\r\n".encode())

    async def in_a_media_type(asked: Asked) -> None:
        await asked.begin(media=f"text/{KEY}")

    for manner in (manners.refuses_the_key, in_an_event, in_a_status_line, in_a_media_type):
        async with StandIn.open(manner) as standin, model_of(standin) as model:
            with pytest.raises(EndpointError) as caught:
                await ask(model)
        assert KEY not in f"{caught.value}{caught.value!r}{caught.value.__cause__!r}"
        assert STARS in str(caught.value), manner
    assert f"401 {STARS}" in caplog.text
    assert KEY not in caplog.text


async def test_nothing_is_kept_of_what_it_wants_kept() -> None:
    async def gives_a_cookie(asked: Asked) -> None:
        await asked.answer("500 Oh", b"", "Set-Cookie: a=b; Path=/")

    async with StandIn.open(gives_a_cookie, saying("Yes.")) as standin, model_of(standin) as model:
        await ask(model)
    assert "cookie" not in standin.asked[1].head.lower()


async def test_an_endpoint_that_is_not_there() -> None:
    async with StandIn.open() as standin:
        pass
    async with model_of(standin) as model:
        with pytest.raises(EndpointError, match=r"can't be reached \(Connection refused\), 4 times in a row: see"):
            await ask(model)


@pytest.mark.parametrize(
    ("url", "is_overheard"),
    [
        ("http://models.example.org/v1", True),
        ("https://models.example.org/v1", False),
        ("http://127.0.0.1:1/v1", False),
        ("http://[::1]:1/v1", False),
        ("http://127.0.0.1.example.org/v1", True),
    ],
)
async def test_a_key_that_can_be_read_on_its_way_is_known(url: str, is_overheard: bool) -> None:
    async with StandIn.open() as standin, model_of(standin, llm_url=url) as model:
        assert model.endpoint.is_overheard is is_overheard
