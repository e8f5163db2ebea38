"""From a commit to every live subscriber: one synchronous loop, cut into slices when there is much to do.

A round covers everything between what was fanned out and the head, so commits that arrive while a long round
is under way are joined into the next one. Nothing here waits: a subscriber that does not take a write becomes a
reader from its own cursor.

Rule 1: a round holds references to events, and the payload of one group at a time: it is made when the group's turn
comes, and what outlives it is what a connection's buffer holds.
Rule 2: a group gets a page in a round at most. One with more is behind by definition: its members read from their
cursors, with back-pressure. So are all, if more waits than PENDING_BYTES.
Rule 3: a slice in each turn of the loop, from the commit's own on. The second comes before the publishers resume, whose
answers bring the next requests: their work would else stand between two subscribers of one event.
Rule 4: what it takes to find an event's groups depends on the filters of all. A round has so many looks at them (see
`index.py`); who would be found with more is behind too, and reads, which takes his own time and not that of all.
Rule 5: whoever takes no write anyway, such as a waiting poll, is only told; no frame is made for it.
"""

from collections.abc import Callable, Generator
from typing import Any, Final

from service.bus.group import Group, Groups
from service.bus.index import Looks
from service.bus.reading import PAGE_BYTES
from service.bus.rounds import Notes, Rounds
from service.bus.steps import Driver
from service.bus.tail import Entry
from service.core.event import TOPIC
from service.core.histogram import Histogram

SLICE: Final = 256
"""Writes between two looks at the event loop, about a millisecond."""

WRITE_BYTES: Final = 32 * 1024
"""Of one write; a longer one counts as several."""

SEARCH: Final = 0.002
"""Seconds between two looks at the event loop while the groups of a round's events are looked for: what one takes
depends on the filters of all, those that are gone again among them."""

LOOK: Final = 64
"""Events and groups, of no search, between two looks at the clock: some microseconds."""

PENDING_BYTES: Final = 16 << 20
"""Of events and their frames that wait for a round: twice what one request may bring."""


FRAMES: Final = 8
"""Frames joined that count as much as one write."""

STRIDE: Final = 16
"""Frames made between two looks at their size, since an event may be as long as a page."""

ENTRIES: Final = 2_000
"""Events of a round for one group; even without any data, the frames of more are a page."""


class FanOut:
    """Moves `groups.fed` on, which trails the head only within a round."""

    def __init__(self, groups: Groups, head: int, now: Callable[[], float], remembered: Rounds | None = None) -> None:
        self._groups = groups
        self._now = now
        """In seconds. Not the loop's clock, which stands within a turn."""
        self._remembered = remembered
        """Where a round is told of, once for each group; None: nowhere."""
        self._pending: list[Entry] = []
        """Committed and not in a round yet, in log order."""
        self._pending_bytes = 0
        """What they hold; more than PENDING_BYTES: they were dropped, and everybody is behind."""
        self._last = head
        """The offset that the next round ends with."""
        self._driver = Driver("fan-out")
        """Of rounds: of the first, a slice is in the step of its commit."""
        groups.fed = head
        self.deliveries = 0
        """Events written so far, one for each subscriber that took it."""
        self._since: float | None = None
        """When the first commit came that is not in a round yet."""
        self.durations = Histogram()
        """Seconds from there to the end of its round: what an event waits here, for the last who is written to."""

    def feed(self, entries: list[Entry], at: float) -> None:
        """Deliver `entries`, the next ones of the log, now or right after the round that is under way.

        `at` is now, which whoever calls has looked up: in seconds, as all here.
        """
        self._last = entries[-1].event.offset
        if self._since is None:
            self._since = at
        if not self._driver.is_busy:
            self._pending = entries
            self._driver.begin(self._rounds())  # mostly everybody has it by now
            return
        self._pending_bytes += sum([entry.held for entry in entries])
        if self._pending_bytes > PENDING_BYTES:
            self._pending.clear()
        else:
            self._pending += entries

    @property
    def is_busy(self) -> bool:
        """Whether a round is under way."""
        return self._driver.is_busy

    async def settle(self) -> None:
        """Return when no round is under way."""
        await self._driver.settle()

    def _rounds(self) -> Generator[bool, None, None]:
        """Writes until nothing is pending; yields True whenever the loop should be given a turn before it goes on."""
        room, remembered = SLICE, self._remembered
        while self._groups.fed < self._last:
            notes: Notes = []
            cost_of_notes = 0
            entries, self._pending = self._pending, []
            since, self._since = self._since, None
            is_overrun, self._pending_bytes = self._pending_bytes > PENDING_BYTES, 0
            before, last = self._groups.fed, self._last
            if is_overrun:
                shares: dict[Group[Any], list[Entry]] = {group: [] for group in self._groups}
            else:
                shares = yield from self._match(entries)
            del entries
            for group, share in shares.items():
                frames = _frames(group, share)
                payload, cost = None, 1
                if frames is not None:
                    payload = group.encoding.join(frames)
                    if len(frames) > 1 or len(frames[0]) > WRITE_BYTES:
                        cost += sum(map(len, frames)) // WRITE_BYTES
                        room -= len(frames) // FRAMES
                live = tuple(group.live)
                start = written = 0
                while start < len(live):
                    if room <= 0:
                        yield True
                        room = SLICE
                    part = live[start : start + (room // cost or 1)]
                    if frames is None:
                        for subscription in part:
                            subscription.overtake(before, last)
                    else:
                        taken = sum([subscription.deliver(payload, before, last) for subscription in part])
                        self.deliveries += len(frames) * taken
                        written += taken
                    start += len(part)
                    room -= cost * len(part)
                if remembered is not None:
                    label = group.label
                    notes += (label, len(live), written)
                    cost_of_notes += label.cost
            self._groups.fed = last
            ended = self._now()
            if since is not None:
                self.durations.observe(ended - since)
            if remembered is not None:
                remembered.add(before, last, ended, notes, cost_of_notes)

    def _match(self, entries: list[Entry]) -> Generator[bool, None, dict[Group[Any], list[Entry]]]:
        """What each group with live members gets of a round. Groups that come meanwhile have read past its end."""
        shares: dict[Group[Any], list[Entry]] = {}
        known, now = self._groups.known, self._now
        looks: Looks[Group[Any]] | None = None
        until, work = now() + SEARCH, 0
        for entry in entries:
            topic = entry.event[TOPIC]
            found = known(topic)
            if found is None:
                looks = looks or Looks()
                found = yield from self._groups.find(topic, looks)
                work = LOOK
            for group in found:
                if group.live:
                    share = shares.get(group)
                    if share is None:
                        shares[group] = [entry]
                    elif len(share) <= ENTRIES:
                        share.append(entry)
            work += 1 + len(found)
            if work >= LOOK:
                work = 0
                if now() >= until:
                    yield True
                    until = now() + SEARCH
        for group in looks.passed_over if looks is not None else ():
            if group.live:
                shares[group] = []
        return shares


def _frames(group: Group[Any], share: list[Entry]) -> list[bytes] | None:
    """A page of them at most; None if there are more, or nobody takes them: then they are read from the cursor."""
    encoding = group.encoding
    if not encoding.is_fed or not 0 < len(share) <= ENTRIES:
        return None
    if len(share) == 1:
        frame = share[0].frame(encoding)
        return [frame] if len(frame) <= PAGE_BYTES else None
    frames: list[bytes] = []
    size = 0
    for start in range(0, len(share), STRIDE):
        made = [entry.frame(encoding) for entry in share[start : start + STRIDE]]
        size += sum(map(len, made))
        if size > PAGE_BYTES:
            return None
        frames += made
    return frames
