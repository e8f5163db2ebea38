"""Where runs wait, and for how long."""

import os
import stat
import time
from pathlib import Path

import pytest

from tests.support.spools import new_spool
from twinwire.errors import InvalidError
from twinwire.running import folder as module
from twinwire.running.folder import earlier, prune, runs_folder
from twinwire.running.spool import Spool


def test_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TWINWIRE_RUNS_DIR", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert runs_folder() == tmp_path / "state" / "twinwire" / "runs"
    assert stat.S_IMODE(runs_folder().stat().st_mode) == 0o700
    monkeypatch.setenv("XDG_STATE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert runs_folder() == tmp_path / "home" / ".local" / "state" / "twinwire" / "runs"
    monkeypatch.setenv("TWINWIRE_RUNS_DIR", str(tmp_path / "named"))
    assert runs_folder() == tmp_path / "named"


def test_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TWINWIRE_RUNS_DIR", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)

    def home() -> Path:
        raise RuntimeError("there is none")

    monkeypatch.setattr(Path, "home", home)
    with pytest.raises(InvalidError, match="no home folder for runs, nor TWINWIRE_RUNS_DIR"):
        runs_folder()


def test_one_that_others_write_into_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINWIRE_RUNS_DIR", str(tmp_path / "open"))
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(InvalidError, match="others may write"):
        runs_folder()
    monkeypatch.setenv("TWINWIRE_RUNS_DIR", str(tmp_path / "file" / "x"))
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidError, match="can't be made"):
        runs_folder()


def runs(folder: Path, count: int) -> list[Spool]:
    """From old to new, as their names say."""
    made = []
    for number in range(count):
        spool = new_spool(folder)
        spool.append(b"x" * 100)
        spool.close()
        made.append(spool.path.rename(folder / f"2026-{number}"))
    return [Spool(path) for path in made]


def test_the_oldest_go_by_count_by_size_and_by_age(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spools = runs(tmp_path, 9)
    for spool in spools[1:]:
        spool.close()
    assert prune(tmp_path) == 0
    monkeypatch.setattr(module, "COUNT_MAX", 6)
    assert prune(tmp_path) == 2, "one is under way, and stays"
    assert [path.name for path in earlier(tmp_path)] == [f"2026-{n}" for n in (0, 3, 4, 5, 6, 7, 8)]
    monkeypatch.setattr(module, "BYTES_MAX", 1_000)
    assert prune(tmp_path) == 3
    os.utime(tmp_path / "2026-6" / "output.log", (1, 1))
    os.utime(tmp_path / "2026-6", (1, 1))
    (tmp_path / "half").mkdir()
    assert prune(tmp_path) == 1
    assert prune(tmp_path, time.time() + module.AGE_MAX + 10) == 3, "what never became a run, too"
    assert [path.name for path in tmp_path.iterdir()] == ["2026-0"]
