"""`twinwire tail --once`: what there is. Following is in tests/e2e/test_command.py, as a process of its own."""

import json

import pytest

from tests.support import api
from tests.unit.twinwire.command.conftest import Run
from twinwire.command import tail as module
from twinwire.errors import TwinwireError


def test_what_is_published_is_tailed(run: Run) -> None:
    topic = api.unique("tour")
    id = run("publish", f"{topic}/1", "note", '{"n": 1.0, "s": "\u00e9"}').stdout.strip()
    again = run("publish", f"{topic}/1", "note", "[1,\n 2]").stdout.strip()
    tail = run("tail", f"{topic}/*", "--after", "earliest", "--once", "--json")
    first, second = (json.loads(line) for line in tail.stdout.splitlines())
    assert (first["id"], first["topic"], first["data"]) == (id, f"{topic}/1", {"n": 1.0, "s": "\u00e9"})
    assert (second["id"], second["prev"], second["data"]) == (again, id, [1, 2])
    (rest,) = run("tail", f"{topic}/1", "--after", id, "--once").stdout.splitlines()
    assert f"{again} {topic}/1 note [1,  2]" in rest
    assert run("tail", f"{topic}/1", "--once").stdout == "", "from now on there is nothing"


def test_all_pages_of_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    topic = api.unique("pages")
    ids = [run("publish", topic, "note", str(n)).stdout.strip() for n in range(5)]
    monkeypatch.setattr(module, "PAGE", 2)
    tail = run("tail", topic, "--after", "earliest", "--once", "--json")
    assert [json.loads(line)["id"] for line in tail.stdout.splitlines()] == ids


def test_a_gap_is_told(run: Run) -> None:
    topic = api.unique("gap")
    id = run("publish", topic, "note", "1").stdout.strip()
    gap, event = run("tail", topic, "--after", "other-1", "--once").stdout.splitlines()
    assert gap.startswith("gap (epoch): other-1 -> ")
    assert id in event
    as_json = json.loads(run("tail", topic, "--after", "other-1", "--once", "--json").stdout.splitlines()[0])
    assert as_json["type"] == "gap"
    assert (as_json["reason"], as_json["requested"]) == ("epoch", "other-1")


def test_what_is_no_filter_is_refused(run: Run) -> None:
    for args in (("a//b", "--once"), ("a//b",)):
        with pytest.raises(TwinwireError, match="422 ") as caught:
            raise run("tail", *args).exception or AssertionError
        assert caught.value.field == "topic"
