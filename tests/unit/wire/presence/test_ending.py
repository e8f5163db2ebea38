"""What the end of a stream means for whom it held."""

import pytest

from service.core.words import LeaveReason
from service.stream.ending import EXPIRED, FAULT, FORBIDDEN, FULL, INVALID, LOST, RESTART, REVOKED, STALLED, Ending
from service.wire.presence.ending import why_of


@pytest.mark.parametrize(
    ("ending", "why"),
    [
        (None, "closed"),
        (LOST, "lost"),
        (STALLED, "lost"),
        (Ending(None, 1003), "lost"),
        (EXPIRED, "revoked"),
        (REVOKED, "revoked"),
        (RESTART, "closed"),
        (FULL, "closed"),
        (FAULT, "closed"),
        (INVALID, "closed"),
        (FORBIDDEN, "closed"),
    ],
)
def test_each(ending: Ending | None, why: LeaveReason) -> None:
    assert why_of(ending, is_lost=False) == why


def test_a_client_that_left_without_a_word_is_lost() -> None:
    assert why_of(None, is_lost=True) == "lost"
    assert why_of(REVOKED, is_lost=True) == "revoked"
