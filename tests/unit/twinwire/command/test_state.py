"""`twinwire state`: the latest of each subject, and the cursor that it includes."""

import json

from tests.support import api
from tests.unit.twinwire.command.conftest import Run


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
