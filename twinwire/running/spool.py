"""A run on disk, until the service has all of it: a folder of its own (mode 0700) with files that nobody else reads.

| file | what it holds |
|---|---|
| `run.json` | what the run is, and where it goes; it appears whole, and a folder without it is no run |
| `output.log` | all output, as it came, with secrets starred out: a text that people can read |
| `marks.jsonl` | what the command said of itself, and its end, each with the byte of the output where it counts |
| `sent.jsonl` | what is sent under which numbers, before it is (journal.py) |
| `lock` | held by who writes or sends; it goes with the process, however that ends |

Who is killed at any byte leaves at most one line that is not whole, at the end of a file, which the next one cuts off.
A power cut may take the end of each file, as far as the system has not brought it to the disk: `sync` has it do so, on
a thread that no output waits for (reporting.py), and before people are told that something is kept (closing.py). What
the service has then and the disk has not is seen by whoever goes on (journal.py, sender.py).
A mark is written before the output that it is behind, and may so lie beyond the end: then it counts at the end. A run
without an end was killed together with who ran it.

The two readers of a command's pipes append, under a lock; one sender reads, and never more than `extent` says.
"""

import contextlib
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import msgspec

from twinwire.errors import why
from twinwire.running.locking import lock
from twinwire.running.markers import Found, Progress

ABOUT: Final = "run.json"
PROJECT: Final = "project"
OUTPUT: Final = "output.log"
MARKS: Final = "marks.jsonl"
SENT: Final = "sent.jsonl"
LOCK: Final = "lock"
FILES: Final = (ABOUT, PROJECT, OUTPUT, MARKS, SENT, LOCK)

STAGES_MAX: Final = 200
"""Stages of a run; further markers are text, and no more."""

FREE_MIN: Final = 256 << 20
"""Bytes of the disk that are left free, a twentieth of its size at most: others need it too."""

LOOK_EVERY: Final = 16 << 20
"""Bytes between two looks at what is free."""


T = TypeVar("T")


class About(msgspec.Struct, frozen=True):
    """`project` is the name or the id that was asked for, `url` the service, `started` Unix time in seconds."""

    key: str
    project: str
    url: str
    command: str
    host: str | None
    started: float


class End(msgspec.Struct, frozen=True, omit_defaults=True):
    """`lost`: bytes of output that could not be kept."""

    exit: int | None = None
    signal: str | None = None
    lost: int = 0


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """One of progress (with or without a message), stage and end; `at` is the byte of the output where it counts,
    `after` when it was, in seconds from the command's beginning on, of a stage and an end."""

    at: int
    progress: int | None = None
    message: str | None = None
    stage: str | None = None
    end: End | None = None
    after: float | None = None


class Extent(NamedTuple):
    """Bytes of both files that are whole, and whether nothing follows."""

    output: int
    marks: int
    has_ended: bool


class Spool:
    """Of a run whose lock we hold. `notify` is called when there is more, on whatever thread that comes from."""

    def __init__(self, path: Path, held: int | None = None) -> None:
        """`held` is its lock, if it is new. Raises OSError, or ValueError where it is no run."""
        self.path: Final = path
        self._began: Final = None if held is None else _clock()
        self._lock = threading.Lock()
        self._held = lock(path / LOCK) if held is None else held
        try:
            self.about: Final = msgspec.json.decode((path / ABOUT).read_bytes(), type=About)
            kept = (path / name for name in (ABOUT, OUTPUT, MARKS))
            self._latest: Final = max(one.stat().st_mtime for one in kept if one.exists())
            self._output = opened(path / OUTPUT)
            self._marks = opened(path / MARKS)
            self._reader = (path / OUTPUT).open("rb", buffering=0)
            self._mark_reader = (path / MARKS).open("rb", buffering=0)
            marks, size = whole_lines(path / MARKS, Mark)
        except BaseException:
            os.close(self._held)
            raise
        has_ended = bool(marks) and marks[-1].end is not None
        self.extent = Extent(os.fstat(self._output).st_size, size, has_ended)
        self.notify: Callable[[], None] = lambda: None
        self.trouble = ""
        """Why no more of the output is kept, once that is so."""
        self._lost = 0
        self._stages = 0
        self._progress: Progress | None = None
        self._looked = self.extent.output

    @classmethod
    def new(cls, folder: Path, about: About) -> "Spool":
        """Raises OSError."""
        path = folder / about.key
        path.mkdir(mode=0o700)
        held = lock(path / LOCK)  # before it is a run, which another process would take for one that was left
        try:
            put_file(path / ABOUT, msgspec.json.encode(about))
        except BaseException:
            os.close(held)
            raise
        return cls(path, held)

    @property
    def project(self) -> str | None:
        """The id of the project that it was begun in: a name may mean another one later."""
        try:
            return (self.path / PROJECT).read_text("ascii") or None
        except FileNotFoundError:
            return None

    def settle(self, project: str) -> None:
        """It was begun in the project of this id. Raises OSError where that can't be written."""
        put_file(self.path / PROJECT, project.encode("ascii"))

    def append(self, data: bytes, found: Sequence[Found] = ()) -> None:
        """Output as it is to be seen by others, with what was found in it, whose places count from its first byte. It
        never fails: what can't be kept is counted, and `trouble` says why."""
        with self._lock:
            if not self.trouble:
                self._append(data, found)
            else:
                self._lost += len(data)
        self.notify()

    @property
    def is_new(self) -> bool:
        """Whether it was begun here: then nothing of it is lost."""
        return self._began is not None

    @property
    def elapsed(self) -> float:
        """Seconds since the command began; of one that somebody else had begun, until something of it was kept last."""
        seconds = self._latest - self.about.started if self._began is None else _clock() - self._began
        return max(0.0, round(seconds, 3))

    def finish(self, end: End, after: float | None = None) -> None:
        """Nothing follows; the command ended so many seconds after its beginning, else `elapsed`. Raises OSError where
        that can't be written."""
        with self._lock:
            end = msgspec.structs.replace(end, lost=self._lost)
            after = self.elapsed if after is None else after
            size = self._put_marks([Mark(self.extent.output, end=end, after=after)])
            self.extent = Extent(self.extent.output, self.extent.marks + size, True)
        self.notify()

    def read(self, start: int, stop: int) -> bytes:
        """Of the output."""
        return _read(self._reader.fileno(), start, stop)

    def read_marks(self, start: int, stop: int) -> bytes:
        """Lines of the marks' file."""
        return _read(self._mark_reader.fileno(), start, stop)

    def last_mark(self) -> int:
        """Where it begins in the marks' file."""
        found, _ = read_lines(self.read_marks(0, self.extent.marks), Mark)
        return self.extent.marks - (found[-1][1] if found else 0)

    def sync(self) -> None:
        """What is kept by now outlasts a power cut, as far as the system can have it so. On any thread. Raises
        OSError."""
        folders = () if sys.platform == "win32" else (self.path, self.path.parent)  # which have the names
        for path in (*(self.path / name for name in FILES if name != LOCK), *folders):
            with contextlib.suppress(FileNotFoundError):  # that is not there yet, or no more
                descriptor = os.open(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)

    def lines(self, start: int, stop: int) -> int:
        """Ends of lines in this part of the output."""
        return sum(self.read(at, min(at + (1 << 20), stop)).count(b"\n") for at in range(start, stop, 1 << 20))

    def close(self) -> None:
        """For somebody else to go on with it."""
        self._reader.close()
        self._mark_reader.close()
        for descriptor in (self._output, self._marks, self._held):
            os.close(descriptor)

    def remove(self, *, keep_output: bool = False) -> None:
        """It is done with; `keep_output` leaves the file with the output, for people."""
        self.close()
        with contextlib.suppress(OSError):  # what can't be removed, or is not empty, stays
            for name in FILES:
                if not (keep_output and name == OUTPUT):
                    (self.path / name).unlink(missing_ok=True)
            self.path.rmdir()

    def _append(self, data: bytes, found: Sequence[Found]) -> None:
        """Both become visible at once: a mark is never seen before the output that it is behind."""
        base, marks = self.extent.output, self.extent.marks
        try:
            self._look()
            marks += self._put_marks(self._told(found))
            left = memoryview(data)
            while left:
                left = left[os.write(self._output, left) :]
        except OSError as error:
            self.trouble = why(error)
        size = os.fstat(self._output).st_size
        self._lost += base + len(data) - size
        self.extent = Extent(size, marks, False)

    def _put_marks(self, marks: Sequence[Mark]) -> int:
        """Bytes that they have."""
        text = b"".join(msgspec.json.encode(mark) + b"\n" for mark in marks)
        put_lines(self._marks, self.extent.marks, text)
        return len(text)

    def _told(self, found: Sequence[Found]) -> list[Mark]:
        """What is worth a line: of progress the last before each stage, if it is another than before."""
        marks: list[Mark] = []
        for place, what in found:
            at = self.extent.output + place
            if not isinstance(what, Progress):
                self._stages += 1
                if self._stages <= STAGES_MAX:
                    marks.append(Mark(at, stage=what.name, after=self.elapsed))
            elif what != self._progress:
                if marks and marks[-1].progress is not None:
                    marks.pop()
                marks.append(Mark(at, progress=what.percent, message=what.message))
                self._progress = what
        return marks

    def _look(self) -> None:
        if self.extent.output - self._looked < LOOK_EVERY:
            return
        self._looked = self.extent.output
        disk = shutil.disk_usage(self.path)
        if disk.free < min(FREE_MIN, disk.total // 20):
            raise OSError(0, "the disk is almost full")


def about(project: str, url: str, command: str, host: str | None) -> About:
    """Of a run that begins. Its key is a name that no other has, and sorts by time."""
    now = time.time()
    key = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{os.urandom(8).hex()}"
    return About(key, project, url, command, host, now)


def read_lines(text: bytes, kind: type[T]) -> tuple[list[tuple[T, int]], int]:
    """Lines of JSON with their bytes, up to the first that is not whole, and up to which byte that is."""
    found: list[tuple[T, int]] = []
    at = 0
    while (end := text.find(b"\n", at)) >= 0:
        try:
            found.append((msgspec.json.decode(text[at:end], type=kind), end + 1 - at))
        except (ValueError, RecursionError):
            break
        at = end + 1
    return found, at


def whole_lines(path: Path, kind: type[T]) -> tuple[list[T], int]:
    """The lines of a file, and its bytes; what a kill has left behind them is cut off. Raises OSError."""
    text = path.read_bytes()
    lines, size = read_lines(text, kind)
    if size < len(text):
        os.truncate(path, size)
    return [line for line, _ in lines], size


def put_lines(descriptor: int, size: int, text: bytes) -> None:
    """To the end of a file of so many bytes: all of them, or nothing. Raises OSError."""
    left = text
    try:
        while left:
            left = left[os.write(descriptor, left) :]
    except OSError:
        os.ftruncate(descriptor, size)
        raise


def _clock() -> float:
    """Seconds, which pass while a machine sleeps too, where it has such a clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic()


def put_file(path: Path, data: bytes) -> None:
    """All of it, or nothing."""
    part = path.with_name(f"{path.name}.part")
    with os.fdopen(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
        file.write(data)
    part.replace(path)


def opened(path: Path) -> int:
    """To be appended to. Raises OSError."""
    return os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)


def _read(descriptor: int, start: int, stop: int) -> bytes:
    """One thread reads."""
    os.lseek(descriptor, start, os.SEEK_SET)
    parts = []
    while start < stop and (part := os.read(descriptor, stop - start)):
        parts.append(part)
        start += len(part)
    return b"".join(parts)
