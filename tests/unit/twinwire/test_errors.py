import errno

import pytest

from twinwire.errors import ORDERED_MAX, Fault, InvalidError, Problem, RefusedError, bounded, why

PROBLEM = Problem(status=0, title="No", detail="no")


@pytest.mark.parametrize(
    ("fault", "refusal"),
    [
        (Fault("http", "", 401), "invalid"),
        (Fault("http", "", 403), "forbidden"),
        (Fault("goodbye", "", code=1008, reason="auth", said="expired"), "expired"),
        (Fault("goodbye", "", code=1008, reason="auth", said="whatever"), "invalid"),
        (Fault("closed", "auth:revoked", code=1008), "revoked"),
        (Fault("closed", "", code=1012), None),
        (Fault("http", "", 503, PROBLEM), None),
    ],
)
def test_what_refuses_a_credential(fault: Fault, refusal: str | None) -> None:
    assert fault.refusal == refusal
    error = fault.error()
    assert isinstance(error, RefusedError) is (refusal is not None)
    assert not isinstance(error, RefusedError) or error.reason == refusal


@pytest.mark.parametrize(
    ("status", "problem", "is_final", "is_passing"),
    [
        (422, PROBLEM, True, False),
        (422, None, False, True),  # from something in between
        (409, PROBLEM, True, False),
        (429, PROBLEM, False, True),
        (408, PROBLEM, False, True),
        (503, PROBLEM, False, True),
        (502, None, False, True),
        (414, None, True, False),
        (431, None, True, False),
        (302, None, False, True),
    ],
)
def test_what_another_try_can_change(status: int, problem: Problem | None, is_final: bool, is_passing: bool) -> None:
    fault = Fault("http", "said", status, problem)
    assert fault.is_final is is_final
    assert fault.error().is_passing is is_passing


def test_an_error_names_what_is_to_blame() -> None:
    error = Fault("http", "said", 422, Problem(422, "T", "d", "topic", 3), retry_after=2.0).error()
    assert (error.status, error.title, error.field, error.line, error.retry_after) == (422, "T", "topic", 3, 2.0)
    assert str(error) == "said"


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [(1, 1.0), (-5, 0.0), (1e9, ORDERED_MAX), (float("nan"), None), ("1", None), (None, None), (True, None)],
)
def test_an_ordered_delay_is_bounded(delay: object, seconds: float | None) -> None:
    assert bounded(delay) == seconds


def test_people_are_told_of_an_error_without_its_number() -> None:
    errors = [InvalidError("no"), OSError(errno.ENOSPC, "No space left"), OSError("torn"), ValueError("beyond")]
    assert [why(error) for error in errors] == ["no", "No space left", "torn", "beyond"]
