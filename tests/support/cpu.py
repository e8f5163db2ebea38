"""What a step took of this thread's CPU: neither a busy machine nor a collection of garbage is the step's fault."""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def own_cpu() -> Iterator[Callable[[], float]]:
    """A clock, in seconds, that stands while this thread does not run, and while garbage is collected.

    A full collection looks at everything that a run of all tests has left, and falls into whichever step comes next.
    """
    began = garbage = 0.0

    def collect(phase: str, info: dict[str, int]) -> None:
        nonlocal began, garbage
        if phase == "start":
            began = time.thread_time()
        else:
            garbage += time.thread_time() - began

    gc.callbacks.append(collect)
    try:
        yield lambda: time.thread_time() - garbage
    finally:
        gc.callbacks.remove(collect)
