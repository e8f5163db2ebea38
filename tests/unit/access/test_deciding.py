"""Who asks, by the word of an application."""

import asyncio
from collections.abc import Mapping, MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from service.access import deciding
from service.access.caller import Caller, TokenId
from service.access.deciding import WORD, Ask, Decider
from service.access.rights import Grants
from service.core.errors import InvalidTokenError, UnavailableError
from tests.support.clock import ManualClock

SCOPE: dict[str, Any] = {"type": "http", "session": {"user": "ada"}}


def saying(claims: Mapping[str, Any] | Exception | None) -> Ask:
    async def ask(scope: MutableMapping[str, Any]) -> Mapping[str, Any] | None:
        assert scope is SCOPE
        if isinstance(claims, Exception):
            raise claims
        return claims

    return ask


async def test_what_it_says_is_as_a_token_says_it() -> None:
    clock = ManualClock()
    claims = {"sub": "ada", "subscribe": ["users/{sub}/**"], "publish": ["inbox"], "metrics": True}
    found = await Decider(saying(claims), clock).decide(SCOPE)
    assert not isinstance(found, UnavailableError | InvalidTokenError)
    assert found is not None
    assert (found.subject, found.expires, found.again) == ("ada", None, None)
    assert found.rights.subscribe == Grants(("users/ada/**",))
    assert found.rights.presence == found.rights.publish == Grants(("inbox",))
    assert (found.rights.admin, found.rights.metrics) == (False, True)
    assert found.token == TokenId(None, clock.unix_ms(), WORD)
    assert not found.is_anonymous


async def test_who_is_nobody_is_nobody() -> None:
    assert await Decider(saying(None), ManualClock()).decide(SCOPE) is None


@pytest.mark.parametrize(
    "answer",
    [
        RuntimeError("the database is away"),
        TimeoutError(),
        {"sub": ""},
        {"sub": 7},
        {"subscribe": ["a//b"]},
        {"publish": "a"},
        {"exp": "soon"},
    ],
)
async def test_one_that_fails_to_say_it_says_neither_yes_nor_no(answer: Mapping[str, Any] | Exception) -> None:
    found = await Decider(saying(answer), ManualClock()).decide(SCOPE)
    assert isinstance(found, UnavailableError)
    assert "database" not in found.detail


async def test_one_that_never_says_it_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deciding, "ASK_MAX", 0.01)

    async def ask(scope: MutableMapping[str, Any]) -> None:
        await asyncio.Event().wait()

    assert isinstance(await Decider(ask, ManualClock()).decide(SCOPE), UnavailableError)


async def test_at_its_end_it_is_asked_again_with_the_same_scope() -> None:
    clock = ManualClock()
    claims: dict[str, Any] = {"sub": "ada", "exp": clock.unix_ms() / 1000 + 5}
    found = await Decider(saying(claims), clock).decide(SCOPE)
    assert not isinstance(found, UnavailableError | InvalidTokenError)
    assert found is not None
    assert found.again is not None
    assert found.expires == clock.unix_ms() + 5_000
    clock.advance(5)
    with pytest.raises(InvalidTokenError) as refusal:
        await found.again()
    assert refusal.value.reason == "expired"
    claims["exp"] += 5
    later = await found.again()
    assert later is not None
    assert later.again is not None
    assert later.expires == clock.unix_ms() + 5_000


async def test_the_log_says_why_without_what_variables_hold_and_not_all_the_time() -> None:
    clock = ManualClock()

    async def ask(scope: MutableMapping[str, Any]) -> None:
        raise RuntimeError("the database is away")

    decider = Decider(ask, clock)
    scope = {**SCOPE, "headers": [(b"cookie", b"session=secret")]}
    with capture_logs() as lines:
        for _ in range(3):
            assert isinstance(await decider.decide(scope), UnavailableError)
        clock.advance(deciding.TOLD_EVERY)
        await decider.decide(scope)
    assert [line["event"] for line in lines] == ["caller_failed"] * 2
    for line in lines:
        assert "the database is away" in line["exception"]
        assert "Traceback" in line["exception"]
        assert "secret" not in str(line)
        assert "exc_info" not in line, "or a logger shows what variables held"


async def test_what_it_waited_for_may_be_ended_and_so_may_we() -> None:
    async def ask(scope: MutableMapping[str, Any]) -> None:
        task = asyncio.ensure_future(asyncio.Event().wait())
        task.cancel()
        await task

    assert isinstance(await Decider(ask, ManualClock()).decide(SCOPE), UnavailableError)
    waits = asyncio.Event()

    async def wait(scope: MutableMapping[str, Any]) -> None:
        waits.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(Decider(wait, ManualClock()).decide(SCOPE))
    await waits.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_it_is_asked_of_so_many_streams_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deciding, "ASKED_TOGETHER", 3)
    clock = ManualClock()
    under_way, most, go_on = 0, 0, asyncio.Event()

    async def ask(scope: MutableMapping[str, Any]) -> Mapping[str, Any]:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await go_on.wait()
        under_way -= 1
        return {"sub": "ada", "exp": clock.unix_ms() / 1000 + 5}

    decider = Decider(ask, clock)
    go_on.set()
    found = await decider.decide(SCOPE)
    assert isinstance(found, Caller)
    assert found.again is not None
    go_on.clear()
    tasks = [asyncio.create_task(found.again()) for _ in range(10)]  # type: ignore[arg-type]
    while under_way < 3:
        await asyncio.sleep(0)
    go_on.set()
    assert all(isinstance(one, Caller) for one in await asyncio.gather(*tasks))
    assert most == 3
