"""What a report does to a run: which pieces its log grows by, what is told, and how the run is afterwards.

The numbers of pieces and lines are counted here, from the state that the report found, which the transaction guards
(`Held.guard`): if anything has come in between, none of it is written, and the report is applied anew.

A reporter may tell when something was, by the command's own clock: what comes late, because the network or the service
was away, does not seem short for that. It is believed as far as it can be so: neither before the command began, or what
is told before it in a report, nor in the future.

Bytes are stored as they came. What is told of them as text may have to wait: a character that is cut in two by the end
of an item is told with the next, so that an event never has half of it. Those few bytes are the run's `tail`.

    line 1: make            joined 0, line 1     an item may end anywhere; `unfinished` says that the last line
    gcc -c a.                                    has not ended, and then what follows is joined to it
    c\\n                     joined 1, line 2
"""

import codecs
from collections.abc import Iterable
from typing import Any, Final

from service.apps.projects.changes import Change
from service.apps.projects.models import FinalStatus, Run, RunOutput, RunUpdate, StatusUpdate
from service.apps.projects.runs.held import Held
from service.apps.projects.runs.items import Cut, End, Item
from service.apps.projects.runs.limits import CUT_ROOM, ITEM_MAX, STAGES_MAX, TEXT_MAX
from service.apps.projects.runs.signals import code_of
from service.apps.projects.runs.wording import cancelled_command
from service.core.errors import InvalidError, TooLargeError
from service.core.time import parse_rfc3339, rfc3339
from service.log.base import Statement

CUT: Final = "cut"
"""The level of a piece that tells that something is missing."""

_INTERRUPTED: Final = "SIGINT"
_ADD: Final = (
    "INSERT INTO run_log (run, piece, line, joined, stage, time, level, stream, data)"
    " VALUES (:serial, :piece, :line, :joined, :stage, :time, :level, :stream, :data)"
)
_SET: Final = (
    "UPDATE runs SET status = :status, progress = :progress, message = :message, stage = :stage, exit = :exit,"
    " signal = :signal, finished = :finished, silent = 0, reported = :reported, heard = :now, ended = :ended,"
    " pieces = :pieces, lines = :lines, bytes = :bytes, cut = :cut, unfinished = :unfinished, tail = :tail"
    " WHERE id = :run"
)
_ADD_STAGE: Final = (
    "INSERT INTO stages (run, number, name, status, message, started, first_line)"
    " VALUES (:run, :number, :name, 'started', '', :now, :line)"
    " ON CONFLICT (run, number) DO UPDATE SET status = 'started', started = :now, first_line = :line"
)
_END_STAGE: Final = (
    "UPDATE stages SET status = :status, message = :message, duration = max(0, :now - started) / 1000.0"
    " WHERE run = :run AND number = :number AND status = 'started'"
)
_REOPEN_STAGE: Final = "UPDATE stages SET status = 'started', duration = NULL WHERE run = :run AND number = :number"


class Applying:
    """One report's."""

    def __init__(self, found: Held, stages: Iterable[tuple[Any, ...]], now: int, most: int) -> None:
        """`stages` are the run's in order, each its name and whether it has begun; `now` is in Unix ms, `most` the
        bytes that the log may have.
        """
        self.change = Change(found.run.project)
        self.run = found.run
        self.is_news = found.run.silent or found.run.finished is not None
        """Whether the run has come to something that is told at once."""
        self._found = found
        self._stages = [(str(name), bool(begun)) for name, begun in stages]
        self._now = now
        self._began = now if found.run.started is None else min(now, parse_rfc3339(found.run.started))
        self._latest = self._began
        """When the latest was of what this report has told by now."""
        self._most = most
        self._stage = found.stage
        self.has_ended = False
        self._pieces = found.pieces
        self._unfinished = found.unfinished
        self._tail = found.tail
        self._buffer: list[bytes] = []
        self._buffered = 0
        self._stream: str | None = None
        if found.run.finished is not None:
            self._set(status="running", finished=None, duration=None, message="Heard of again")
            self._do(_REOPEN_STAGE, number=self._stage)
        self._set(silent=False)

    def take(self, item: Item, path: str) -> None:
        """Raises TooLargeError (`items`) if the log may not be as long as that, InvalidError after the end."""
        if self.has_ended:
            raise InvalidError("nothing comes after the end", field=path)
        if item.progress is not None:
            self._set(progress=item.progress, message=item.message or self.run.message)
        elif item.stage is not None:
            self._begin_stage(item.stage, self._moment(item))
        elif item.cut is not None:
            self._cut(item.cut)
        elif item.end is not None:
            self._end(item.end, self._moment(item))
        elif item.alive is None:
            self._output(item.data(path), item.stream)

    def close(self, reported: int) -> Change:
        """The change as a whole, but for what is told of the run's state."""
        self._flush()
        run = self.run
        self._do(
            _SET,
            status=run.status,
            progress=run.progress,
            message=run.message,
            stage=self._stage,
            exit=run.exit,
            signal=run.signal,
            finished=None if run.finished is None else parse_rfc3339(run.finished),
            reported=reported,
            now=self._now,
            ended=self.has_ended,
            pieces=self._pieces,
            lines=run.lines,
            bytes=run.bytes,
            cut=run.cut,
            unfinished=self._unfinished,
            tail=self._tail,
        )
        return self.change

    @property
    def has_moved(self) -> bool:
        """Whether what is told of the run is not what it was."""
        before = self._found.run
        return (self.run.progress, self.run.message) != (before.progress, before.message)

    def _moment(self, item: Item) -> int:
        """When it was, in Unix ms."""
        at = self._now if item.at is None else min(self._now, self._began + round(item.at * 1000))
        self._latest = max(self._latest, at)
        return self._latest

    def _set(self, **values: object) -> None:
        self.run = self.run.model_copy(update=values)

    def _do(self, sql: str, **values: str | int | float | bytes | None) -> None:
        self.change.also.append(Statement(sql, {"run": self.run.id, "serial": self._found.serial, **values}))

    # The log

    def _output(self, data: bytes, stream: str | None) -> None:
        if stream != self._stream or self._buffered + len(data) > ITEM_MAX:
            self._flush()
        self._stream = stream
        self._buffer.append(data)
        self._buffered += len(data)
        self._check_size(self._buffered, self._most)

    def _check_size(self, more: int, most: int) -> None:
        if self.run.bytes + more > most:
            raise TooLargeError(f"the log of a run has at most {self._most:,} bytes", field="items")

    def _flush(self, *, final: bool = False) -> None:
        """Store what has come as one piece, and tell it. `final`: what is left of a character will never be one."""
        data, self._buffer, self._buffered = b"".join(self._buffer), [], 0
        if not data and not (final and self._tail):
            return
        line = self.run.lines if self._unfinished else self.run.lines + 1
        if data:
            self._add(data, line, None)
        bytes_ = self._tail + data
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text = decoder.decode(bytes_, final)
        self._tail = b"" if final else decoder.getstate()[0]
        stage = self.run.stage
        for start in range(0, len(text), TEXT_MAX):
            part = text[start : start + TEXT_MAX]
            self.change.tell(RunOutput(run=self.run.number, stage=stage, line=line, text=part))
            line += part.count("\n")

    def _add(self, data: bytes, line: int, level: str | None) -> None:
        joined, self._unfinished = self._unfinished, not data.endswith(b"\n")
        self._pieces += 1
        self._do(
            _ADD,
            piece=self._pieces,
            line=line,
            joined=joined,
            stage=self._stage,
            level=level,
            stream=self._stream,
            data=data,
        )
        lines = line + data.count(b"\n") - (0 if self._unfinished else 1)
        self._set(lines=lines, bytes=self.run.bytes + len(data))

    def _cut(self, cut: Cut) -> None:
        """It shows as a line of its own."""
        self._flush(final=True)
        data = f"[... {_missing(cut)} ...]\n".encode()
        if self._unfinished:
            data = b"\n" + data
        self._check_size(len(data), self._most + CUT_ROOM)
        line = self.run.lines if self._unfinished else self.run.lines + 1
        self._stream = None
        self._add(data, line, CUT)
        self.change.tell(RunOutput(run=self.run.number, stage=self.run.stage, line=line, text=data.decode()))
        self._set(cut=self.run.cut + cut.bytes)
        self.is_news = True

    # Stages and the end

    def _begin_stage(self, name: str, at: int) -> None:
        """The next of this name that is pending, or a new one; none if it is at that already."""
        if self._stage and self._stages[self._stage - 1][0] == name:
            return
        if (name, False) in self._stages:
            number = self._stages.index((name, False)) + 1
        elif len(self._stages) < STAGES_MAX:
            self._stages.append((name, False))
            number = len(self._stages)
        else:
            return
        self._flush()
        self._end_stage("completed", at)
        self._stages[number - 1] = (name, True)
        self._stage = number
        line = self.run.lines if self._unfinished else self.run.lines + 1
        self._do(_ADD_STAGE, number=self._stage, name=name, now=at, line=line)
        self._set(stage=name, message=f"At {name}")
        self.is_news = True

    def _end_stage(self, status: FinalStatus, at: int, message: str = "") -> None:
        if self._stage:
            self._do(_END_STAGE, number=self._stage, status=status, message=message, now=at)

    def _end(self, end: End, at: int) -> None:
        if end.cut is not None:
            self._cut(end.cut)
        self._flush(final=True)
        code = end.exit if end.exit is not None or end.signal is None else code_of(end.signal)
        status: FinalStatus = "completed" if code == 0 and end.signal is None else "failed"
        message = _explained(end, code)
        if status == "failed" and (self._found.cancelling or end.signal == _INTERRUPTED):
            status = "cancelled"
            message = cancelled_command(self._found.cancelled_by, self.run.stage) if self._found.cancelling else message
        self._end_stage(status, at, message)
        self.has_ended = True
        self._set(
            status=status,
            progress=100 if status == "completed" else self.run.progress,
            message=message,
            exit=code,
            signal=end.signal,
            finished=rfc3339(at),
            duration=self.run.seconds_until(at),
        )
        self.is_news = True


def tell_run(change: Change, run: Run, *, is_shown: bool) -> Change:
    """How a run is; `is_shown`: its project is so too."""
    change.tell(RunUpdate.of(run))
    if is_shown:
        change.tell(StatusUpdate.of(run))
    return change


def _explained(end: End, code: int | None) -> str:
    if end.signal is not None:
        return f"Ended by {end.signal}"
    return "How it ended is not known" if code is None else f"Ended with exit code {code}"


def _missing(cut: Cut) -> str:
    lines = f" ({cut.lines:,} lines)" if cut.lines else ""
    where = f": {cut.file} has all of it" if cut.file else ""
    return f"{cut.bytes:,} bytes{lines} are not here{where}"
