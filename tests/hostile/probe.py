"""The service, with a look at each step of its event loop: `python -m tests.hostile.probe serve ...`.

Rules:

- A step is one callback of the loop: a task from one `await` to the next, a timer, a future's callback. Its cost is
  the CPU time of the loop's own thread, so that a busy machine accuses nobody, and neither does a wait for the GIL.
- uvloop runs its handles in C, where nothing can be hung in between. But whatever Python hands to the loop goes
  through `call_soon`, `call_later`, `call_at` and `call_soon_threadsafe`, those of asyncio's C tasks included: a
  subclass of the loop wraps them. So the loop that is measured is the one that users run.
- What uvloop calls by itself (`data_received`, accept) is not seen that way. A *turn* sees it: the CPU time between two
  beats of a timer of 5 ms. A turn is as long as all steps that are taken before a timer that is due gets its turn, so
  it is what a newcomer waits for, in CPU time.
- Only what is over 2 ms is told: one line of JSON with the monotonic time of its end, to the file that
  HOSTILE_PROBE names. `CLOCK_MONOTONIC` is one clock for all processes of a machine (clock_gettime(2)).
- Four times a second the number of tasks is told, for "given back".

The probe costs about a microsecond a step.
"""

import asyncio
import gc
import json
import os
import re
import resource
import sys
import time
from collections.abc import Callable
from types import CoroutineType
from typing import Any, Final

TOLD: Final = 0.002
"""Seconds of CPU; what is shorter is told to nobody."""
BEAT: Final = 0.005
"""Seconds between two beats: below the bound of a step by far, and 200 timers a second cost nothing."""
COUNT_EVERY: Final = 50
"""Beats between two counts of the tasks, so about a quarter of a second."""
_SHORT: Final = re.compile(r".*/(?:site-packages|python[\d.]+|(?=service/))/?")
"""What is left out of a file's path."""
OUTPUT: Final = "HOSTILE_PROBE"
DESCRIPTORS: Final = "HOSTILE_DESCRIPTORS"
"""Variables: the file to tell to, and how many descriptors the service may have (`ulimit -n`)."""


class Teller:
    """Writes what was measured, a line a piece, unbuffered: a process that is killed has told everything before.

    `garbage`: seconds of CPU that collections have taken so far, in whichever step they fell.
    """

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._collecting = 0.0
        self.garbage = 0.0

    def collect(self, phase: str, info: dict[str, int]) -> None:
        """For `gc.callbacks`."""
        if phase == "start":
            self._collecting = time.thread_time()
        else:
            self.garbage += time.thread_time() - self._collecting

    def tell(self, kind: str, value: float, what: str = "") -> None:
        line = json.dumps({"at": time.monotonic(), "kind": kind, "value": value, "what": what})
        os.write(self._file, line.encode() + b"\n")


def watched(base: type[Any], teller: Teller) -> type[Any]:
    """`base`, a class of event loops, with a look at each step."""

    class Watched(base):  # type: ignore[misc]
        def run_forever(self) -> None:
            super().call_later(BEAT, self._beat, time.thread_time(), 0)
            super().run_forever()

        def call_soon(self, callback: Callable[..., object], *args: Any, context: Any = None) -> Any:
            return super().call_soon(*_wrapped(teller, callback, args), context=context)

        def call_soon_threadsafe(self, callback: Callable[..., object], *args: Any, context: Any = None) -> Any:
            return super().call_soon_threadsafe(*_wrapped(teller, callback, args), context=context)

        def call_later(self, delay: float, callback: Callable[..., object], *args: Any, context: Any = None) -> Any:
            return super().call_later(delay, *_wrapped(teller, callback, args), context=context)

        def call_at(self, when: float, callback: Callable[..., object], *args: Any, context: Any = None) -> Any:
            return super().call_at(when, *_wrapped(teller, callback, args), context=context)

        def _beat(self, before: float, count: int) -> None:
            now = time.thread_time()
            if now - before > BEAT + TOLD:
                teller.tell("turn", now - before)
            if count % COUNT_EVERY == 0:
                teller.tell("tasks", len(asyncio.all_tasks(self)))
            super().call_later(BEAT, self._beat, time.thread_time(), count + 1)

    return Watched


def _wrapped(teller: Teller, callback: Callable[..., object], args: tuple[Any, ...]) -> tuple[Any, ...]:
    """What to hand to the loop. Its methods call one another: what is wrapped stays as it is."""
    return (callback, *args) if callback is _timed else (_timed, teller, callback, args)


def _timed(teller: Teller, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
    before, garbage = time.thread_time(), teller.garbage
    try:
        callback(*args)
    finally:
        spent = time.thread_time() - before
        if spent > TOLD:
            collected = teller.garbage - garbage
            teller.tell("step", spent, _where(callback) + (", most of it garbage" if collected > spent / 2 else ""))


def _where(callback: Any) -> str:
    """Whose step it was: for a task, the innermost line, of ours if there is one, at which it waits now."""
    owner = getattr(callback, "__self__", None)
    if not isinstance(owner, asyncio.Task):
        return str(getattr(callback, "__qualname__", callback))[:120]
    found: Any = owner.get_coro()
    name = getattr(found, "__qualname__", str(found))
    places: list[str] = []
    while isinstance(found, CoroutineType) and found.cr_frame is not None:
        places.append(f"{_SHORT.sub('', found.cr_frame.f_code.co_filename)}:{found.cr_frame.f_lineno}")
        found = found.cr_await
    own = [place for place in places if place.startswith("service/")] or places
    return f"{name} at {own[-1]}" if own else f"{name} ends"


def install(path: str) -> None:
    """Put the watched loop in the place of the one that the service would take."""
    teller = Teller(path)
    gc.callbacks.append(teller.collect)
    try:
        import uvloop

        uvloop.new_event_loop = watched(uvloop.Loop, teller)
    except ImportError:  # no wheel for this platform: the service takes asyncio's
        pass
    asyncio.new_event_loop = asyncio.events.new_event_loop = watched(asyncio.SelectorEventLoop, teller)


def main() -> None:
    bound = os.environ.get(DESCRIPTORS)
    if bound is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (int(bound), int(bound)))
    install(os.environ[OUTPUT])
    from service.__main__ import run_command  # after the loop has been put in place

    sys.argv[0] = "twinwire"
    run_command()


if __name__ == "__main__":
    main()
