"""What a client may conclude from the close code of each ending (RFC 6455, 7.4; docs/protocol.md, section 4)."""

import pytest

from service.core.errors import (
    DrainingError,
    ForbiddenError,
    OverloadedError,
    RateLimitedError,
    StorageError,
    TooLargeError,
    TwinwireError,
)
from service.stream.ending import FAULT, FULL, LOST, RESTART, STALLED, Ending, fault_of


def test_codes_are_those_of_the_contract() -> None:
    assert [one.code for one in (LOST, FAULT, RESTART, STALLED)] == [1011, 1011, 1012, 1013]
    assert [one.reason for one in (LOST, FAULT, RESTART, STALLED)] == [None, "restart", "restart", "stalled"]


@pytest.mark.parametrize(
    ("error", "code"),
    [(DrainingError("x"), 1012), (ForbiddenError("x"), 1008), (TooLargeError, 1009), (TwinwireError, 1011)],
)
def test_an_errors_end_has_its_code(error: TwinwireError | type[TwinwireError], code: int) -> None:
    assert Ending.of(error) == Ending(None, code)


@pytest.mark.parametrize(
    ("error", "ending"), [(RateLimitedError("x"), FULL), (OverloadedError("x"), FULL), (StorageError("x"), FAULT)]
)
def test_a_limit_is_no_fault(error: TwinwireError, ending: Ending) -> None:
    assert fault_of(error) == ending
    assert (FULL.reason, FULL.code, FULL.words) == ("limit", 1013, "limit")
