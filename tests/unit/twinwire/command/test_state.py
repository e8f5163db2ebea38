"""`twinwire state`: the latest of each subject, and the cursor that it includes."""

import json

from tests.support import api
from tests.unit.twinwire.command.conftest import Run
from twinwire.errors import InvalidError


def test_what_is_too_long_to_be_asked_for_is_told(run: Run) -> None:
    error = run("state", "a", "--subject", "s" * 70_000).exception
    assert isinstance(error, InvalidError)
    assert "can't be asked for" in error.detail


def test_what_there_is(run: Run) -> None:
    topic = api.unique("state")
    for subject, data in (("a", '"old"'), ("a", '"new"'), ("b", "1")):
        run("publish", topic, "x", data, "--subject", subject)
    last = run("publish", topic, "x", '"er"', "--subject", "a", "--append").stdout.strip()
    shown = run("state", topic)
    assert [line.partition(" x ")[2] for line in shown.stdout.splitlines()] == ['a = "new"', "b = 1", 'a += "er"']
    assert shown.stderr == f"twinwire: as of {last}\n"
    found = [json.loads(line) for line in run("state", topic, "--subject", "a", "--join", "--json").stdout.splitlines()]
    assert found[-1] == {"cursor": last}
    assert [(one["id"], one["data"]) for one in found[:-1]] == [(last, "newer")]
