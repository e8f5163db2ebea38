"""Threads that nobody waits for in the end.

A name is looked up by a call that can't be cancelled (getaddrinfo(3)) and may take a minute where no resolver answers.
An event loop makes it on a thread of its executor, whose threads are joined at the exit of the process; the command
has ended by then, and what is left to be sent has had its time. So these are daemons, which end with the process.
"""

import errno
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

MOST: Final = 16
"""Calls at a time: those that hang are tried again, and hang too."""


class Threads(ThreadPoolExecutor):
    """For `loop.set_default_executor`, which takes no other class: each call has a thread of its own."""

    def __init__(self) -> None:
        super().__init__(max_workers=1)  # without any call it starts none
        self._lock: Final = threading.Lock()
        self._busy = 0

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Raises OSError where there are too many."""
        with self._lock:
            if self._busy >= MOST:
                raise OSError(errno.EAGAIN, "too many calls have not come back")
            self._busy += 1
        future: Future[T] = Future()

        def carry_out() -> None:
            try:
                if future.set_running_or_notify_cancel():
                    _settle(future, lambda: fn(*args, **kwargs))
            finally:
                with self._lock:
                    self._busy -= 1

        threading.Thread(target=carry_out, name="call", daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Nothing is waited for."""


def _settle(future: "Future[T]", call: Callable[[], T]) -> None:
    try:
        result = call()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
