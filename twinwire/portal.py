"""An event loop in a thread of its own, for programs that have none. The thread ends with the client.

Whoever waits for what runs there is told so when the loop ends first (ClosedError): what is begun is noted under a
lock, and nothing is begun once the end has.
"""

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from twinwire.errors import ClosedError

T = TypeVar("T")

_CLOSED: Final = "this client is closed"


class Portal:
    """`call` runs a coroutine there, and waits for what it comes to."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._lock = threading.Lock()
        self._is_ending = False
        self._thread = threading.Thread(target=self._run, name="twinwire", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._finish()

    def _finish(self) -> None:
        """What was begun has a task by now, since nothing is begun any more; each is cancelled."""
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def call(self, what: Coroutine[Any, Any, T]) -> T:
        """Raises what it raises; ClosedError if the loop has ended, or ends before it."""
        with self._lock:
            if self._is_ending:
                what.close()
                raise ClosedError(_CLOSED)
            if threading.current_thread() is self._thread:
                what.close()
                raise RuntimeError("what runs on the client's own thread can't wait for it")
            future = asyncio.run_coroutine_threadsafe(what, self._loop)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise ClosedError(_CLOSED) from None
        except BaseException:  # Ctrl-C too: then nobody waits any more
            future.cancel()
            raise

    def close(self) -> None:
        """Until the thread has ended; also after a function for tokens that is under way."""
        with self._lock:
            is_first, self._is_ending = not self._is_ending, True
        if is_first:
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
