"""What the agent makes of what the generated tests say."""

import pytest

from service.apps.projects.agents.base import AgentError, Executed
from service.apps.projects.agents.tests import result_of

PASSED = "test_a (tests.test_x.X.test_a) ... ok\n\n-----\nRan 41 tests in 0.123s\n\nOK\n"
FAILED = """
test_a (tests.test_x.X.test_a) ... FAIL
======================================================================
FAIL: test_a (tests.test_x.X.test_a)
----------------------------------------------------------------------
Traceback (most recent call last):
AssertionError: FAIL: it says
======================================================================
FAIL: test_a (tests.test_x.Y.test_a) (n=1)
======================================================================
FAIL: test_a (tests.test_x.Y.test_a) (n=2)
======================================================================
ERROR: setUpClass (tests.test_y.Y)
----------------------------------------------------------------------
Ran 41 tests in 0.123s

FAILED (failures=3, errors=1)
"""


def test_all_passed() -> None:
    assert result_of(Executed(True, 0, None, PASSED)) == "41 tests passed"
    assert result_of(Executed(True, 0, None, PASSED.replace("41 tests", "1 test"))) == "1 test passed"


def test_what_did_not_run_says_why() -> None:
    assert result_of(Executed(False, None, "it is off", "")) == "not run: it is off"


@pytest.mark.parametrize(
    ("executed", "sentence"),
    [
        (Executed(True, 1, None, FAILED), "3 of 41 tests failed: test_a, test_a, setUpClass"),
        (Executed(True, 1, None, FAILED.replace("Y)\n", "Y)\nERROR: b (x)\n")), "4 of 41 tests failed: .* and others"),
        (Executed(True, None, "time", PASSED), "took longer than 120 s"),
        (Executed(True, None, "memory", ""), "more memory"),
        (Executed(True, None, "output", ""), "put out more"),
        (Executed(True, None, "folder", ""), "wrote more"),
        (Executed(True, 139, None, "Segmentation"), "exit status 139"),
        (Executed(True, 5, None, "Ran 0 tests in 0.000s\n\nNO TESTS RAN"), "exit status 5"),
        (Executed(True, 0, None, ""), "did not say"),
        (Executed(True, 1, None, PASSED), "exit status 1"),
    ],
)
def test_all_else_fails_the_run(executed: Executed, sentence: str) -> None:
    with pytest.raises(AgentError, match=sentence):
        result_of(executed)
