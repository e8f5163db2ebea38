"""What earlier runs have left on this machine, sent beside the one that runs now.

Whoever holds a run's lock is at it; a run whose lock is free was left by a process that has ended, one way or another.
Those that were for another service wait for a run that is for the same. One that the service will never take is
dropped, and told; with a token that may not, it waits, for the next one may.
"""

import asyncio
from pathlib import Path
from typing import Final

from twinwire.errors import RefusedError, TwinwireError
from twinwire.running.folder import earlier
from twinwire.running.journal import Journal
from twinwire.running.reports import Reports
from twinwire.running.sender import Sender, why_unsent
from twinwire.running.spool import OUTPUT, End, Spool


class Leftovers:
    """`told` is what people should know, each once; `waiting` why the rest has to wait."""

    def __init__(self, folder: Path, url: str, own: str, reports: Reports) -> None:
        """`own` is the key of the run that is under way."""
        self._folder: Final = folder
        self._url: Final = url
        self._own: Final = own
        self._reports: Final = reports
        self.sent = 0
        self.told: list[str] = []
        self.waiting = ""

    async def send(self) -> None:
        """All of them, one after the other. Raises nothing but CancelledError."""
        for path in await asyncio.to_thread(earlier, self._folder):
            if path.name == self._own:
                continue
            try:
                spool = await asyncio.to_thread(Spool, path)
            except (OSError, ValueError):  # somebody is at it, it is just being removed, or no run
                continue
            if spool.about.url != self._url:
                spool.close()
                continue
            if not await self._send(spool):
                return

    async def _send(self, spool: Spool) -> bool:
        """Whether to go on with the next."""
        sender = Sender(spool, self._reports)
        try:
            Journal(spool.path).trim(spool.extent)
            if not spool.extent.has_ended:
                spool.finish(End())
            await sender.send()
        except (TwinwireError, OSError, ValueError) as error:
            why, may_wait = why_unsent(error)
            if may_wait:
                spool.close()
                self.waiting = f"earlier runs wait in {self._folder}: {why}"
                return isinstance(error, RefusedError) and error.status == 403  # this token may be for others
            self.told.append(f"an earlier run of {spool.about.project} ({spool.about.command}) is dropped: {why}")
            spool.remove()
            return True
        except BaseException:
            spool.close()
            raise
        if sender.has_lost:
            what = f"an earlier run of {spool.about.project} ({spool.about.command})"
            self.told.append(f"{what} was torn, as by a power cut; what there is of its output: {spool.path / OUTPUT}")
        spool.remove(keep_output=sender.cut > 0 or sender.has_lost)
        self.sent += 1
        return True
