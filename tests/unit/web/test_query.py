"""Values of a query: what is none is told by its name."""

import pytest
from quart import Quart

from service.core.errors import InvalidError
from service.web.query import flag, number


@pytest.mark.parametrize(("query", "found"), [("", 7), ("n=3", 3), ("n=003", 3), (f"n={'9' * 18}", 10**18 - 1)])
async def test_a_number_is_whole(query: str, found: int) -> None:
    async with Quart(__name__).test_request_context(f"/?{query}"):
        assert number("n", 7, 3) == found


@pytest.mark.parametrize("text", ["", "2", "-3", "+3", "3.0", "1e1", " 3", "%C2%B3", "%D9%A3", "9" * 19])
async def test_what_is_no_number_or_less_is_refused(text: str) -> None:
    async with Quart(__name__).test_request_context(f"/?n={text}"):
        with pytest.raises(InvalidError, match="n is a number from 3") as caught:
            number("n", 7, 3)
        assert caught.value.field == "n"


async def test_a_flag_is_0_or_1() -> None:
    for query, found in (("", False), ("f=0", False), ("f=1", True)):
        async with Quart(__name__).test_request_context(f"/?{query}"):
            assert flag("f") is found
    for text in ("", "2", "true"):
        async with Quart(__name__).test_request_context(f"/?f={text}"):
            with pytest.raises(InvalidError, match="f is 0 or 1"):
                flag("f")
