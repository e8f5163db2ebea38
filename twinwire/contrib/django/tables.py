"""The operation of the migration: the outbox's table, as `twinwire.outbox.schema` says it on each database.

Django would make another one of the model: without defaults for those who insert by SQL, without the indexes that fit
what the relay asks, and without PostgreSQL's trigger. As statements that `sqlmigrate` shows.
"""

from typing import Any

from django.db import router
from django.db.migrations.operations.base import Operation

from twinwire.outbox.schema import drops, made_once


class MakeOutbox(Operation):
    """Nothing where it is there already, as `create_table` or somebody with other rights may have made it."""

    reduces_to_sql = True
    reversible = True

    def state_forwards(self, app_label: str, state: Any) -> None:
        """The model's state is another operation's."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Raises InvalidError on a database that has no outbox; a router keeps it from there."""
        self._run(app_label, schema_editor, is_made=True)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """What waits is gone then."""
        self._run(app_label, schema_editor, is_made=False)

    def _run(self, app_label: str, schema_editor: Any, *, is_made: bool) -> None:
        connection = schema_editor.connection
        if router.allow_migrate(connection.alias, app_label, model_name="outboxevent"):
            for statement in made_once(connection.vendor) if is_made else drops(connection.vendor):
                schema_editor.execute(statement, params=None)  # or a per cent sign in it would be a value's

    def describe(self) -> str:
        """For `migrate --plan`."""
        return "Make the table of the outbox"
