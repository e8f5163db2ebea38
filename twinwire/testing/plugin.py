"""Fixtures of pytest: `pytest_plugins = ["twinwire.testing.plugin"]` in the conftest.py at the root of the tests."""

from collections.abc import Iterator

import pytest

from twinwire.blocking import Twinwire
from twinwire.testing.service import Service


@pytest.fixture(scope="session")
def twinwire_service() -> Iterator[Service]:
    """One service for all tests, without keys. While they run `TWINWIRE_URL` is its, and there is no
    `TWINWIRE_TOKEN`, so that an application that takes them from the environment finds it."""
    with Service() as service, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TWINWIRE_URL", service.url)
        patch.delenv("TWINWIRE_TOKEN", raising=False)
        yield service


@pytest.fixture
def twinwire_client(twinwire_service: Service) -> Iterator[Twinwire]:
    """A client of it."""
    with Twinwire(twinwire_service.url) as client:
        yield client
