import pytest

from twinwire.cursor import compare, is_after, is_covered, is_cursor


@pytest.mark.parametrize("text", ["k7f3q2-0", "a-9223372036854775807", "0-1"])
def test_a_cursor(text: str) -> None:
    assert is_cursor(text)


@pytest.mark.parametrize(
    "text", ["earliest", "latest", "", "a-01", "a-", "-1", "A-1", "a-1\n", "a-1-2", None, 7, "a-٣"]
)
def test_no_cursor(text: object) -> None:
    assert not is_cursor(text)


@pytest.mark.parametrize(
    ("a", "b", "order"), [("e-9", "e-10", -1), ("e-10", "e-9", 1), ("e-9", "e-9", 0), ("e-9", "f-9", None)]
)
def test_their_order(a: str, b: str, order: int | None) -> None:
    found = compare(a, b)
    assert (found is None) == (order is None)
    assert found is None or (found > 0) - (found < 0) == order
    assert is_after(a, b) == (order == 1)
    assert is_covered(a, b) == (order in (-1, 0))
