import io
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import override_settings

from tests.support import django_shop
from tests.support.outbox_fixtures import Servers
from tests.support.sqlservers import Database
from tests.unit.twinwire.outbox.taking import make, put
from twinwire.contrib.django.models import OutboxEvent
from twinwire.contrib.django.tables import MakeOutbox

ASKED = {
    "sqlite": ("SELECT type, name, sql FROM sqlite_schema WHERE tbl_name = 'twinwire_outbox' ORDER BY name",),
    "postgresql": (
        "SELECT column_name, data_type, character_maximum_length, is_nullable, column_default, identity_generation"
        " FROM information_schema.columns WHERE table_name = 'twinwire_outbox' ORDER BY ordinal_position",
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'twinwire_outbox' ORDER BY indexname",
        "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'twinwire_outbox'::regclass",
        "SELECT proname, prosrc FROM pg_proc WHERE proname LIKE 'twinwire%'",
    ),
    "mysql": ("SHOW CREATE TABLE twinwire_outbox",),
}
"""All that a database knows of the table."""

LEFT = {
    "sqlite": "SELECT name FROM sqlite_schema WHERE name LIKE 'twinwire%'",
    "postgresql": "SELECT relname FROM pg_class WHERE relname LIKE 'twinwire%'"
    " UNION SELECT proname FROM pg_proc WHERE proname LIKE 'twinwire%'",
    "mysql": "SHOW TABLES LIKE 'twinwire%'",
}
"""What there is by that name."""


class Nowhere:
    """A router that wants nothing of ours."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return False if (app_label, hints.get("model_name")) == ("twinwire", "outboxevent") else None


@pytest.fixture(name="empty")
def _empty(database: Database) -> Iterator[Database]:
    """The default one, with nothing in it."""
    django_shop.use(database.dsn)
    yield database
    django_shop.forget()


def migrate(name: str | None = "0001_outbox") -> None:
    """To this one, or to none; without what Django's own applications make behind it."""
    MigrationExecutor(connection).migrate([("twinwire", name)])


def described(database: Database) -> list[Any]:
    return [tuple(row) for statement in ASKED[database.kind] for row in database.run(statement.replace("%", "%%"))]


def test_it_is_the_table_of_the_outbox(empty: Database, sql_servers: Servers, tmp_path_factory: Any) -> None:
    """Its trigger too."""
    other = sql_servers.database(empty.kind, tmp_path_factory.mktemp("other"))
    make(other)
    migrate()
    assert described(empty) == described(other)
    assert len(described(empty)) == {"sqlite": 3, "postgresql": 16, "mysql": 1}[empty.kind]


def test_it_goes_without_a_trace(empty: Database) -> None:
    migrate()
    migrate(None)
    assert empty.run(LEFT[empty.kind].replace("%", "%%")) == []
    migrate()
    assert OutboxEvent.objects.count() == 0


def test_one_that_is_there_stays(empty: Database) -> None:
    make(empty)
    put(empty, 1)
    migrate()
    assert OutboxEvent.objects.get().data == "1"


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_one_that_is_there_is_not_touched(empty: Database) -> None:
    """By whom it is not his, though its trigger was taken away, and while somebody writes to it."""
    make(empty)
    empty.run("DROP TRIGGER twinwire_outbox_notify ON twinwire_outbox")
    role = f"guest_{uuid.uuid4().hex}"
    empty.run(f"CREATE ROLE {role} LOGIN")
    empty.run(f"GRANT CREATE ON SCHEMA public TO {role}")
    django_shop.use(empty.dsn, USER=role, OPTIONS={"options": "-c lock_timeout=1s"})
    before = described(empty)
    writing = empty.connect()
    writing.execute("INSERT INTO twinwire_outbox (topic, type, data) VALUES ('orders/1', 'paid', '1')")
    try:
        migrate()
    finally:
        writing.close()
    assert described(empty) == before


def test_a_router_keeps_it_away(empty: Database) -> None:
    with override_settings(DATABASE_ROUTERS=[Nowhere()]):
        migrate()
        migrate(None)
    assert empty.run(LEFT[empty.kind].replace("%", "%%")) == []


def test_its_statements_are_shown(empty: Database) -> None:
    out = io.StringIO()
    call_command("sqlmigrate", "twinwire", "0001", stdout=out)
    assert "CREATE TABLE IF NOT EXISTS twinwire_outbox" in out.getvalue()
    assert empty.run(LEFT[empty.kind].replace("%", "%%")) == []
    out = io.StringIO()
    call_command("migrate", "twinwire", plan=True, stdout=out)
    assert "Custom state/database change combination" in out.getvalue()
    assert MakeOutbox().describe() == "Make the table of the outbox"


def test_nothing_of_the_model_is_missing(empty: Database) -> None:
    """The model is as its migration says, and the table as the model does."""
    call_command("makemigrations", "twinwire", check=True, dry_run=True, verbosity=0)
    migrate()
    with connection.cursor() as cursor:
        found = connection.introspection.get_table_description(cursor, "twinwire_outbox")
    nulls = {column.name: bool(column.null_ok) for column in found}
    assert nulls | {"id": False} == {field.column: field.null for field in OutboxEvent._meta.fields}
