"""Which project a run is of."""

from collections.abc import Callable

import pytest

from tests.support.reported import PROJECT, Reported
from twinwire.errors import TwinwireError
from twinwire.running.reports import Reports
from twinwire.running.spool import about

Asked = Callable[[], Reports]


async def test_a_name_an_id_and_a_name_that_looks_like_one(service: Reported, asked: Asked) -> None:
    run = await asked().begin(about("Demo", "", "make", "host"), None)
    assert (run.project, run.number, run.reported, run.limits.items) == (PROJECT, 1, 0, 1_000)
    assert [path for path, _ in service.requests] == ["/api/projects", f"/api/projects/{PROJECT}/runs"]
    again = await asked().begin(about(PROJECT, "", "make", None), None)
    assert (again.project, again.number) == (PROJECT, 2)
    assert "host" not in service.requests[-1][1]
    assert len(service.requests) == 3
    await asked().begin(about("deploy" * 2, "", "make", None), None)
    assert set(service.projects) == {"Demo", "deploydeploy"}


async def test_the_same_key_is_the_same_run(service: Reported, asked: Asked) -> None:
    one = about("Demo", "", "make", "host")
    assert await asked().begin(one, None) == await asked().begin(one, PROJECT)


async def test_trouble_is_told_and_not_taken_for_a_name(service: Reported, asked: Asked) -> None:
    service.fault = lambda method, path: 401
    with pytest.raises(TwinwireError) as caught:
        await asked().begin(about(PROJECT, "", "make", None), None)
    assert caught.value.status == 401
    assert service.projects == {}
