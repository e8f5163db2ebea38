"""W3C Trace Context, 3.2 and 4.3: which headers count, and what of them."""

import pytest

from service.core.errors import InvalidError
from service.core.trace import TRACEPARENT_MAX, check_traceparent, read_traceparent

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{PARENT}-01"


@pytest.mark.parametrize("text", [GOOD, f"00-{TRACE}-{PARENT}-00", f"00-{TRACE}-{PARENT}-ff"])
def test_one_of_version_00_is_carried_as_it_came(text: str) -> None:
    assert read_traceparent(text) == text
    assert check_traceparent(text) == text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"01-{TRACE}-{PARENT}-01", GOOD),
        (f"cc-{TRACE}-{PARENT}-01-what-the-future-will-be-like", GOOD),
        (f"cc-{TRACE}-{PARENT}-fd", GOOD),
        (f"cc-{TRACE}-{PARENT}-06-", f"00-{TRACE}-{PARENT}-02"),
        (f"cc-{TRACE}-{PARENT}-01-{'x' * (TRACEPARENT_MAX - 56)}", GOOD),
        (f"cc-{TRACE}-{PARENT}-01-{'x' * (TRACEPARENT_MAX - 55)}", None),
        (f"cc-{TRACE}-{PARENT}-01.what", None),
        (f"cc-{TRACE}-{PARENT}-0", None),
        (f"cc-{'0' * 32}-{PARENT}-01", None),
        (f"cc-{TRACE}-{'0' * 16}-01", None),
    ],
)
def test_of_a_later_version_it_is_what_this_one_knows(text: str, found: str | None) -> None:
    assert read_traceparent(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        GOOD.upper(),
        GOOD[:-1],
        f"{GOOD}0",
        f"{GOOD}-",
        f"{GOOD}-what",
        f" {GOOD}",
        f"{GOOD}\n",
        f"ff-{TRACE}-{PARENT}-01",
        f"0x-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}g-{PARENT}-01",
        f"00-{TRACE[:-1]}\uff11-{PARENT}-01",
        f"00_{TRACE}-{PARENT}-01",
        f'00-{TRACE}-{PARENT}-01","data":"x',
    ],
)
def test_what_is_not_valid_is_none(text: str) -> None:
    assert read_traceparent(text) is None
    with pytest.raises(InvalidError) as caught:
        check_traceparent(text, field="2.traceparent")
    assert caught.value.field == "2.traceparent"
