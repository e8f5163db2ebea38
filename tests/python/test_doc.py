"""Every block of docs/python.md, docs/outbox.md and docs/sqlalchemy.md, as it stands there, each as a program of its
own, one after the other."""

import subprocess
import sys
from pathlib import Path

from tests.support.documents import blocks, first_line_of_the_readme
from tests.support.server import ServerProcess, environment

TOGETHER = 60.0
"""Seconds for one of them."""


def run_all(name: str, tmp_path: Path) -> list[str]:
    """What each has printed."""
    said: list[str] = []
    with ServerProcess(tmp_path / "server", env={"TWINWIRE_APPS": "none"}) as server:
        env = environment({"TWINWIRE_URL": server.url}) | {"TWINWIRE_TOKEN": ""}
        for block in blocks(name):
            run = subprocess.run(
                [sys.executable, "-W", "error", "-c", block],
                cwd=tmp_path,
                env=env,
                capture_output=True,
                text=True,
                timeout=TOGETHER,
                check=False,
            )
            assert run.returncode == 0, block + run.stderr
            assert run.stderr == ""
            said.append(run.stdout)
    return said


def test_each_does_what_the_page_says(tmp_path: Path) -> None:
    said = run_all("docs/python.md", tmp_path)
    assert len(said) == 11
    assert "orders/17 paid {'total': 12}" in said[0]
    assert said[1] == "orders/18 9\n"
    assert (tmp_path / "mails.cursor").read_text().count("-") == 1
    assert "opened\n" in said[6]
    assert said[7] == "['Ada']\n[{'name': 'Ada', 'looks_at': 'app.py'}]\n"
    assert said[8] == "boards/7 1\nworker-3\n"
    assert said[4] == "{'on': True}\n"


def test_an_order_is_published_with_its_transaction(tmp_path: Path) -> None:
    told, statement = run_all("docs/outbox.md", tmp_path)
    assert told == "{'total': 12}\n"
    assert statement.startswith("INSERT INTO twinwire_outbox")


def test_an_order_is_published_with_its_session(tmp_path: Path) -> None:
    told, waiting = run_all("docs/sqlalchemy.md", tmp_path)
    assert told == "orders/1\n"
    assert waiting == '{"is_paid":true}\n'


def test_the_lines_of_the_readme(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "server", env={"TWINWIRE_APPS": "none"}) as server:
        env = environment({"TWINWIRE_URL": server.url}) | {"TWINWIRE_TOKEN": ""}
        said = first_line_of_the_readme(sys.executable, tmp_path, env)
    assert said.endswith("tour/1 {'text': 'hello'}\n")
