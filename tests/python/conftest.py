"""A server that most of the tests share, each on topics of its own, and a client for it on each transport."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.server import ServerProcess
from twinwire import AsyncTwinwire, Timing, Transport
from twinwire.chooser import TRANSPORTS

QUICK = Timing(backoff_base=0.05, backoff_cap=0.2, probe=0.5, productive=0.5, hedge=1.0)
"""So that a test of a back-off does not wait for one."""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("python"), env={"TWINWIRE_APPS": "none"}) as process:
        yield process
        assert process.stop() == 0
        assert process.faults() == []


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> Transport:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
async def live(server: ServerProcess, transport: Transport) -> AsyncIterator[AsyncTwinwire]:
    """On one transport."""
    async with AsyncTwinwire(server.url, transports=[transport], timing=QUICK) as made:
        yield made


@pytest.fixture
async def any_live(server: ServerProcess) -> AsyncIterator[AsyncTwinwire]:
    async with AsyncTwinwire(server.url, timing=QUICK) as made:
        yield made


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TWINWIRE_URL", raising=False)
    monkeypatch.delenv("TWINWIRE_TOKEN", raising=False)
