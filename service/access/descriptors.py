"""How many connections the process can hold: its limit of descriptors, and the places for streams within it.

A process without descriptors answers nobody, not even whoever asks for its health, and neither uvloop nor the kernel
says a word of it. So streams are refused a while before, and a probe once a second tells when it has happened
all the same.
"""

import os
import resource
from typing import Final

import structlog

RESERVE: Final = 64
"""Descriptors kept from streams, beside those in use at the start: for health, metrics, publishers and the database."""

_SHARE: Final = 16
"""One of so many is kept too, where there are many: connections that hold no stream grow with those that do."""

_LIMIT_MAX: Final = 1 << 20
"""What counts for "unlimited": the kernel's own usual bound for one process (proc(5), nr_open)."""

_IN_USE: Final = 48
"""Descriptors that the service itself has open, and that a library may: files, pipes, the loop's own."""

logger = structlog.get_logger(__name__)


def raise_limit() -> None:
    """Raise the soft limit of descriptors to the hard one, as services do that use no select(2)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Descriptors:
    """The process's descriptors. `limit` is the soft limit as it was when this was made."""

    def __init__(self) -> None:
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self.limit = _LIMIT_MAX if soft == resource.RLIM_INFINITY else min(soft, _LIMIT_MAX)
        self.is_exhausted = False  # as of the last probe
        self.exhaustions = 0  # how often it has happened

    @property
    def places(self) -> int:
        """Streams that may be open at a time; one at least."""
        return max(1, self.limit - _IN_USE - max(RESERVE, self.limit // _SHARE))

    @property
    def connections(self) -> int:
        """Those that may be open at a time, those of streams among them; one at least."""
        return max(1, self.limit - _IN_USE - RESERVE // 4)

    def probe(self) -> None:
        """Look whether there is a descriptor left, for a few microseconds; tell when that has changed."""
        try:
            os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        except OSError as error:
            if not self.is_exhausted:
                self.is_exhausted = True
                self.exhaustions += 1
                logger.error("descriptors_exhausted", limit=self.limit, reason=error.strerror)
            return
        if self.is_exhausted:
            self.is_exhausted = False
            logger.info("descriptors_free_again", limit=self.limit)
