"""A server to talk to."""

from collections.abc import Iterator

import pytest

from tests.support.server import ServerProcess


@pytest.fixture(scope="package")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ServerProcess(tmp_path_factory.mktemp("server"), env={"TWINWIRE_LOG_LEVEL": "warning"}) as process:
        yield process.url
