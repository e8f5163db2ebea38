"""Who has much to do gives way in between."""

from service.log.pace import Pace


async def test_gives_way_as_often_as_its_time_is_over() -> None:
    now, turns = 0.0, list[float]()

    async def turn() -> None:
        nonlocal now
        turns.append(now)
        now += 10  # what others take is not its own

    pace = Pace(lambda: now, 1.0, turn)
    for _ in range(8):
        now += 0.4
        await pace()
    assert len(turns) == 2
    assert turns[0] == 0.4 + 0.4 + 0.4
    assert turns[1] - (turns[0] + 10) >= 1.0
