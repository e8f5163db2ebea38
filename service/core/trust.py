"""Whether the calendar can be believed: it may be set, by a hand or by a machine that has just found the network.

Durations are measured by what counts them, seconds since the machine began (CLOCK_BOOTTIME, which goes on while it
sleeps). The calendar has to keep up with them: one that is off by more than JUMP since it was last looked at has
jumped. It is not believed then, and time goes on from where it was, until the calendar is there again or somebody who
knows says that it is right (`confirm`). At the start there is nothing to hold it against but the log, whose newest
event can't be of tomorrow.

    state     `unix_ms` is                         leads to
    trusted   the calendar                         doubted: it has jumped, or the newest event is later than now
    doubted   the last believed, and what passed   trusted: it is back within JUMP, or `confirm`
"""

from typing import Final

from service.core.time import Clock

JUMP: Final = 60.0
"""Seconds. Less is what a clock drifts in its sleep, and what is set right a little at a time."""

_JUMP_MS: Final = JUMP * 1000


class TrustedClock:
    """Implements `Clock`, on another. Looked at often enough: before each commit, and at each sweep of the streams."""

    def __init__(self, clock: Clock) -> None:
        self._wall = clock.unix_ms
        self._moment = clock.unix_ms()
        self._passed = clock.elapsed()
        """The last believed moment, and when that was."""
        self.steps = 0
        """How often the calendar was confirmed: times may step back then, once."""
        # What has nothing to do with the calendar is the other clock's, without a call between.
        self.monotonic: Final = clock.monotonic
        self.elapsed: Final = clock.elapsed
        self.worked: Final = clock.worked
        self.sleep: Final = clock.sleep

    def unix_ms(self) -> int:
        wall, passed, believed = self._look()
        if abs(wall - believed) > _JUMP_MS:
            return believed
        self._moment, self._passed = wall, passed
        return wall

    @property
    def doubt(self) -> float:
        """Seconds by which the calendar is ahead of what is believed, behind it if negative; 0 if it is trusted."""
        wall, _, believed = self._look()
        off = (wall - believed) / 1000
        return off if abs(off) > JUMP else 0.0

    def _look(self) -> tuple[int, float, int]:
        """The calendar, the seconds that count, and what the calendar should be by these."""
        wall, passed = self._wall(), self.elapsed()
        return wall, passed, self._moment + round((passed - self._passed) * 1000)

    def not_before(self, newest: int) -> None:
        """There is an event of this moment, in Unix milliseconds."""
        wall, passed, _ = self._look()
        if newest - wall > _JUMP_MS:
            self._moment, self._passed = newest, passed

    def confirm(self) -> float:
        """The calendar is right. By how many seconds that moves the time."""
        doubt = self.doubt
        if doubt:
            self._moment, self._passed = self._wall(), self.elapsed()
            self.steps += 1
        return doubt
