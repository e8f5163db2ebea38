"""A service for an application's own tests: a real one, in a process, on a database that is thrown away.

    from twinwire import Twinwire
    from twinwire.testing import Service

    with Service() as service, service.published("orders/*") as events:
        Twinwire(service.url).publish("orders/17", "paid", {"total": 12})
    assert [event.data for event in events] == [{"total": 12}]

With pytest, `pytest_plugins = ["twinwire.testing.plugin"]` in conftest.py has it as the fixture `twinwire_service`. It
needs the service: `pip install 'twinwire[server]'`.
"""

from twinwire.testing.service import Service

__all__ = ["Service"]
