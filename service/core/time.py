"""Time as everything here sees it: one clock, which is handed in, and one text (RFC 3339, UTC, milliseconds)."""

import re
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, Protocol

_MOMENTS_MAX: Final = 4_096
"""Timestamps whose text is remembered, about 400 KiB; then the memory starts anew. As many seconds are, for all."""

_TEXT: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)\Z")
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


class Clock(Protocol):
    """The machine's is `service.clock.SystemClock`; tests bring one that they move."""

    def unix_ms(self) -> int:
        """What the calendar says, in Unix milliseconds. It may go back, when somebody sets it."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment, never going back: for durations and deadlines."""

    def elapsed(self) -> float:
        """The same, which goes on while the machine sleeps: to hold the calendar against."""

    @property
    def doubt(self) -> float:
        """Seconds by which the calendar is off, if it is not believed, see `service.core.trust`; else 0."""

    @property
    def steps(self) -> int:
        """How often somebody said that the calendar is right although it had jumped: times may step back once then."""

    def worked(self) -> float:
        """Seconds for which the calling thread had the processor, since an arbitrary moment."""

    def sleep(self, seconds: float) -> Awaitable[None]: ...


def rfc3339(unix_ms: int) -> str:
    """The moment as text."""
    return f"{_to_the_second(unix_ms // 1000)}.{unix_ms % 1000:03}Z"


def parse_rfc3339(text: str) -> int:
    """The moment in Unix milliseconds, whatever time zone the text is in. Raises ValueError."""
    if _TEXT.match(text) is None:
        raise ValueError(f"{text!r} is no time as in RFC 3339")
    try:
        moment = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except OverflowError as error:  # a time zone can lead out of the calendar
        raise ValueError(f"{text!r} is out of range") from error
    return (moment - _EPOCH) // _MILLISECOND  # in integers: as a float, 1.001 seconds are 1000.9999 milliseconds


@lru_cache(_MOMENTS_MAX)
def _to_the_second(second: int) -> str:
    """`strftime` costs ten times the rest of a frame."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


class Moments(dict[int, str]):
    """`rfc3339` remembered, by Unix ms. The events of one commit share theirs, so a page holds few."""

    def __missing__(self, unix_ms: int) -> str:
        if len(self) >= _MOMENTS_MAX:
            self.clear()
        text = self[unix_ms] = rfc3339(unix_ms)
        return text
