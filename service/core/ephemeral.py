"""Events that are not kept: what one is, how often they go out, and what waits of them for a moment.

They are delivered to whoever is live, at most once. What can't go out yet waits in one of three places, and in each of
them the newest wins: of several with the same *what* (topic, type, key and sender) there is one.

    of a sender   `Throttle`, beyond his rate: KEYS_MAX of them; they go out as his tokens come back
    of a lane     `Throttle`, beyond LANE_RATE for one topic, type and key, whoever sends: one
    of a reader   `Slots` (slots.py), while he is not live or takes nothing, until he is live again

Each has a moment, `until`, past which nobody wants it any more. What waits is counted in bytes, so that a crowd can't
fill the memory.

Pure: the time is handed in, in seconds of one clock that does not go back.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, Literal, get_args

import msgspec

from service.core.errors import OverloadedError, RateLimitedError
from service.core.rates import Rate

KEYS_MAX: Final = 64
"""Events of one sender that wait for his rate, each with a key of its own; one more is refused."""

LANE_RATE: Final = 30
"""Frames a second for one topic, type and key: as often as people see something move."""

LANES_MAX: Final = 4_000
"""Topics, types and keys of which something went out within a frame's time, or waits: a hundred thousand a second."""

SENDERS_MAX: Final = 20_000
"""Senders who have sent something lately, about 200 bytes each."""

HELD_BYTES: Final = 8 << 20
"""Of all that waits for a rate."""

TICK: Final = 1 / 60
"""Seconds between two looks at what waits; a lane makes up for a look that came so late."""

LOOK: Final = 1_000
"""Senders who wait, and events of theirs, that are looked at in a TICK, some milliseconds; others in the next."""

_EACH: Final = 1_024
"""Bytes of an event beside its data: topic, type and key are bounded."""

_DIGITS: Final = 1e-6
"""Of a token: what sums of times are off by is less."""

Drop = Literal["expired", "full", "replaced"]
"""Why one was not delivered: nobody wants it any more, there was no room, or a newer one took its place."""

DROPS: Final[tuple[Drop, ...]] = get_args(Drop)

What = tuple[str, str, str | None, str]
"""Topic, type, key and sender."""


class EphemeralDraft(msgspec.Struct, frozen=True, gc=False):
    """What a sender hands in, checked. `data` is JSON text on one line; `ttl` is in seconds."""

    topic: str
    type: str
    data: str
    key: str | None
    ttl: float


class Ephemeral(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One that was accepted. `time` is in Unix ms; `after` is the head of the log then, as an offset."""

    topic: str
    type: str
    data: str
    key: str | None
    sender: str
    """As whom he is counted: a connection, or a caller."""
    time: int
    after: int
    until: float
    """When nobody wants it any more."""
    user: str | None = None
    """Who sent it, if that is known."""
    skipped: str = ""
    """The connection that does not get it: the sender's own."""
    member: str | None = None
    """The sender's member at the topic, if his connection has one there, and no other."""

    @property
    def what(self) -> What:
        return self.topic, self.type, self.key, self.sender

    @property
    def lane(self) -> tuple[Any, ...]:
        """What goes out at LANE_RATE together. Without a key each sender has a lane of his own."""
        return (self.topic, self.type, self.key) if self.key is not None else self.what

    @property
    def held(self) -> int:
        """Bytes that it takes, about."""
        return _EACH + self.data.__sizeof__()


class _Sender:
    """A bucket of tokens, as in `service.access.buckets`, and what waits for one."""

    __slots__ = ("full_at", "held")

    def __init__(self) -> None:
        self.full_at = 0.0
        self.held: dict[What, Ephemeral] = {}
        """The oldest first."""


class _Lane:
    __slots__ = ("due", "held")

    def __init__(self, due: float) -> None:
        self.due = due
        """When the next one may go out."""
        self.held: Ephemeral | None = None


class Throttle:
    """How often events go out. `rate` is what one sender may send; `dropped` is told what is left out, by reason."""

    def __init__(self, rate: Rate, dropped: Counter[Drop]) -> None:
        self._rate = rate
        self._each = 1 / rate.a_second
        self._dropped = dropped
        self._senders: dict[str, _Sender] = {}
        self._waiting: dict[str, _Sender] = {}
        """Those of whom something waits."""
        self._lanes: dict[tuple[Any, ...], _Lane] = {}
        self.held = 0
        """Bytes that wait."""

    @property
    def is_busy(self) -> bool:
        """Whether `due` is to be asked again in a TICK."""
        return bool(self._lanes or self._waiting)

    def take(self, events: Sequence[Ephemeral], now: float) -> list[Ephemeral]:
        """Those of one sender's events that go out now. The others wait, or have replaced what waits.

        Raises RateLimitedError if more would wait of him than may, OverloadedError if too much does of all: then none
        of them was taken.
        """
        who = events[0].sender
        sender = self._senders.get(who) or self._new(who, now)
        free = 0 if sender.held else self._tokens(sender, now)
        going, waiting = events[:free], events[free:]
        self._check(sender, waiting)
        self._check_room(len(going), sum([event.held for event in events]), now)
        self._spend(sender, len(going), now)
        for event in waiting:
            self._hold(sender, event)
        if waiting:
            self._waiting[who] = sender
        return [event for event in going if self._enters(event, now)]

    def due(self, now: float) -> list[Ephemeral]:
        """Those that have waited, and go out now."""
        found: list[Ephemeral] = []
        for lane, state in tuple(self._lanes.items()):
            if now < state.due:
                continue
            if state.held is None:
                del self._lanes[lane]
            else:
                event, state.held = state.held, None
                if self._is_wanted(event, now):
                    state.due = _next(state.due, now)
                    found.append(event)
        left = LOOK
        for who, sender in tuple(self._waiting.items()):
            if left <= 0:
                break
            before = len(sender.held)
            found += self._release(sender, now)
            left -= 1 + before - len(sender.held)
            del self._waiting[who]
            if sender.held:
                self._waiting[who] = sender  # behind the others
        return found

    def _check(self, sender: _Sender, waiting: Sequence[Ephemeral]) -> None:
        if not waiting:
            return
        over = len(sender.held.keys() | {event.what for event in waiting}) - KEYS_MAX
        if over > 0:
            rate = self._rate
            raise RateLimitedError(
                f"at most {rate.a_second:g} ephemeral events a second, {rate.burst:g} at once, and {KEYS_MAX} keys"
                " that wait",
                retry_after=over * self._each,
            )

    def _check_room(self, going: int, size: int, now: float) -> None:
        if len(self._lanes) + going > LANES_MAX:
            for lane, state in tuple(self._lanes.items()):
                if state.held is None and now >= state.due:
                    del self._lanes[lane]
        if len(self._lanes) + going > LANES_MAX or self.held + size > HELD_BYTES:
            raise OverloadedError("too many ephemeral events at the moment")

    def _new(self, who: str, now: float) -> _Sender:
        if len(self._senders) >= SENDERS_MAX:
            self._senders = {
                one: state for one, state in self._senders.items() if state.held or state.full_at > now
            }  # whoever is forgotten comes back with a full bucket, which his is
            if len(self._senders) >= SENDERS_MAX:
                raise OverloadedError("too many send ephemeral events at the moment")
        sender = self._senders[who] = _Sender()
        return sender

    def _tokens(self, sender: _Sender, now: float) -> int:
        return int(self._rate.burst - max(0.0, sender.full_at - now) / self._each + _DIGITS)

    def _spend(self, sender: _Sender, count: int, now: float) -> None:
        sender.full_at = max(now, sender.full_at) + count * self._each

    def _hold(self, sender: _Sender, event: Ephemeral) -> None:
        """It waits behind all others of its sender."""
        before = sender.held.pop(event.what, None)
        if before is not None:
            self._drop(before, "replaced")
        sender.held[event.what] = event
        self.held += event.held

    def _release(self, sender: _Sender, now: float) -> list[Ephemeral]:
        found: list[Ephemeral] = []
        tokens = self._tokens(sender, now)
        while tokens and sender.held and len(self._lanes) < LANES_MAX:
            event = sender.held.pop(next(iter(sender.held)))
            if self._is_wanted(event, now):
                tokens -= 1
                self._spend(sender, 1, now)
                if self._enters(event, now):
                    found.append(event)
        return found

    def _enters(self, event: Ephemeral, now: float) -> bool:
        """Whether it goes out now. If not it waits in its lane, in the place of what waits there."""
        lane = self._lanes.get(event.lane)
        if lane is None:
            self._lanes[event.lane] = _Lane(now + 1 / LANE_RATE)
            return True
        if lane.held is None and now >= lane.due:
            lane.due = _next(lane.due, now)
            return True
        if lane.held is not None:
            self._drop(lane.held, "replaced")
        lane.held = event
        self.held += event.held
        return False

    def _is_wanted(self, event: Ephemeral, now: float) -> bool:
        """Of one that waits no more."""
        if now < event.until:
            self.held -= event.held
            return True
        self._drop(event, "expired")
        return False

    def _drop(self, event: Ephemeral, why: Drop) -> None:
        self.held -= event.held
        self._dropped[why] += 1


def _next(due: float, now: float) -> float:
    """When a lane is due again that was due then, and is looked at now: a little late counts as in time."""
    return max(due, now - TICK) + 1 / LANE_RATE
