"""One project, on one database of each kind: its tables are made once, and the outbox is emptied after each test."""

from collections.abc import Callable, Iterator

import pytest
from django.core.management import call_command

from tests.support import django_shop, sqlservers
from tests.support.outbox_fixtures import Servers, database, sql_servers

__all__ = ["database", "sql_servers"]

django_shop.configure()

Shops = Callable[[str], sqlservers.Database]


@pytest.fixture(scope="session")
def shops(sql_servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Shops:
    """By kind."""
    made: dict[str, sqlservers.Database] = {}

    def shop(kind: str) -> sqlservers.Database:
        if kind not in made:
            made[kind] = sql_servers.database(kind, tmp_path_factory.mktemp("shop"))
            django_shop.use(made[kind].dsn)
            call_command("migrate", run_syncdb=True, verbosity=0)
        return made[kind]

    return shop


@pytest.fixture(params=sqlservers.KINDS)
def shop(request: pytest.FixtureRequest, shops: Shops) -> Iterator[sqlservers.Database]:
    """It is the default one."""
    found = shops(request.param)
    django_shop.use(found.dsn)
    yield found
    django_shop.forget()
    found.run("DELETE FROM twinwire_outbox")


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment says of a service."""
    for name in ("URL", "TOKEN", "TOKEN_KEYS", "TOKEN_AUDIENCE"):
        monkeypatch.delenv(f"TWINWIRE_{name}", raising=False)
