"""`twinwire who`: who is there, and who comes and goes."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pytest

from tests.support import api
from tests.support.server import ServerProcess, command, environment
from tests.unit.twinwire.command.conftest import Run
from tests.unit.twinwire.present import member
from twinwire import Timing, Twinwire
from twinwire.command import who as module
from twinwire.errors import RefusedError, TwinwireError
from twinwire.roll import Change, Left, User

DEADLINE = 30.0


def test_who_is_there(run: Run, url: str) -> None:
    place = api.unique("who")
    with (
        Twinwire(url) as live,
        live.place(f"{place}/1", member="t-1", data={"name": "Ad\x1ba"}),
        live.place(f"{place}/1", member="longer-2"),
        live.place(f"{place}/2", member="t-3"),
    ):
        first, *rows, second, row = run("who", f"{place}/*").stdout.splitlines()
        assert (first, second) == (f"{place}/1: 2 users, 2 members", f"{place}/2: 1 user, 1 member")
        assert sorted(line.split()[1] for line in rows) == ["longer-2", "t-1"]
        (row_of_t,) = (line for line in rows if " t-1 " in line)
        assert row_of_t.endswith('Z  {"name":"Ad\\u001ba"}')
        assert len({line.index("Z  {") for line in rows}) == 1, "in columns"
        assert row.split()[:2] == ["-", "t-3"]
        (told,) = (json.loads(line) for line in run("who", f"{place}/2", "--json").stdout.splitlines())
        assert told.pop("since").endswith("Z")
        assert told == {"place": f"{place}/2", "user": None, "member": "t-3", "data": {}, "verified": False}


def test_nobody(run: Run) -> None:
    place = api.unique("nobody")
    shown = run("who", place, f"{place}/*")
    assert (shown.exit_code, shown.stdout) == (0, "")
    assert shown.stderr == f"twinwire: nobody is at {place}, {place}/*\n"


def test_what_is_refused_is_told(run: Run) -> None:
    for args in (("a//b",), ("a//b", "--follow"), ("a b", "--json")):
        error = run("who", *args).exception
        assert isinstance(error, TwinwireError)
        assert error.status == 422
    for args in (("twinwire/x",), ("twinwire/x", "--follow")):
        assert isinstance(run("who", *args).exception, RefusedError)
    assert run("who").exit_code == 2


@contextmanager
def following(url: str, *args: str) -> Iterator[IO[str]]:
    """What a process of its own prints that follows."""
    with subprocess.Popen(
        command("who", "--follow", *args, "--url", url),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout
        finally:
            process.kill()


def test_who_comes_and_goes(url: str) -> None:
    place = api.unique("follow")
    with Twinwire(url) as live, live.place(place, member="a", watch=False), following(url, place) as lines:
        assert lines.readline().split(" ", 2)[1:] == [place, "came - a {}\n"]
        with live.place(place, member="b", data={"n": 1}) as room:
            assert lines.readline().endswith(f' {place} came - b {{"n":1}}\n')
            room.set({"n": 2})
            assert lines.readline().endswith(f' {place} changed - b {{"n":2}}\n')
        assert lines.readline().endswith(f" {place} went - b (left)\n")


def test_it_follows_over_a_restart(tmp_path_factory: pytest.TempPathFactory) -> None:
    quick = Timing(backoff_cap=1.0)  # back before whoever follows takes it to have gone
    with ServerProcess(tmp_path_factory.mktemp("who")) as server, Twinwire(server.url, timing=quick) as live:
        with live.place("p", member="a") as room, following(server.url, "p", "--json") as lines:
            assert [one["member"] for one in json.loads(lines.readline())["joins"]] == ["a"]
            server.kill9()
            server.start()
            room.set({"n": 1})
            told = json.loads(lines.readline())
        assert (told["joins"], told["leaves"], told["came"], told["went"]) == ([], [], [], [])
        assert [one["data"] for one in told["updates"]] == [{"n": 1}]


def test_lines_of_a_change(capsys: pytest.CaptureFixture[str]) -> None:
    ada, more, bob = member("ada:a"), member("eve:e2"), member("bob:b\x1b")
    change = Change("p", (ada, more), (), (Left(bob, "lo\x1bst"),), (User("ada", (ada,)),), (), 2, 3, False)
    module._show_change(change, as_json=False)
    left, came, joined = capsys.readouterr().out.splitlines()
    assert left.endswith(" p left bob b\\u001b (lo\\u001bst)")
    assert came == "2026-11-23T05:50:00.000Z p came ada a {}"
    assert joined.endswith(" p joined eve e2 {}")
    module._show_change(Change("p", (), (), (), (), (), 1_600, 1_700, True), as_json=False)
    assert capsys.readouterr().out.endswith(" p 1,600 users, 1,700 members\n")
    module._show_change(change, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["leaves"] == [{"user": "bob", "member": "b\x1b", "reason": "lo\x1bst"}]
    assert (told["came"], told["users"], told["members"]) == (["ada"], 2, 3)
