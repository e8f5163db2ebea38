"""Structured logs: one line an event on standard error, for machines or for people.

Rule 1: whoever logs never waits. Lines go to a thread that writes them; where nobody reads, or the disk is full, the
newest are dropped, and how many is the next line that gets through.
Rule 2: the same line again and again is written once, and then counted: one of `REPEAT` seconds with `repeated`, and
one at the end.
Rule 3: the thread writes past Python's buffer of standard error, which does not tell how much of a line it could not
hand on: where another program has set the stream not to wait, lines were gone, and not counted.
"""

import atexit
import logging
import os
import queue
import select
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal, TextIO

import structlog

LINES_MAX: Final = 10_000
"""That wait for the thread, some MiB."""

REPEAT: Final = 10.0
"""Seconds in which equal lines are one."""

KINDS_MAX: Final = 1_000
"""Of lines, told apart at a time; beyond, all are forgotten, and each is written once more."""

LOOK: Final = 1.0
"""Seconds between two looks for what was counted and has to be told."""

FLUSH: Final = 1.0
"""Seconds that the end of the process waits for lines to be written."""


class Repeats:
    """A processor that drops what was just logged, and says how often when it comes again later, or `due` is asked.

    Called by whoever logs, and `due` by the thread that writes.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, int, structlog.typing.EventDict]] = {}
        """By line: since when it is known, how often it came in that time, and what it says."""
        self._next_look = 0.0

    def __call__(self, logger: Any, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        fields = {**event, "exc_info": _kind(event.get("exc_info"))}
        fields.pop("_record", None)
        line, now = repr(fields), self._now()
        with self._lock:
            since, count, said = self._known.get(line, (now - REPEAT, 0, {}))
            if now - since < REPEAT:
                self._known[line] = since, count + 1, said
                raise structlog.DropEvent
            if len(self._known) >= KINDS_MAX:
                self._known.clear()
            del fields["exc_info"]
            self._known[line] = now, 0, {"level": method, **fields}
        return {**event, "repeated": count} if count else event

    def due(self, *, everything: bool = False) -> list[structlog.typing.EventDict]:
        """What came again and was not told for REPEAT seconds, or all of it, with `repeated`."""
        now = self._now()
        if now < self._next_look and not everything:
            return []
        self._next_look = now + LOOK
        told: list[structlog.typing.EventDict] = []
        with self._lock:
            for line, (since, count, said) in self._known.items():
                if count and (everything or now - since >= REPEAT):
                    self._known[line] = now, 0, said
                    told.append({**said, "repeated": count})
        return told


def _kind(exc_info: Any) -> str:
    """Of an exception, what makes it the same again: not where it came from."""
    error = exc_info if isinstance(exc_info, BaseException) else sys.exc_info()[1] if exc_info else None
    return "" if error is None else repr(error)


class Lines(logging.Handler):
    """Hands lines to a thread. `stream` None: there is no standard error, and nothing is written.

    `late` gives further lines, now and then: all there are if it is asked for everything.
    """

    def __init__(self, stream: TextIO | None, late: Callable[[bool], Iterable[str]] = lambda everything: ()) -> None:
        super().__init__()
        self._stream = stream
        self._descriptor = None if stream is None else _descriptor(stream)
        self._late = late
        self._lines: queue.Queue[str | None] = queue.Queue(LINES_MAX)
        self._dropped = 0
        self._is_cut = False
        """The last line was written in part."""
        self._thread = threading.Thread(target=self._run, name="log-lines", daemon=True)
        if stream is not None:
            self._thread.start()
            atexit.register(self.flush_for, FLUSH)

    def emit(self, record: logging.LogRecord) -> None:
        if self._stream is None:
            return
        try:
            self._lines.put_nowait(self.format(record))
        except queue.Full:
            self._dropped += 1
        except Exception:  # a line that can't be made must not end what it tells of
            self._dropped += 1

    def _run(self) -> None:
        line: str | None = ""
        while line is not None:
            try:
                line = self._lines.get(timeout=LOOK)
            except queue.Empty:
                line = ""
            lines = [line] if line else []
            lines += self._told_late(everything=line is None)
            dropped, self._dropped = self._dropped, 0
            if dropped:
                lines.append(f'{{"event": "log_lines_dropped", "level": "warning", "lines": {dropped}}}')
            if lines and not self._write("\n".join(lines) + "\n"):
                self._dropped += dropped + len(lines) - bool(dropped)

    def _told_late(self, *, everything: bool) -> list[str]:
        try:
            return list(self._late(everything))
        except Exception:  # as in `emit`
            self._dropped += 1
            return []

    def _write(self, text: str) -> bool:
        """Whether all of it was: not if nobody reads any more, it was closed, or there is no room."""
        stream = self._stream
        encoding = getattr(stream, "encoding", None) or "utf-8"
        whole = text.encode(encoding, "backslashreplace")
        if self._descriptor is not None:
            return self._write_bytes(self._descriptor, b"\n" + whole if self._is_cut else whole)
        assert stream is not None
        try:
            stream.write(whole.decode(encoding))
            stream.flush()
        except (OSError, ValueError):
            return False
        return True

    def _write_bytes(self, descriptor: int, whole: bytes) -> bool:
        left = memoryview(whole)
        while left:
            try:
                left = left[os.write(descriptor, left) :]
            except BlockingIOError:  # whoever shares it has it not wait; this thread may
                select.select([], [descriptor], [])
            except OSError:
                self._is_cut = self._is_cut if len(left) == len(whole) else True
                return False
        self._is_cut = False
        return True

    def flush_for(self, seconds: float) -> None:
        """Wait for what was handed over; for no longer than that, since somebody may have stopped reading."""
        try:
            self._lines.put(None, timeout=seconds)
        except queue.Full:
            return
        self._thread.join(seconds)


def _descriptor(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):  # one of a test's
        return None


def is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def configure_logs(level: str, style: Literal["auto", "json", "console"], now: Callable[[], float]) -> None:
    """One line an event on standard error; other libraries' loggers go the same way. `now` is in seconds."""
    console = style == "console" or (style == "auto" and is_terminal(sys.stderr))
    renderer = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
    ]
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    finish: list[structlog.typing.Processor] = [stamp, structlog.processors.format_exc_info]
    repeats = Repeats(now)
    logging.raiseExceptions = False
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        foreign_pre_chain=[*shared, _counted, *finish],
    )

    def late(everything: bool) -> Iterable[str]:
        for event in repeats.due(everything=everything):
            yield formatter.format(
                logging.makeLogRecord({"msg": stamp(_NOBODY, "", event), "_logger": _NOBODY, "_name": ""})
            )

    handler = Lines(sys.stderr if sys.stderr is not None and _is_open(sys.stderr) else None, late)
    handler.setFormatter(formatter)
    handler.addFilter(_Foreign(repeats))
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for name in ("aiosqlite", "hypercorn.error", "hypercorn.access", "asyncio"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))
    structlog.configure(
        processors=[*shared, repeats, *finish, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


_NOBODY: Final = logging.getLogger(__name__)


def _counted(logger: Any, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """A processor for libraries' lines: what `_Foreign` has counted."""
    count = getattr(event["_record"], "repeated", None)
    return {**event, "repeated": count} if count else event


class _Foreign(logging.Filter):
    """`Repeats` for the records of libraries that do not log with structlog.

    What they say while they are looked for faults is theirs, and not heard at any level: of HTTP/2, each header that
    comes, tokens and cookies among them.
    """

    def __init__(self, repeats: Repeats) -> None:
        super().__init__()
        self._repeats = repeats

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.msg, dict):  # ours, which was asked already
            return True
        if record.levelno < logging.INFO:
            return False
        try:
            text = record.getMessage()
        except Exception:  # its arguments are not what its text wants; whoever logs must not end for it
            text = f"{record.msg!r} with {record.args!r}"
        record.msg, record.args = text, ()
        line = {"logger": record.name, "event": text, "exc_info": (record.exc_info or (None, None))[1]}
        try:
            vars(record)["repeated"] = self._repeats(None, record.levelname.lower(), line).get("repeated")
        except structlog.DropEvent:
            return False
        return True


def _is_open(stream: TextIO) -> bool:
    try:
        os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return True
