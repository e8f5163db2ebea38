"""Who asks, by the word of an application."""

import asyncio
from collections.abc import Mapping, MutableMapping
from typing import Any

import pytest

from service.access import deciding
from service.access.caller import TokenId
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
