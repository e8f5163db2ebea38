"""How much of something one caller may do in a time: values, for the buckets in `service.access.buckets`."""

from typing import NamedTuple


class Rate(NamedTuple):
    """So many at once, `burst`, and `a_second` of them come back in each second."""

    a_second: float
    burst: float


class Rates(NamedTuple):
    """Of one caller. None: as much as he likes."""

    publishes: Rate | None = None
    """Events that he publishes."""
    bytes: Rate | None = None
    """Of these events' data."""
    topics: Rate | None = None
    """Topics that there were none of before."""
    messages: Rate | None = None
    """That he says on WebSockets, whatever they ask for."""

    @property
    def is_off(self) -> bool:
        return self == Rates()
