"""Who came and went, as events: on a real log, and a clock that the test moves."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from service.apps.base import Bus
from service.apps.visits import visits as module
from service.apps.visits.rows import PAGE
from service.apps.visits.visits import BATCH, OWED_MAX, SEEN, SETTLED, STOP_MAX, Visits
from service.core.errors import OverloadedError, StorageFullError, TwinwireError
from service.core.event import Draft
from service.core.topics import TopicFilter
from service.log.base import Receipt
from service.log.sqlite.tables import open_tables
from tests.support.clock import ManualClock
from tests.support.members import Members
from tests.support.projects import LimitedBus, World

PLACE = "projects/p"
EARLY = SETTLED - 0.001


class Still(ManualClock):
    """Nobody who sleeps wakes up: the test looks itself."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()


class Bad(LimitedBus):
    """Raises what a test gives it, in the place of every publish that `concerns`."""

    error: Exception | None = None
    largest = 0

    def __init__(self, world: World) -> None:
        super().__init__(world.bus, 1_000_000)

    def concerns(self, drafts: Sequence[Draft]) -> bool:
        return True

    async def publish(self, drafts: Sequence[Draft], *rest: Any) -> Receipt:
        if self.error is not None and self.concerns(drafts):
            raise self.error
        self.largest = max(self.largest, len(drafts))
        return await super().publish(drafts, *rest)


class Desk:
    """The record over one database and one clock, started as often as a test wishes."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.clock: ManualClock = Still()
        self.members = Members()
        self.visits: Visits

    @asynccontextmanager
    async def open(self, places: str = "projects/**", bus: Any = None, most: int = 100) -> AsyncIterator[Visits]:
        """Ends as a killed process does, unless the test closes it."""
        tables = await open_tables(self.world.path)
        on: Bus = bus or self.world.bus
        self.members = Members()
        self.visits = Visits(on, tables, self.members, self.clock, TopicFilter((places,)), most)
        await self.visits.start()
        try:
            yield self.visits
        finally:
            task = self.visits._task
            assert task is not None
            task.cancel()
            await asyncio.wait([task])
            await tables.close()

    def come(self, user: str | None, place: str = PLACE, tab: str = "a") -> None:
        self.members.enter(place, f"{user}-{tab}", user=user)

    def go(self, user: str | None, place: str = PLACE, tab: str = "a") -> None:
        self.members.leave(place, f"{user}-{tab}")

    async def after(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await self.visits.look()

    @property
    def told(self) -> list[tuple[str, Any, Any, Any]]:
        """Type, user, members and duration."""
        return [
            (one.type.removeprefix("presence."), one.data["user"], one.data["members"], one.data["duration"])
            for one in self.world.told
        ]

    async def rows(self, table: str = "visits") -> list[tuple[Any, ...]]:
        tables = await open_tables(self.world.path)
        try:
            async with tables.view() as view:
                return list(await view.rows(f"SELECT * FROM {table}"))
        finally:
            await tables.close()


@pytest.fixture
async def desk(world: World) -> Desk:
    return Desk(world)


async def test_a_visit_is_two_events(desk: Desk) -> None:
    async with desk.open():
        desk.come("ada")
        await desk.after(EARLY)
        assert desk.told == []
        await desk.after(0.001)
        assert desk.told == [("came", "ada", 1, SETTLED)]
        assert desk.world.told[0].topic == PLACE
        await desk.after(600)
        desk.go("ada")
        await desk.after(EARLY)
        assert len(desk.told) == 1
        await desk.after(0.001)
        assert desk.told[1:] == [("went", "ada", 0, SETTLED + 600)]
        assert (desk.visits.held, await desk.rows()) == (0, [])


async def test_who_goes_within_half_a_minute_never_came(desk: Desk) -> None:
    async with desk.open():
        for _ in range(5):
            desk.come("ada")
            await desk.after(EARLY)
            desk.go("ada")
            await desk.after(1)
        await desk.after(SETTLED)
        assert (desk.told, desk.visits.held) == ([], 0)


async def test_who_is_back_within_half_a_minute_never_went(desk: Desk) -> None:
    async with desk.open():
        desk.come("ada")
        await desk.after(SETTLED)
        for _ in range(5):
            desk.go("ada")
            await desk.after(EARLY)
            desk.come("ada")
            await desk.after(SETTLED)
        desk.go("ada")
        await desk.after(SETTLED)
        assert desk.told == [
            ("came", "ada", 1, SETTLED),
            ("went", "ada", 0, pytest.approx(SETTLED + 5 * (EARLY + SETTLED))),
        ]


async def test_members_of_a_user_do_not_count(desk: Desk) -> None:
    async with desk.open():
        desk.come("ada")
        desk.come("ada", tab="b")
        await desk.after(SETTLED)
        desk.go("ada")
        desk.come("bob")
        await desk.after(SETTLED)
        desk.go("ada", tab="b")
        await desk.after(SETTLED)
        assert [one[:3] for one in desk.told] == [("came", "ada", 1), ("came", "bob", 2), ("went", "ada", 1)]


async def test_each_place_is_a_visit_of_its_own(desk: Desk) -> None:
    async with desk.open():
        desk.come("ada")
        desk.come("ada", "projects/q")
        desk.come("ada", "elsewhere")
        await desk.after(SETTLED)
        desk.go("ada")
        await desk.after(SETTLED)
        assert [(one.topic, one.type) for one in desk.world.told] == [
            (PLACE, "presence.came"),
            ("projects/q", "presence.came"),
            (PLACE, "presence.went"),
        ]


async def test_who_is_nobody_is_not_told_of(desk: Desk) -> None:
    async with desk.open():
        desk.come(None)
        await desk.after(SETTLED)
        desk.go(None)
        await desk.after(SETTLED)
        assert (desk.told, desk.visits.held) == ([], 0)


# Over a stop


async def test_a_visit_goes_on_over_a_restart(desk: Desk) -> None:
    async with desk.open() as visits:
        desk.come("ada")
        await desk.after(SETTLED)
        await visits.close()
    await desk_restarts(desk, 20)
    async with desk.open() as visits:
        await desk.after(EARLY)
        desk.come("ada")
        await desk.after(100)
        await visits.close()
    async with desk.open():
        desk.come("ada")
        await desk.after(SETTLED)
        desk.go("ada")
        await desk.after(SETTLED)
        duration = SETTLED + 20 + EARLY + 100 + SETTLED
        assert desk.told == [("came", "ada", 1, SETTLED), ("went", "ada", 0, pytest.approx(duration, abs=0.002))]


async def desk_restarts(desk: Desk, seconds: float) -> None:
    """So long nothing runs, and then another process: with a monotonic clock of its own."""
    now = desk.clock.now + round(seconds * 1000)
    desk.clock = Still(now)
    desk.clock._seconds = 5.0


async def test_who_does_not_come_back_went_when_the_service_stopped(desk: Desk) -> None:
    async with desk.open() as visits:
        for user in ("ada", "bob"):
            desk.come(user)
        await desk.after(SETTLED)
        desk.go("bob")
        await desk.after(10)
        await visits.close()
    await desk_restarts(desk, STOP_MAX - 10)
    async with desk.open():
        await desk.after(EARLY)
        assert len(desk.told) == 2
        await desk.after(0.002)
        assert sorted(desk.told[2:]) == [("went", "ada", None, SETTLED + 10), ("went", "bob", None, SETTLED)]
        assert await desk.rows() == []


async def test_after_a_kill_it_is_known_to_a_minute(desk: Desk) -> None:
    async with desk.open():
        desk.come("ada")
        await desk.after(SETTLED)
        await desk.after(SEEN)
        await desk.after(SEEN - 1)
    await desk_restarts(desk, 3)
    async with desk.open():
        await desk.after(SETTLED)
        assert desk.told[1:] == [("went", "ada", None, SETTLED + SEEN)]


async def test_a_long_stop_ends_visits_and_who_is_there_then_has_come_anew(desk: Desk) -> None:
    async with desk.open() as visits:
        desk.come("ada")
        await desk.after(SETTLED)
        await visits.close()
    await desk_restarts(desk, STOP_MAX + 1)
    async with desk.open():
        desk.come("ada")
        await desk.after(1)
        assert desk.told[1:] == [("went", "ada", None, SETTLED)]
        await desk.after(SETTLED)
        assert desk.told[2:] == [("came", "ada", 1, SETTLED + 1)]
        assert len(await desk.rows()) == 1


async def test_one_that_stops_again_and_again_keeps_nobody_there(desk: Desk) -> None:
    async with desk.open() as visits:
        desk.come("ada")
        await desk.after(SETTLED)
        await visits.close()
    for proper in (False, True, False, True):
        await desk_restarts(desk, 100)
        async with desk.open() as visits:
            desk.come("bob")
            await desk.after(EARLY)
            if proper:
                await visits.close()
    await desk_restarts(desk, 1)
    async with desk.open():
        await desk.after(1)
        assert ("went", "ada", None, SETTLED) in desk.told


async def test_who_is_back_is_not_taken_for_gone_by_the_next_process(desk: Desk) -> None:
    """Killed long after the restart: the moment of the first stop counts no more."""
    async with desk.open() as visits:
        desk.come("ada")
        await desk.after(SETTLED)
        await visits.close()
    await desk_restarts(desk, 5)
    async with desk.open():
        desk.come("ada")
        await desk.after(SETTLED)
        await desk.after(SEEN)
        assert [gone for *_, gone in await desk.rows()] == [None]
    await desk_restarts(desk, 5)
    async with desk.open():
        await desk.after(SETTLED)
        assert desk.told[1:] == [("went", "ada", None, SETTLED + 5 + SETTLED + SEEN)]


async def test_who_came_just_before_a_stop_comes_after_it(desk: Desk) -> None:
    async with desk.open() as visits:
        desk.come("ada")
        await desk.after(10)
        await visits.close()
    await desk_restarts(desk, 5)
    async with desk.open():
        desk.come("ada")
        await desk.after(SETTLED)
        assert desk.told == [("came", "ada", 1, SETTLED)]


async def test_a_calendar_that_went_back_makes_no_negative_time(desk: Desk) -> None:
    async with desk.open() as visits:
        desk.come("ada")
        await desk.after(SETTLED)
        await visits.close()
    await desk_restarts(desk, -86_400)
    async with desk.open():
        await desk.after(SETTLED)
        assert desk.told[1][3] >= 0


async def test_many_are_read_page_by_page(desk: Desk) -> None:
    count = PAGE + 3
    async with desk.open(most=count) as visits:
        for number in range(count):
            desk.come(f"u{number:04}")
        await desk.after(SETTLED)
        for number in range(count):
            desk.go(f"u{number:04}")
        await visits.close()
    await desk_restarts(desk, 1)
    async with desk.open(most=count):
        assert desk.visits.held == count
        await desk.after(SETTLED)
        assert len(desk.told) == 2 * count
        assert await desk.rows() == []


# Bounds and failures


async def test_visits_that_are_known_have_a_bound(desk: Desk) -> None:
    async with desk.open(most=2):
        with capture_logs() as logs:
            for user in ("ada", "bob", "eve", "kim"):
                desk.come(user)
            desk.come("ada", tab="b")
        assert [one["event"] for one in logs] == ["visits_full"]
        assert desk.visits.held == 2
        await desk.after(SETTLED)
        desk.go("eve")
        desk.go("bob")
        await desk.after(SETTLED)
        desk.come("lou")
        await desk.after(SETTLED)
        told = [("came", "ada"), ("came", "bob"), ("went", "bob"), ("came", "lou")]
        assert [one[:2] for one in desk.told] == told


async def test_many_are_stored_a_part_at_a_time(desk: Desk) -> None:
    bus, count = Bad(desk.world), 2 * BATCH + 1
    async with desk.open(bus=bus, most=count):
        for number in range(count):
            desk.come(f"u{number}")
        await desk.after(SETTLED)
        assert (len(desk.told), bus.largest) == (count, BATCH)


FULL = StorageFullError("the disk is full")


@pytest.mark.parametrize("error", [FULL, OverloadedError("too many"), RuntimeError("a mistake")])
async def test_a_coming_that_can_not_be_stored_is_forgotten(desk: Desk, error: Exception) -> None:
    bus = Bad(desk.world)
    async with desk.open(bus=bus):
        desk.come("ada")
        bus.error = error
        with capture_logs() as logs:
            if isinstance(error, TwinwireError):
                await desk.after(SETTLED)
            else:
                with pytest.raises(RuntimeError):
                    await desk.after(SETTLED)
        assert [one["event"] for one in logs] == ["visits_dropped"]
        bus.error = None
        desk.go("ada")
        await desk.after(SETTLED)
        assert (desk.told, desk.visits.held) == ([], 0)
        desk.come("ada")
        await desk.after(SETTLED)
        assert [one[:2] for one in desk.told] == [("came", "ada")]


async def test_a_going_that_can_not_be_stored_is_not_told_later(desk: Desk) -> None:
    bus = Bad(desk.world)
    async with desk.open(bus=bus):
        for user in ("ada", "bob"):
            desk.come(user)
        await desk.after(SETTLED)
        desk.go("ada")
        bus.error = FULL
        await desk.after(SETTLED)
        bus.error = None
        desk.come("ada")
        await desk.after(SETTLED)
        assert [one[:2] for one in desk.told] == [("came", "ada"), ("came", "bob"), ("came", "ada")]
        desk.go("bob")
        bus.error = FULL
        await desk.after(SETTLED)
        bus.error = None
        await desk.visits.close()
    await desk_restarts(desk, STOP_MAX + 1)
    async with desk.open():
        await desk.after(1)
        assert [one[:2] for one in desk.told[3:]] == [("went", "ada")]


async def test_rows_that_are_owed_have_a_bound(desk: Desk) -> None:
    bus, count = Bad(desk.world), OWED_MAX + 5
    async with desk.open(bus=bus, most=count):
        for number in range(count):
            desk.come(f"u{number}")
        await desk.after(SETTLED)
        for number in range(count):
            desk.go(f"u{number}")
        bus.error = FULL
        await desk.after(SETTLED)
        assert (len(desk.visits._owed), desk.visits.held) == (OWED_MAX, 0)


async def test_one_place_too_many_keeps_no_other_from_being_written_down(desk: Desk) -> None:
    class Crowded(Bad):
        def concerns(self, drafts: Sequence[Draft]) -> bool:
            return any(draft.topic == "projects/new" for draft in drafts)

    bus = Crowded(desk.world)
    bus.error = OverloadedError("there are as many topics as there may be")
    async with desk.open(bus=bus):
        for place in ("projects/a", "projects/new", "projects/b"):
            desk.come("ada", place)
        await desk.after(SETTLED)
        assert [one.topic for one in desk.world.told] == ["projects/a", "projects/b"]


async def test_a_disk_that_is_full_at_the_stop_ends_nothing_else(desk: Desk) -> None:
    bus = Bad(desk.world)
    async with desk.open(bus=bus) as visits:
        desk.come("ada")
        await desk.after(SETTLED)
        bus.error = FULL
        with capture_logs() as logs:
            await desk.after(SEEN)
            await visits.close()
        assert [one["event"] for one in logs] == ["visits_not_noted"] * 2


# In the middle of being stored


class Slow(Bad):
    """Stores nothing until a test lets it."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def publish(self, drafts: Sequence[Draft], *rest: Any) -> Receipt:
        self.reached.set()
        await self.go_on.wait()
        return await super().publish(drafts, *rest)

    async def stop(self, desk: Desk, seconds: float) -> asyncio.Task[None]:
        """In the middle of what a look stores."""
        self.reached.clear()
        self.go_on.clear()
        looking = asyncio.create_task(desk.after(seconds))
        await self.reached.wait()
        return looking


async def test_who_goes_while_his_coming_is_stored(desk: Desk) -> None:
    bus = Slow(desk.world)
    async with desk.open(bus=bus):
        desk.come("ada")
        looking = await bus.stop(desk, SETTLED)
        desk.go("ada")
        bus.go_on.set()
        await looking
        await desk.after(SETTLED)
        assert desk.told == [("came", "ada", 1, SETTLED), ("went", "ada", 0, SETTLED)]


async def test_who_comes_while_his_going_is_stored_has_come_anew(desk: Desk) -> None:
    bus = Slow(desk.world)
    async with desk.open(bus=bus):
        desk.come("ada")
        await desk.after(SETTLED)
        desk.go("ada")
        looking = await bus.stop(desk, SETTLED)
        desk.come("ada")
        bus.go_on.set()
        await looking
        await desk.after(SETTLED)
        desk.go("ada")
        await desk.after(SETTLED)
        assert [one[0] for one in desk.told] == ["came", "went", "came", "went"]
        assert [one[3] for one in desk.told] == [SETTLED, SETTLED, SETTLED, SETTLED]


async def test_a_log_that_stands_still_holds_nobody_up(desk: Desk) -> None:
    bus = Slow(desk.world)
    async with desk.open(bus=bus, most=10_000):
        desk.come("ada")
        looking = await bus.stop(desk, SETTLED)
        for number in range(1_000):
            desk.come(f"u{number}")
            desk.go(f"u{number}")
        assert desk.visits.held == 1
        bus.go_on.set()
        await looking


# By itself


async def test_it_looks_by_itself_and_rests_when_nobody_is_there(desk: Desk) -> None:
    desk.clock = ManualClock()
    async with desk.open():
        desk.come("ada")
        await desk.world.until(lambda told: told.type == "presence.came")
        desk.go("ada")
        await desk.world.until(lambda told: told.type == "presence.went")
        for _ in range(50):
            await asyncio.sleep(0)
        slept = len(desk.clock.slept)
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(desk.clock.slept) == slept


async def test_a_mistake_does_not_end_it(desk: Desk) -> None:
    desk.clock = ManualClock()
    bus = Bad(desk.world)
    bus.error = RuntimeError("a mistake")
    async with desk.open(bus=bus):
        with capture_logs() as logs:
            desk.come("ada")
            while not any(one["event"] == "visits_failed" for one in logs):
                await asyncio.sleep(0)
        bus.error = None
        desk.go("ada")
        desk.come("ada")
        await desk.world.until(lambda told: told.type == "presence.came")
        assert module.LOOK in desk.clock.slept
