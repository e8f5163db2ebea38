"""The command as a shell calls it, in this process."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from twinwire.command.main import commands

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def nothing_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("URL", "TOKEN", "TOKEN_FILE"):
        monkeypatch.delenv(f"TWINWIRE_{name}", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, url: str) -> Run:
    monkeypatch.setenv("TWINWIRE_URL", url)

    def call(*args: str, input: str | bytes | None = None) -> Result:
        return CliRunner().invoke(commands(lambda: None), args, input=input)

    return call
