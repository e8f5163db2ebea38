from tests.support.outbox_fixtures import database, sql_servers

__all__ = ["database", "sql_servers"]
