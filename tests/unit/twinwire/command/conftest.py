"""A server to talk to, and the command as a shell calls it, in this process."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.support.server import ServerProcess
from twinwire.command.main import commands

Run = Callable[..., Result]


@pytest.fixture(scope="package")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ServerProcess(tmp_path_factory.mktemp("server"), env={"TWINWIRE_LOG_LEVEL": "warning"}) as process:
        yield process.url


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
