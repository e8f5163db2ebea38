"""A service that a test makes misbehave, and what asks it."""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from tests.support.reported import Reported
from twinwire.http import Http
from twinwire.place import Place
from twinwire.running.reports import Reports
from twinwire.timing import Timing
from twinwire.token import Token

QUICK = Timing(connect=5.0, request=5.0, backoff_base=0.001, backoff_cap=0.002)


@pytest.fixture
def service() -> Iterator[Reported]:
    with Reported() as reported:
        yield reported


@pytest.fixture
async def asked(service: Reported) -> AsyncIterator[Callable[[], Reports]]:
    """Makes who asks the service."""
    http = Http(Place(service.url), Token(""), QUICK)
    yield lambda: Reports(http)
    await http.close()
