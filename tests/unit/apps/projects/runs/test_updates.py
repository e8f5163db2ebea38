"""Progress is told twice a second at most, and the last of it always."""

from service.apps.projects.runs.limits import UPDATE_PACE
from service.apps.projects.runs.updates import KNOWN_MAX, Updates
from tests.support.clock import HeldClock, ManualClock
from tests.support.projects import Plain, World
from tests.support.reporter import Reporter


async def test_progress_is_paced_and_the_last_is_told(world: World) -> None:
    clock = HeldClock()
    service = await world.service([Plain()], clock=clock)
    one = Reporter(service, (await service.create("P", None)).id)
    await one.begin()
    clock.advance(UPDATE_PACE)
    for percent in range(1, 21):
        await one.report({"progress": percent})
    clock.advance(UPDATE_PACE)
    told = await world.until(lambda told: told.type == "run_update" and told.data["progress"] == 20)
    assert [one["progress"] for one in world.of("run_update") if one["progress"]] == [1, 20]
    assert told.topic == f"projects/{one.project}"


async def test_of_many_runs_the_oldest_are_forgotten(world: World) -> None:
    service = await world.service([Plain()])
    updates = Updates(world.bus, service._store, ManualClock())
    for number in range(KNOWN_MAX + 1):
        updates.told(str(number))
    assert (updates.is_due("0"), updates.is_due("1")) == (True, False)
