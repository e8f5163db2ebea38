"""A clock that stands still until a test moves it."""

import asyncio


class ManualClock:
    """Implements `service.core.time.Clock`. Sleeping takes no time and moves it by as much."""

    doubt = 0.0
    steps = 0

    def __init__(self, now: int = 1_800_000_000_000) -> None:
        self.now = now
        """Unix milliseconds; a test may set them."""
        self.slept: list[float] = []
        self._seconds = 1_000.0

    def unix_ms(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return self._seconds

    def elapsed(self) -> float:
        return self._seconds

    def worked(self) -> float:
        """As if nobody ever waited."""
        return self._seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> int:
        """Move by `seconds`; if negative, only the calendar goes back. Returns its new time."""
        self.now += round(seconds * 1000)
        self._seconds += max(0.0, seconds)
        return self.now


class HeldClock(ManualClock):
    """Sleeping lasts until a test has moved it so far."""

    def __init__(self, now: int = 1_800_000_000_000) -> None:
        super().__init__(now)
        self._moved = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        end = self._seconds + seconds
        while self._seconds < end:
            await self._moved.wait()

    def advance(self, seconds: float) -> int:
        now = super().advance(seconds)
        self._moved.set()
        self._moved = asyncio.Event()
        return now


class StillClock(ManualClock):
    """The clock of a command; `between` is called at each pause, with how many there were."""

    def __init__(self) -> None:
        super().__init__()
        self.paused: list[float] = []

    def between(self, pauses: int) -> None:
        """For a test to replace."""

    def pause(self, seconds: float) -> None:
        self.paused.append(seconds)
        self.advance(seconds)
        self.between(len(self.paused))
