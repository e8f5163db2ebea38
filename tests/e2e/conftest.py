"""Servers for the tests: one that most of them share, each on topics of its own, and a factory for the
others.
"""

from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from tests.support.server import ServerProcess

Serve = Callable[..., ServerProcess]


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with its defaults, the example application among them."""
    yield from _shared(tmp_path_factory.mktemp("shared"), {"TWINWIRE_GENERATION_PACE": "0"})


@pytest.fixture(scope="session")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server without any application."""
    yield from _shared(tmp_path_factory.mktemp("alone"), {"TWINWIRE_APPS": "none"})


def _shared(directory: Path, env: dict[str, str]) -> Iterator[ServerProcess]:
    with ServerProcess(directory, env=env) as process:
        yield process
        assert process.stop() == 0
        assert process.faults() == []


@pytest.fixture
def server(request: pytest.FixtureRequest) -> ServerProcess:
    """A server for tests that neither stop it nor need an empty log.

    The contract holds without any application, but for its section on projects: so that is how its tests run, and
    those marked `projects` and all others on a server with its defaults.
    """
    contract = request.module.__name__.rpartition(".")[2].startswith("test_contract_")
    has_example = not contract or request.node.get_closest_marker("projects") is not None
    found: ServerProcess = request.getfixturevalue("example" if has_example else "alone")
    return found


@pytest.fixture
def url(server: ServerProcess) -> str:
    """The base URL of the shared server."""
    return server.url


@pytest.fixture(scope="session")
def brisk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A shared server whose heart beats every second."""
    with ServerProcess(tmp_path_factory.mktemp("brisk"), env={"TWINWIRE_HEARTBEAT": "1"}) as process:
        yield process
        assert process.stop() == 0
        assert process.faults() == []


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """`serve(**env)` starts a server on a database of its own; `TWINWIRE_` is put before the names of
    `env`.
    """
    started: list[ServerProcess] = []

    def start(*args: str, **env: str) -> ServerProcess:
        named = {f"TWINWIRE_{name.upper()}": value for name, value in env.items()}
        started.append(ServerProcess(tmp_path / f"server{len(started)}", env=named, args=args))
        return started[-1].start()

    yield start
    for process in started:
        process.discard()
    assert [fault for process in started for fault in process.faults()] == []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the log of every server that a failing test has touched."""
    report = yield
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, ServerProcess):
                report.sections.append((f"log of {name}", value.log_tail()))
    return report
