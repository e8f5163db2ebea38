"""Structured logs: one line an event on standard error, for machines or for people.

Rule 1: whoever logs never waits. Lines go to a thread that writes them; where nobody reads, the newest are dropped, and
how many is the next line that gets through.
Rule 2: the same line again and again is written once, and then counted: one of `REPEAT` seconds with `repeated`.
"""

import atexit
import logging
import os
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any, Final, Literal, TextIO

import structlog

LINES_MAX: Final = 10_000
"""That wait for the thread, some MiB."""

REPEAT: Final = 10.0
"""Seconds in which equal lines are one."""

KINDS_MAX: Final = 1_000
"""Of lines, told apart at a time; beyond, all are forgotten, and each is written once more."""

FLUSH: Final = 1.0
"""Seconds that the end of the process waits for lines to be written."""


class Repeats:
    """A processor that drops what was just logged, and says how often when it comes again later."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._known: dict[str, tuple[float, int]] = {}
        """By line: since when it is known, and how often it came in that time."""

    def __call__(self, logger: Any, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        fields = {**event, "exc_info": _kind(event.get("exc_info"))}
        fields.pop("_record", None)
        line, now = repr(fields), self._now()
        since, count = self._known.get(line, (now - REPEAT, 0))
        if now - since < REPEAT:
            self._known[line] = since, count + 1
            raise structlog.DropEvent
        if len(self._known) >= KINDS_MAX:
            self._known.clear()
        self._known[line] = now, 0
        return {**event, "repeated": count} if count else event


def _kind(exc_info: Any) -> str:
    """Of an exception, what makes it the same again: not where it came from."""
    error = exc_info if isinstance(exc_info, BaseException) else sys.exc_info()[1] if exc_info else None
    return "" if error is None else repr(error)


class Lines(logging.Handler):
    """Hands lines to a thread. `stream` None: there is no standard error, and nothing is written."""

    def __init__(self, stream: TextIO | None) -> None:
        super().__init__()
        self._stream = stream
        self._lines: queue.Queue[str | None] = queue.Queue(LINES_MAX)
        self._dropped = 0
        self._thread = threading.Thread(target=self._write, name="log-lines", daemon=True)
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

    def _write(self) -> None:
        assert self._stream is not None
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        while (line := self._lines.get()) is not None:
            dropped, self._dropped = self._dropped, 0
            if dropped:
                line += f'\n{{"event": "log_lines_dropped", "level": "warning", "lines": {dropped}}}'
            try:
                self._stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
                self._stream.flush()
            except (OSError, ValueError):  # nobody reads any more, or it was closed
                continue

    def flush_for(self, seconds: float) -> None:
        """Wait for what was handed over; for no longer than that, since somebody may have stopped reading."""
        try:
            self._lines.put(None, timeout=seconds)
        except queue.Full:
            return
        self._thread.join(seconds)


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
    finish: list[structlog.typing.Processor] = [
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    repeats = Repeats(now)
    logging.raiseExceptions = False
    handler = Lines(sys.stderr if sys.stderr is not None and _is_open(sys.stderr) else None)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=[*shared, *finish],
        )
    )
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
        line = {"logger": record.name, "event": record.getMessage(), "exc_info": (record.exc_info or (None, None))[1]}
        try:
            self._repeats(None, record.levelname, line)
        except structlog.DropEvent:
            return False
        return True


def _is_open(stream: TextIO) -> bool:
    try:
        os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return True
