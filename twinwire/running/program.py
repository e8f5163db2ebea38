"""`twinwire run`: what happens when, on the main thread, which alone decides.

1. A folder for the run, and the command, as it would be without us; if it can't be started, that is the run.
2. Threads: one takes signals, one waits for the command, one or two copy its output, one sends. Each tells the main
   thread what has come, and that passes signals on, stops with the command, and ends it if the service says so.
3. The command has ended: what it left in its outputs is read, the user's terminal is as it was.
4. What is not sent yet is, for half a minute, or until somebody presses Ctrl-C; the rest is there for the next one.
5. We end as it has: with its code, or by its signal.

Nothing is said before 3: the terminal is the command's.
"""

import queue
import shlex
import signal
import socket
import threading
import time
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Final, Protocol

from twinwire.errors import InvalidError, why
from twinwire.running import launching
from twinwire.running.closing import Closing, Wanted
from twinwire.running.family import SIGKILL, Family, send
from twinwire.running.folder import runs_folder
from twinwire.running.hiding import Hider
from twinwire.running.recorder import Pump, Recorder
from twinwire.running.reporting import Reporting
from twinwire.running.signals import HELD, OWN, PASSED, SIZES, STOPS, Came, block, can_wait, name_of, watch
from twinwire.running.spool import End, Spool, about
from twinwire.running.started import Ended, NotStartedError, Output

SEND: Final = 30.0
"""Seconds after the command's end for which is sent what is left."""

SAY: Final = 2.0
"""Of those, after which people are told why there is no prompt yet."""

GRACE: Final = 10.0
"""Seconds from SIGTERM to SIGKILL for a command that is to end, and what it has started, though it may end first."""

LAST: Final = 1.0
"""Seconds after that, in which they end but for what even SIGKILL does not reach."""

QUIET: Final = 0.25
"""Seconds without output after the command's end, after which what it has left behind is not waited for."""

DRAIN: Final = 2.0
"""Seconds after the command's end for which it is read what others write, if they do so all the time."""

PIPE_MAX: Final = 1 << 20
"""Bytes in a pipe at most, as users may have them (pipe(7))."""

LOOK: Final = 0.05
"""Seconds between two looks whether they have."""

ECHO: Final = 0.5
"""Seconds after the command's end in which a signal may be the one that has ended it, and comes late."""

COMMAND_MAX: Final = 4_000
HOST_MAX: Final = 255
"""Characters that the service takes."""

_WAKE: Final = 0.5
"""Seconds between two looks, where nothing interrupts a wait (Windows)."""


class _Word(Enum):
    STOPPED = "the command was stopped"
    CANCEL = "the service wants it to end"
    SENT = "nothing is left to be sent"


_Event = Came | Ended | _Word


class Child(Protocol):
    """A command under way. Its methods are called on the main thread, but for `wait` and `has_it_too`."""

    pid: int
    outputs: list[Output]

    def wait(self) -> Ended: ...

    def has_it_too(self, came: Came) -> bool:
        """Whether the command was sent it, as all of our job was. Called on the thread that takes signals."""

    def signal(self, came: Came) -> None:
        """Passes it on, unless it went everywhere."""

    def resize(self) -> None:
        """The user's window is another."""

    def stop(self) -> None:
        """Stops it."""

    def suspend(self) -> None:
        """It was stopped: we stop too, until somebody lets us go on."""

    def resume(self) -> None:
        """We go on."""

    def ending(self) -> None:
        """It has ended, or we can't go on: what is typed is no longer the command's."""

    def restored(self) -> None:
        """All that is to be shown was shown, or we can't go on: the user's terminal is as it was."""

    def drained(self) -> None:
        """All output was read."""


class Program:
    def __init__(self, wanted: Wanted) -> None:
        self._wanted: Final = wanted
        self._events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
        self._family: Family | None = None
        """Of a command that the service wants to end: it has until `_kill_at`."""
        self._kill_at = 0.0
        self._has_come = False
        """A signal, while the command ran."""
        self._is_over = False
        """Nothing is sent any more."""
        self._is_left = False
        """A signal came after the command's end: what it has left behind is not read any further."""
        self._folder = Path()
        self._reporting: Reporting | None = None

    def run(self) -> Ended:
        """How the command has ended. What goes wrong about the run is told, and changes nothing of that."""
        spool = self._new_spool()
        is_interactive = launching.is_interactive()
        watched = (*PASSED, *OWN) if is_interactive else (*PASSED, *SIZES)
        mask = block((*watched, *HELD) if is_interactive else watched)
        try:
            child = self._launched(mask, is_interactive=is_interactive)
        except NotStartedError as error:
            self._wanted.tell(str(error))
            if spool is not None:
                spool.append(Hider(self._wanted.secrets).text(f"twinwire: {error}\n").encode())
            watch(watched, self._events.put)
            self._report(spool)
            return self._finish(spool, Ended(error.exit, None))
        try:
            try:
                pumps = [Pump(one.source, one.target, self._recorder(spool, one)) for one in child.outputs]
                for pump in pumps:
                    pump.start()
                watch(watched, self._events.put, child.has_it_too)
                threading.Thread(target=lambda: self._events.put(child.wait()), name="command", daemon=True).start()
                self._report(spool)
                ended = self._follow(child)
                after = None if spool is None else spool.elapsed
            finally:
                child.ending()
            self._end_the_rest()
            self._drain(pumps)
        finally:
            child.restored()
        child.drained()
        return self._finish(spool, ended, after)

    def _new_spool(self) -> Spool | None:
        wanted = self._wanted
        hider = Hider(wanted.secrets)
        said = hider.text(shlex.join(map(hider.text, wanted.command)))[:COMMAND_MAX]
        host = "".join(one for one in socket.gethostname() if one.isprintable())[:HOST_MAX].strip()
        try:
            self._folder = runs_folder()
            return Spool.new(self._folder, about(wanted.project, wanted.url, said, host or None))
        except (InvalidError, OSError) as error:
            wanted.tell(f"this run is not on its page: {why(error)}")
            return None

    def _launched(self, mask: set[int], *, is_interactive: bool) -> Child:
        if not is_interactive:
            return launching.Piped(self._wanted.command, mask)
        from twinwire.running.session import Session

        return Session(self._wanted.command, mask, lambda: self._events.put(_Word.STOPPED))

    def _recorder(self, spool: Spool | None, output: Output) -> Recorder:
        return Recorder(spool, self._wanted.secrets, is_terminal=output.is_terminal)

    def _report(self, spool: Spool | None) -> None:
        if spool is None:
            return
        put = self._events.put
        self._reporting = Reporting(
            spool, self._folder, self._wanted.token, lambda: put(_Word.SENT), lambda: put(_Word.CANCEL)
        )
        self._reporting.start()

    # While it runs

    def _follow(self, child: Child) -> Ended:
        """Until it has ended."""
        is_killed = False
        while True:
            waits = self._family is not None and not is_killed
            event = self._next(self._kill_at - time.monotonic() if waits else None)
            if isinstance(event, Ended):
                return event
            if isinstance(event, Came):
                self._came(child, event)
            elif event is _Word.SENT:  # it can't be
                self._is_over = True
            elif event is _Word.STOPPED:
                child.suspend()
            elif event is _Word.CANCEL:
                self._family, self._kill_at = Family(child.pid), time.monotonic() + GRACE
                self._family.send(signal.SIGTERM)
            elif event is None and self._family is not None:
                self._family.send(SIGKILL)
                is_killed = True

    def _next(self, seconds: float | None) -> _Event | None:
        """None after so many seconds without."""
        until = None if seconds is None else time.monotonic() + max(0.0, seconds)
        while True:
            left = None if until is None else max(0.0, until - time.monotonic())
            try:
                return self._events.get(timeout=left if can_wait() else _WAKE if left is None else min(_WAKE, left))
            except queue.Empty:
                if until is not None and time.monotonic() >= until:
                    return None
            except KeyboardInterrupt:  # where signals can't be waited for
                return Came(signal.SIGINT, is_everywhere=True)

    def _came(self, child: Child, came: Came) -> None:
        if came.number in PASSED:
            self._has_come = True
            child.signal(came)
        elif came.number in SIZES:
            child.resize()
        elif came.number in STOPS:
            child.stop()
        else:
            child.resume()

    # Afterwards

    def _end_the_rest(self) -> None:
        """Of a command that the service wanted to end: what it has started has as long as it had. A signal means at
        once."""
        since = time.monotonic()
        while self._family is not None and (left := self._family.living()):
            now = time.monotonic()
            if self._is_enough(since):
                self._kill_at = min(self._kill_at, now)
            if now >= self._kill_at:
                send(left, SIGKILL)  # at least once, however late this is looked at
            if now >= self._kill_at + LAST:
                return
            time.sleep(LOOK)

    def _drain(self, pumps: Sequence[Pump]) -> None:
        """Until there is nothing more of the command. What it has left behind is not waited for, whether that says
        something or not: as much as a pipe holds was there at the end, and no more. A signal ends this at once; and who
        does not read what we write is not waited for where the service wanted the end."""
        since = time.monotonic()
        for pump in pumps:
            before = pump.copied
            while not self._is_enough(since) and not pump.is_done and pump.has_been_quiet(since) < QUIET:
                is_late = time.monotonic() - since > DRAIN and not (pump.is_busy and self._family is None)
                if is_late or pump.copied - before > PIPE_MAX:
                    break
                pump.join(QUIET / 10)
            pump.close()

    def _is_enough(self, since: float) -> bool:
        """Whether a signal came that was meant for the command, which had ended by then; from then on."""
        while not self._is_left and (event := self._next(0)) is not None:
            if event is _Word.SENT:
                self._is_over = True
            elif isinstance(event, Came) and event.number in PASSED:
                self._is_left = self._has_come or time.monotonic() - since > ECHO
                self._has_come = True
        return self._is_left

    def _finish(self, spool: Spool | None, ended: Ended, after: float | None = None) -> Ended:
        reporting = self._reporting
        if spool is None or reporting is None:
            return ended
        try:
            spool.finish(End(ended.exit, None if ended.signal is None else name_of(ended.signal)), after)
        except OSError as error:
            self._wanted.tell(f"the end of this run can't be kept: {why(error)}")
        self._send_the_rest(reporting)
        reporting.stop()
        Closing(spool, reporting, self._wanted).close()
        return ended

    def _send_the_rest(self, reporting: Reporting) -> None:
        """For as long as it may take."""
        began = time.monotonic()
        has_said = False
        if self._is_over:
            return
        while (passed := time.monotonic() - began) < SEND:
            event = self._next(SEND - passed if has_said else SAY - passed)
            if event is _Word.SENT:
                return
            if isinstance(event, Came) and event.number in PASSED:
                if self._has_come or time.monotonic() - began > ECHO:
                    return
                self._has_come = True
            if not has_said and time.monotonic() - began >= SAY:
                has_said = True
                size = f"{reporting.left:,} bytes" if reporting.left else "the end"
                said = (
                    f"sending what is left ({size}) for up to {SEND:.0f} s; Ctrl-C leaves it to the next `twinwire run`"
                )
                self._wanted.tell(said)
