import asyncio

import pytest

from twinwire.errors import InvalidError, TwinwireError
from twinwire.token import Token


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TWINWIRE_TOKEN", raising=False)


def test_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Token().headers == {}
    monkeypatch.setenv("TWINWIRE_TOKEN", " a.b.c\n")
    assert Token().headers == {"Authorization": "Bearer a.b.c"}
    assert Token("").headers == {}


@pytest.mark.parametrize("text", ["a b", "ü", "a\r\nX: y", "x" * 9_000])
def test_what_is_no_token_is_not_shown(text: str) -> None:
    with pytest.raises(InvalidError) as raised:
        Token(text)
    assert text not in str(raised.value)


async def test_a_text_is_never_renewed() -> None:
    token = Token("a.b.c")
    assert not token.is_renewable
    assert not await token.renew("a.b.c")


async def test_a_function_is_asked_when_it_is_needed() -> None:
    given = iter(["one", "two", "two"])
    token = Token(lambda: next(given))
    assert token.text == ""
    await token.ready()
    await token.ready()
    assert token.text == "one"
    assert await token.renew("one")
    assert token.text == "two"
    assert not await token.renew("two"), "the same is no other one"


async def test_many_who_were_refused_ask_once() -> None:
    asked = 0

    async def ask() -> str:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        return f"token{asked}"

    token = Token(ask)
    await token.ready()
    assert await asyncio.gather(*(token.renew("token1") for _ in range(5))) == [True] * 5
    assert asked == 2


async def test_a_function_that_gives_none() -> None:
    token = Token(lambda: None)
    await token.ready()
    assert token.headers == {}
    assert not await token.renew("")


def test_it_does_not_tell_itself() -> None:
    token = Token("a.b.c")
    assert "a.b.c" not in repr(token)
    assert token.without("no a.b.c here") == "no (the token) here"


async def test_what_a_function_raises_passes() -> None:
    def ask() -> str:
        raise ConnectionError("no backend")

    with pytest.raises(TwinwireError, match="ConnectionError: no backend") as raised:
        await Token(ask).ready()
    assert raised.value.is_passing


async def test_a_function_that_waits_for_its_own_answer_is_told() -> None:
    async def ask() -> str:
        await token.renew("")
        return "never"

    token = Token(ask)
    with pytest.raises(InvalidError, match="that it is for"):
        await asyncio.wait_for(token.ready(), 5)
