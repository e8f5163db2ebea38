import pytest

from twinwire.errors import RefusedError, TwinwireError
from twinwire.outbox.verdict import Verdict, judged


def refused(status: int, line: int | None = None) -> TwinwireError:
    return TwinwireError("no", status=status, line=line)


@pytest.mark.parametrize(
    ("error", "count", "verdict"),
    [
        (TwinwireError("no answer", is_passing=True), 3, Verdict("later")),
        (TwinwireError("busy", status=429, line=2, is_passing=True), 3, Verdict("later")),
        (RefusedError("who", status=401), 3, Verdict("later")),
        (RefusedError("no", status=403, reason="forbidden"), 1, Verdict("later")),
        (RefusedError("no", status=403, reason="forbidden", line=2), 3, Verdict("hold", 1)),
        (RefusedError("no", status=403, reason="forbidden", line=2, field="topic"), 3, Verdict("hold", 1)),
        (RefusedError("kept", status=403, reason="forbidden", line=2, field="type"), 3, Verdict("aside", 1)),
        (TwinwireError("413, and it is not Twinwire that says so", status=413, is_passing=True), 2, Verdict("fewer")),
        (TwinwireError("413, and it is not Twinwire that says so", status=413, is_passing=True), 1, Verdict("aside")),
        (refused(404), 1, Verdict("later")),
        (refused(501), 1, Verdict("later")),
        (TwinwireError("2 ids for 3 events"), 3, Verdict("later")),
        *[(refused(status, 3), 3, Verdict("aside", 2)) for status in (400, 409, 413, 422)],
        *[(refused(status), 1, Verdict("aside")) for status in (400, 409, 413, 422)],
        *[(refused(status), 2, Verdict("fewer")) for status in (400, 409, 413, 422)],
        (refused(422, 4), 3, Verdict("fewer")),
        (refused(422, 0), 3, Verdict("fewer")),
    ],
)
def test_what_an_answer_means(error: TwinwireError, count: int, verdict: Verdict) -> None:
    assert judged(error, count) == verdict
