"""Publishing in a transaction: an event becomes a row of the application's own database, in the transaction that the
caller is in, and a relay publishes it once that is committed: exactly once, whatever dies. docs/outbox.md says how.

    import sqlite3
    from twinwire import Twinwire, outbox

    connection = sqlite3.connect("shop.db")
    outbox.create_table(connection)
    with connection:
        connection.execute("UPDATE orders SET paid = 1 WHERE id = 17")
        outbox.publish(connection, "orders/17", "paid", {"total": 12})

The command `python -m twinwire.outbox --dsn sqlite:///shop.db` is the relay; `Relay` is the same in a thread.
"""

from twinwire.outbox.command import run_relay
from twinwire.outbox.relay import Relay
from twinwire.outbox.rows import Refusal
from twinwire.outbox.schema import TABLE, create_table, schema
from twinwire.outbox.writing import publish, statement

__all__ = ["TABLE", "Refusal", "Relay", "create_table", "publish", "run_relay", "schema", "statement"]
