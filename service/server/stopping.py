"""When the process is told to stop, as far as whoever is a guest in it can know.

Servers wait for open streams before they end an application's lifespan, and streams have no end: whoever said goodbye
in the lifespan alone would say it to nobody. Neither uvicorn nor Hypercorn tells an application more, but they are told
by a signal, mostly. So the handlers that are there when the service starts are called by ours, which tells the service
first; at its end they are as they were. Nothing of any library is replaced.
"""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Stopping:
    """`told` is called on the loop, once for each signal."""

    def __init__(self, told: Callable[[], None]) -> None:
        self._told = told
        self._loop: asyncio.AbstractEventLoop | None = None
        self._before: dict[int, Callable[[int, FrameType | None], Any]] = {}

    def watch(self) -> None:
        """From now on, on the running loop: where it is the main thread's, which alone gets signals. What nobody
        handles stays as it is: it ends the process."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._loop = asyncio.get_running_loop()
        for number in SIGNALS:
            before = signal.getsignal(number)
            if callable(before) and number not in self._before:
                self._before[number] = before
                signal.signal(number, self._signalled)

    def unwatch(self) -> None:
        """Idempotent. A handler that somebody has put in place of ours stays, and so does what is behind ours: that
        one may call it."""
        for number, before in list(self._before.items()):
            if signal.getsignal(number) == self._signalled:
                signal.signal(number, before)
                del self._before[number]

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        """Between any two steps of the main thread."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it is closed
                self._loop.call_soon_threadsafe(self._told)
        if (before := self._before.get(number)) is not None:
            before(number, frame)
