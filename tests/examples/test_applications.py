"""What holds for every application of examples/: its size, its three lines, and that it can be found."""

from pathlib import Path

import pytest

from tests.examples.programs import EXAMPLES, lines_of, told_in

LINES_MAX = 99
NAMES = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())


def test_there_are_some() -> None:
    assert {"celery", "django", "fastapi", "flask"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_small_and_says_in_three_lines_how_it_is_run(name: str) -> None:
    files = [path for path in (EXAMPLES / name).rglob("*") if path.suffix in (".py", ".html", ".js", ".md")]
    assert sum(len(path.read_text("utf-8").splitlines()) for path in files) <= LINES_MAX
    install, *run = lines_of(name)
    assert install.startswith("pip install ")
    assert len(run) == 2


@pytest.mark.parametrize("name", NAMES)
def test_it_has_its_row_and_its_test(name: str) -> None:
    assert f"| [{name}]({name}/{told_in(name)}) |" in (EXAMPLES / "README.md").read_text("utf-8")
    assert (Path(__file__).parent / f"test_{name}.py").exists()
