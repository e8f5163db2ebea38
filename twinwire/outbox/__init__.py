"""Publishing in a transaction: an event becomes a row of the application's own database, in the transaction that the
caller is in, and a relay publishes it once that is committed: exactly once, whatever dies. docs/outbox.md says how.

    import sqlite3
    from twinwire import Twinwire, outbox

    connection = sqlite3.connect("shop.db")
    outbox.create_table(connection)
    with connection:
        connection.execute("UPDATE orders SET paid = 1 WHERE id = 17")
        outbox.publish(connection, "orders/17", "paid", {"total": 12})

The command `twinwire relay --dsn sqlite:///shop.db` is the relay; `Relay` is the same in a thread.
"""

from typing import TYPE_CHECKING, Final

from twinwire.lazily import lazily
from twinwire.outbox.schema import TABLE, create_table, drop_table, schema
from twinwire.outbox.writing import publish, statement

if TYPE_CHECKING:
    from twinwire.outbox.relay import Relay
    from twinwire.outbox.rows import Refusal
    from twinwire.outbox.running import run_relay

__all__ = ["TABLE", "Refusal", "Relay", "create_table", "drop_table", "publish", "run_relay", "schema", "statement"]

_HOMES: Final = {"relay": "Relay", "rows": "Refusal", "running": "run_relay"}
"""By module: an application whose relay is elsewhere needs no client."""


if not TYPE_CHECKING:  # or every name would be one of the package's
    __getattr__ = lazily(__name__, _HOMES)
