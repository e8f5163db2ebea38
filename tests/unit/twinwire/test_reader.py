"""The rules of docs/protocol.md, sections 2 and 3, as the browser client has them."""

import pytest

from twinwire.event import Gap
from twinwire.frames import Frame
from twinwire.reader import Reader, Verdict


def reader(after: str | None = None, **frame: str | None) -> Reader:
    made = Reader(after)
    made.begin(after, Frame("connection", **frame))  # type: ignore[arg-type]
    return made


def test_without_a_cursor_it_goes_on_where_the_connection_says() -> None:
    assert reader(None, id="e-5").cursor == "e-5"
    assert reader("latest", id="e-5").cursor == "e-5"


def test_with_one_a_connection_moves_nothing() -> None:
    """A gap may follow, and a connection that ends before it would hide it for ever."""
    assert reader("e-3", id="e-9").cursor == "e-3"


def test_a_chain_is_delivered_once() -> None:
    one = reader("e-1")
    assert one.event("e-2", "e-1") is Verdict.DELIVER
    assert one.event("e-2", "e-1") is Verdict.DUPLICATE
    assert one.event("e-1", None) is Verdict.DUPLICATE
    assert one.event("e-7", "e-2") is Verdict.DELIVER
    assert one.cursor == "e-7"


def test_a_loss_is_read_again_and_then_told() -> None:
    one = reader("e-1")
    assert one.event("e-9", "e-5") is Verdict.LOST
    assert one.cursor == "e-1"
    assert one.event("e-9", "e-5") is Verdict.UNREPAIRED
    assert one.cursor == "e-9"


def test_a_loss_that_is_repaired() -> None:
    one = reader("e-1")
    assert one.event("e-9", "e-5") is Verdict.LOST
    assert one.event("e-5", "e-1") is Verdict.DELIVER
    assert one.event("e-9", "e-5") is Verdict.DELIVER


def test_another_epoch_without_a_gap_is_foreign() -> None:
    one = reader("e-1")
    assert one.event("f-2", None) is Verdict.FOREIGN
    assert one.gap(Gap("e-1", "epoch", "f-1", None))
    assert one.event("f-2", "f-1") is Verdict.DELIVER


@pytest.mark.parametrize(("floor", "verdict"), [("e-4", Verdict.DELIVER), ("e-2", Verdict.LOST), (None, Verdict.LOST)])
def test_from_the_earliest_the_floor_excuses(floor: str | None, verdict: Verdict) -> None:
    one = reader("earliest", floor=floor)
    assert one.event("e-1", None) is Verdict.DELIVER
    assert one.event("e-5", "e-3") is verdict


def test_a_gap_moves_it_and_is_told_once_of_one_floor() -> None:
    one = reader("e-1")
    gap = Gap("e-1", "trimmed", "e-6", "e-6")
    assert one.gap(gap)
    assert one.cursor == "e-6"
    assert not one.gap(gap)
    assert one.gap(Gap("e-1", "trimmed", "e-8", "e-8"))
    assert one.gap(Gap("e-1", "ahead", "e-8", "e-8"))


def test_positions_go_forward_alone() -> None:
    one = reader("e-4")
    assert one.position("e-6")
    assert not one.position("e-5")
    assert not one.position(None)
    assert not one.position("f-9")
    assert one.cursor == "e-6"


def test_a_gap_of_what_another_connection_has_brought_is_none() -> None:
    one = reader("e-1")
    assert one.event("e-8", "e-1") is Verdict.DELIVER
    assert not one.gap(Gap("e-1", "trimmed", "e-6", "e-6"))
    assert one.cursor == "e-8"
