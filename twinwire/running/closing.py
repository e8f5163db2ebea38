"""What people are told at the end of a run, a line each, and what stays on the disk."""

from collections.abc import Callable, Sequence
from concurrent.futures import wait
from dataclasses import dataclass
from typing import Final

from twinwire.errors import why
from twinwire.running.reporting import Reporting
from twinwire.running.spool import OUTPUT, Spool
from twinwire.running.threads import Threads
from twinwire.token import Source

SYNC: Final = 5.0
"""Seconds for which a disk is waited for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """`secrets` are starred out of all that is kept and sent; `tell` says a line to people; `is_linked`: they are told
    where the page is."""

    command: Sequence[str]
    project: str
    url: str
    token: Source
    secrets: frozenset[bytes]
    tell: Callable[[str], None]
    is_linked: bool = False


class Closing:
    """Of a run whose sender has stopped."""

    def __init__(self, spool: Spool, reporting: Reporting, wanted: Wanted) -> None:
        self._spool: Final = spool
        self._reporting: Final = reporting
        self._wanted: Final = wanted

    def close(self) -> None:
        reporting, tell = self._reporting, self._wanted.tell
        if self._spool.trouble:
            tell(f"a part of the output is in no log: {self._spool.trouble}")
        if reporting.is_sent:
            self._sent()
        elif reporting.error and not reporting.may_wait:
            tell(f"this run is not on its page: {reporting.error}")
            self._spool.remove()
        else:
            self._left()
        if reporting.dropped:
            tell(f"{reporting.dropped} earlier runs were too many, too large or too old to wait, and are dropped")
        for line in reporting.told:
            tell(line)
        if reporting.page and self._wanted.is_linked:
            tell(f"{self._wanted.url}/{reporting.page}")

    def _sent(self) -> None:
        cut = self._reporting.cut
        if cut:
            self._sync()
        self._spool.remove(keep_output=cut > 0)
        if cut:
            path = self._spool.path / OUTPUT
            self._wanted.tell(f"{cut:,} bytes from the middle of the output are not on the page; all of it: {path}")

    def _sync(self) -> None:
        """Before it is said that something is kept. A disk that does not answer, as over a network, is not waited
        for."""
        syncing = Threads().submit(self._spool.sync)
        if syncing not in wait([syncing], SYNC).done:
            self._wanted.tell(f"the disk has not taken all of it within {SYNC:.0f} s: a power cut may lose some")
            return
        try:
            syncing.result()
        except OSError as error:  # the disk's own TimeoutError is one, too
            self._wanted.tell(f"a power cut may lose some of it: {why(error)}")

    def _left(self) -> None:
        self._sync()
        reason = self._reporting.error or self._reporting.trouble or "there was no time"
        what = (
            f"{self._reporting.left:,} bytes of this run wait" if self._reporting.left else "the end of this run waits"
        )
        self._wanted.tell(f"{what} in {self._spool.path} for the next `twinwire run`: {reason}")
        self._spool.close()
