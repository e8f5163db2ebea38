"""One empty database of each kind, on servers that all tests of a session share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import sqlservers


class Servers:
    """Each is started when it is first asked for."""

    def __init__(self) -> None:
        self._started: dict[str, sqlservers.Server] = {}

    def database(self, kind: str, folder: Path) -> sqlservers.Database:
        if kind == "sqlite":
            return sqlservers.sqlite(folder)
        if kind not in self._started:
            server = sqlservers.Postgresql() if kind == "postgresql" else sqlservers.Mariadb()
            server.start()
            self._started[kind] = server
        return self._started[kind].database()

    def stop(self) -> None:
        for server in self._started.values():
            server.stop()


@pytest.fixture(scope="session")
def sql_servers() -> Iterator[Servers]:
    servers = Servers()
    yield servers
    servers.stop()


@pytest.fixture(params=sqlservers.KINDS)
def database(request: pytest.FixtureRequest, sql_servers: Servers, tmp_path: Path) -> sqlservers.Database:
    return sql_servers.database(request.param, tmp_path)
