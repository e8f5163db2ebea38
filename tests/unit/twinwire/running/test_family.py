"""What a command has started ends with it."""

import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from twinwire.running.family import Family, send


def test_all_that_it_has_started() -> None:
    script = "sh -c 'sleep 600 & echo $!; wait' & wait"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        sleeper = int(process.stdout.readline())
        family = Family(process.pid)
        assert sleeper in family.living()
        assert len(family.living()) == 3
        family.send(signal.SIGTERM)
        assert process.stdout.read() == ""
        assert process.wait(30) == -signal.SIGTERM
    assert family.living() == []


def test_who_ignores_a_signal_is_known_when_his_parent_has_ended() -> None:
    script = "sh -c 'trap \"\" TERM; echo stays; while :; do sleep 0.05; done' & wait"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "stays\n"
        family = Family(process.pid)
        family.send(signal.SIGTERM)
        assert process.wait(30) == -signal.SIGTERM
        assert family.living()
        while left := family.living():  # what it starts meanwhile
            send(left, signal.SIGKILL)
        assert process.stdout.read() == ""


def test_without_a_proc_it_is_the_command(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "600"]) as process:
        family = Family(process.pid, tmp_path)
        family.send(signal.SIGTERM)
        assert process.wait(30) == -signal.SIGTERM
    assert family.living() == []


def write(proc: Path, processes: Mapping[int, tuple[str, int, int, int]]) -> None:
    """State, parent, group and beginning of each."""
    for pid, (state, parent, group, began) in processes.items():
        (proc / str(pid)).mkdir(exist_ok=True)
        rest = " ".join(["0"] * 16)
        (proc / str(pid) / "stat").write_text(f"{pid} (a) b) {state} {parent} {group} {rest} {began} 0 0\n")


def test_names_with_parentheses_numbers_that_are_used_again_and_groups(tmp_path: Path) -> None:
    write(tmp_path, {3: ("S", 2, 3, 10), 7: ("S", 3, 7, 11), 9: ("S", 7, 7, 12), 10: ("S", 1, 10, 13)})
    write(tmp_path, {11: ("S", 1, 3, 14), 12: ("Z", 3, 3, 15)})
    (tmp_path / "8").mkdir()
    (tmp_path / "8" / "stat").write_text("")
    family = Family(3, tmp_path)
    assert sorted(family.living()) == [3, 7, 9, 11]
    write(tmp_path, {3: ("Z", 2, 3, 10), 7: ("S", 1, 7, 99), 9: ("S", 1, 7, 12), 20: ("R", 9, 20, 100)})
    assert sorted(family.living()) == [9, 11, 20]
    in_our_job = Family(7, tmp_path)
    assert sorted(in_our_job.living()) == [7, 9, 20]
