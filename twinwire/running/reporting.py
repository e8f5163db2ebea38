"""Sending, on a thread of its own with an event loop: the run that is under way, and beside it what earlier ones left.

The command has begun by the time that this does: what is imported here, and what is waited for, it never waits for.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from twinwire.errors import TwinwireError
from twinwire.place import Place
from twinwire.running.folder import prune
from twinwire.running.leftovers import Leftovers
from twinwire.running.reports import Reports
from twinwire.running.sender import TIMING, Sender, why_unsent
from twinwire.running.spool import Extent, Spool
from twinwire.running.threads import Threads
from twinwire.token import Source, Token

STOP: Final = 2.0
"""Seconds for which a stop is waited for: what is under way needs none, it is told again."""

SYNC: Final = 10.0
"""Seconds of output that a power cut may take, or somewhat more: an fsync(2) has the system write what others have
written too, which it does every few seconds by itself."""


class Reporting:
    """`done` is called, on its thread, once nothing is left to be sent; `cancel` if the command is to be ended.

    `error` is why the run can't be sent, `may_wait` whether it may be later; `told` what else people should know.
    """

    def __init__(
        self, spool: Spool, folder: Path, token: Source, done: Callable[[], None], cancel: Callable[[], None]
    ) -> None:
        self._spool: Final = spool
        self._folder: Final = folder
        self._token: Final = token
        self._done = done
        self._cancel = cancel
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._sender: Sender | None = None
        self._leftovers: Leftovers | None = None
        self._thread = threading.Thread(target=self._run, name="reporting", daemon=True)
        self.is_sent = False
        self.error = ""
        self.may_wait = False
        self.dropped = 0

    def start(self) -> None:
        self._thread.start()

    @property
    def left(self) -> int:
        """Bytes of output that are not sent."""
        return self._spool.extent.output if self._sender is None else self._sender.left

    @property
    def cut(self) -> int:
        return 0 if self._sender is None else self._sender.cut

    @property
    def trouble(self) -> str:
        """Why nothing gets through."""
        return self._sender.trouble if self._sender else ""

    @property
    def page(self) -> str:
        """Of the project, below the service's URL; empty as long as it is not known."""
        run = self._sender.run if self._sender else None
        return f"project.html?id={run.project}" if run else ""

    @property
    def told(self) -> list[str]:
        """Of earlier runs. That they wait is no news where this one has to for the same reason."""
        if self._leftovers is None:
            return []
        return [
            *self._leftovers.told,
            *([self._leftovers.waiting] if self._leftovers.waiting and not self.error else []),
        ]

    def stop(self) -> None:
        """What is under way is left."""
        if self._loop is not None and self._task is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(STOP)

    def _run(self) -> None:
        try:
            with suppress(asyncio.CancelledError):
                asyncio.run(self._main())
        finally:
            self._done()

    async def _main(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()  # so that a stop need not wait
        self._loop.set_default_executor(Threads())  # nor an exit
        from twinwire.http import Http

        url = self._spool.about.url
        try:
            http = Http(Place(url), Token(self._token), TIMING)
        except TwinwireError as error:
            self.error = error.detail
            return
        keeping = asyncio.create_task(self._keep())
        try:
            reports = Reports(http)
            self._sender = Sender(self._spool, reports)
            self._sender.cancel = self._cancel
            self._leftovers = Leftovers(self._folder, url, self._spool.about.key, reports)
            self.dropped = await asyncio.to_thread(prune, self._folder)
            await asyncio.gather(self._send(self._sender), self._leftovers.send())
        finally:
            keeping.cancel()
            await http.close()

    async def _keep(self) -> None:
        """What is there is brought to the disk, now and then: often enough, and no burden for others who write."""
        kept: Extent | None = None
        while True:
            await asyncio.sleep(SYNC)
            if (extent := self._spool.extent) != kept:
                with suppress(OSError):
                    await asyncio.to_thread(self._spool.sync)
                kept = extent

    async def _send(self, sender: Sender) -> None:
        try:
            await sender.send()
            self.is_sent = True
        except (TwinwireError, OSError, ValueError) as error:
            self.error, self.may_wait = why_unsent(error)
