"""What those that wait are told, by an orchestrator with one slot."""

from tests.support.projects import BRIEF, Gate, World


async def test_each_is_told_its_place_and_again_when_those_before_it_have_left(world: World) -> None:
    gate = Gate()
    service = await world.service([gate], concurrency=1)
    ids = [(await service.create(f"P{number}", BRIEF)).id for number in range(4)]
    runs = [await service.generate(id) for id in ids]
    assert [run.message for run in runs] == ["Queued", "Next in the queue", "2nd in the queue", "3rd in the queue"]
    await gate.reached.wait()
    await service.cancel(ids[1])
    moved = "2nd in the queue"
    last = await world.until(lambda told: (told.data.get("id"), told.data.get("message")) == (runs[3].id, moved))
    assert last.topic == f"projects/{ids[3]}"
    assert (await service.snapshot(ids[3])).run.message == "2nd in the queue"  # type: ignore[union-attr]
    gate.open.set()
    for run in (runs[0], runs[2], runs[3]):
        assert (await world.completion(run.id)).data["status"] == "completed"
