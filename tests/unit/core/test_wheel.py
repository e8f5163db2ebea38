"""Each is taken once, at its time or within a second after it, whatever became of its time meanwhile."""

import math
import random

from service.core.wheel import TICK, Wheel


class Item:
    def __init__(self, due: float = math.inf) -> None:
        self.due = due
        self.slot = -1


def test_each_is_taken_when_its_time_has_come_and_not_before() -> None:
    wheel: Wheel[Item] = Wheel()
    items = [Item(n / 4) for n in range(40)]
    for item in items:
        wheel.put(item)
    wheel.put(never := Item())
    assert len(wheel) == 40
    now, taken = 0.0, []
    while len(wheel):
        found = list(wheel.take(now, 100))
        assert all(now - TICK <= item.due <= now for item in found)
        taken += found
        now += 0.25
    assert sorted(taken, key=items.index) == items
    assert (never.slot, wheel.has_due(now)) == (-1, False)


def test_one_that_is_put_off_costs_nothing_until_its_first_time() -> None:
    wheel: Wheel[Item] = Wheel()
    wheel.put(item := Item(5.0))
    for n in range(100):
        item.due = 30.0 + n
        wheel.put(item)
    assert item.slot == 5
    assert list(wheel.take(5.0, 10)) == []
    assert item.slot == 129
    item.due = 7.0
    wheel.put(item)
    assert list(wheel.take(6.9, 10)) == []
    assert list(wheel.take(7.0, 10)) == [item]
    assert len(wheel) == 0


def test_a_look_takes_so_many_and_the_next_goes_on() -> None:
    wheel: Wheel[Item] = Wheel()
    items = [Item(1.0) for _ in range(25)]
    for item in items:
        wheel.put(item)
    found = []
    while wheel.has_due(2.0):
        part = list(wheel.take(2.0, 10))
        assert len(part) <= 10
        found += part
    assert sorted(found, key=items.index) == items


def test_what_is_done_with_one_may_take_another_out() -> None:
    wheel: Wheel[Item] = Wheel()
    items = [Item(1.0) for _ in range(10)]
    for item in items:
        wheel.put(item)
    found = set[Item]()
    for item in wheel.take(1.0, 100):
        found.add(item)
        if other := next((one for one in items if one not in found and one.slot >= 0), None):
            wheel.remove(other)
            wheel.remove(other)
    assert len(found) == 5
    assert not wheel._slots


def test_at_random() -> None:
    chance, wheel, now = random.Random(7), Wheel[Item](), 0.0
    items = [Item() for _ in range(200)]
    for _ in range(3_000):
        item = chance.choice(items)
        match chance.randrange(4):
            case 0:
                item.due = now + chance.uniform(0, 40)
                wheel.put(item)
            case 1:
                wheel.remove(item)
                item.due = math.inf
            case _:
                now += chance.uniform(0, 0.5)
                for found in wheel.take(now, 1_000):
                    assert found.due <= now
                    found.due = math.inf
        assert not any(one.due <= now - TICK for one in items)
        assert len(wheel) == sum(one.slot >= 0 for one in items)
