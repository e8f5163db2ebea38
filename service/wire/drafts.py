"""From request bodies to drafts. `data` is taken as the text that it arrived as, checked but never decoded.

A body may be 8 MiB of anything: ten thousand events, a million zeros, nothing but line ends. So it is taken slice by
slice, and what is counted is counted before it is decoded; between two slices others have a turn of the event loop.
"""

import asyncio
import re
from collections.abc import Callable, Generator
from itertools import islice
from typing import Any, Final

import msgspec

from service.bus.steps import at_once, in_turns
from service.core.errors import ForbiddenError, InvalidError, MalformedError, MediaTypeError, TooLargeError
from service.core.event import Draft, Rule, Rules, check_about, check_key, check_type
from service.core.limits import BATCH_MAX, ENVELOPE_MAX
from service.core.topics import check_open, check_topic
from service.log.base import ONE_TURN, Pace, Turn

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"

SLICE_BYTES: Final = 32 * 1024
"""Of a body, looked at in one step: two milliseconds of the smallest events, or of what is none."""

SLICE: Final = 0.001
"""Seconds of such steps after which others have a turn: of long events hundreds of kilobytes, of short ones a slice."""

SLICE_EVENTS: Final = 256
"""Events in one step of those that are looked at one by one, for each may have a rule of its own."""

LARGE_BYTES: Final = 128 * 1024
LARGE_MAX: Final = 2
"""Bodies over so many bytes that are read at a time: small events take five times the memory of their text."""

_SPACE: Final = b" \t\r\n"
_LINE: Final = re.compile(rb"\S[^\n]*")
"""A line that is not blank, from its first character that is none of white space."""

_VALUE_ENDS: Final = re.compile(r"trailing characters \(byte (\d+)\)")
"""What msgspec says of a text that goes on behind its first value, and the number of the byte, from 1, with which."""

Steps = Generator[None, None, list[Draft]]
"""Work that gives way at each `yield`."""


class Plain(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One event as most publishers write it."""

    topic: str
    type: str
    data: msgspec.Raw
    key: str | None = None


class Incoming(Plain, forbid_unknown_fields=True, gc=False):
    """One event with all that it may have."""

    subject: str | None = None
    append: bool = False
    final: bool = False


def _no_rule(topic: str, type: str) -> Rule | None:
    return None


class DraftReader:
    """Reads one object, an array, or NDJSON. `data_max` is the bound for one event's data, in bytes; `turn` is waited
    for between two slices of a body, or with `now`, a clock in seconds, when they have taken as long as SLICE.
    """

    def __init__(
        self,
        data_max: int,
        rules: Rules = _no_rule,
        turn: Turn = ONE_TURN,
        now: Callable[[], float] | None = None,
        *,
        check_subjects: Callable[[str], None] = lambda topic: None,
    ) -> None:
        """`check_subjects` raises ForbiddenError for a topic on which nobody here may say what an event is about."""
        self._turn = turn
        self._now = now
        self._large = asyncio.Semaphore(LARGE_MAX)
        self._data_max = data_max
        self._rules = rules
        self._check_subjects = check_subjects
        self._decode = msgspec.json.Decoder(Incoming).decode
        self._decode_plain = msgspec.json.Decoder(Plain).decode
        self._skip = msgspec.json.Decoder(msgspec.Raw).decode

    async def read(self, content_type: str | None, body: bytes) -> tuple[list[Draft], bool]:
        """As `request`, giving way to others while it reads what is large; few at a time do so."""
        steps = self._read(content_type, body)
        turn = self._turn
        if self._now is not None and len(body) > SLICE_BYTES:
            turn = Pace(self._now, SLICE, turn)
        if len(body) <= LARGE_BYTES:
            return await in_turns(steps, turn)
        async with self._large:
            return await in_turns(steps, turn)

    def request(self, content_type: str | None, body: bytes) -> tuple[list[Draft], bool]:
        """The drafts, and whether they came as one bare object.

        Raises MediaTypeError, MalformedError (not JSON), TooLargeError (data) or InvalidError; with the field's
        path, and in NDJSON the line.
        """
        return at_once(self._read(content_type, body))

    def _read(self, content_type: str | None, body: bytes) -> Generator[None, None, tuple[list[Draft], bool]]:
        media_type = (content_type or JSON).partition(";")[0].strip().lower()
        if media_type not in (JSON, NDJSON):
            raise MediaTypeError(f"send {JSON} or {NDJSON}, not {media_type[:80]}", field="Content-Type")
        if media_type == NDJSON:
            return (yield from self._lines(body)), False
        start = body[:SLICE_BYTES].lstrip(_SPACE)[:1]
        if start == b"[":
            whole = len(body) <= SLICE_BYTES
            return (yield from self._array(decode_utf8(body)) if whole else self._long_array(body)), False
        self._check_size(len(body), "")
        return [self.one(decode_utf8(body))], True

    def _check_size(self, size: int, path: str, line: int | None = None) -> None:
        """Of one event as it was written, white space included, before it is decoded."""
        if size > self._data_max + ENVELOPE_MAX:
            raise TooLargeError(
                f"data has at most {self._data_max} bytes, and what is around it {ENVELOPE_MAX}",
                field=f"{path}data",
                line=line,
            )

    def one(self, text: str, path: str = "", line: int | None = None) -> Draft:
        try:
            incoming = self._decode(text)
        except (msgspec.DecodeError, RecursionError) as error:
            raise explain_decoding(error, path, line) from error
        return self.draft(incoming, path, line)

    def draft(self, incoming: Incoming, path: str = "", line: int | None = None) -> Draft:
        """A checked draft of decoded fields. Raises InvalidError, TooLargeError or ForbiddenError with its place."""
        topic, type, key = incoming.topic, incoming.type, incoming.key
        subject, append, final = incoming.subject, incoming.append, incoming.final
        try:
            check_open(check_topic(topic))
            draft = Draft(topic, check_type(type), self._data(incoming.data), key, subject, append, final)
            if key is not None:
                check_key(key)
            check_about(subject, append=append, final=final)
            if subject is not None:
                self._check_subjects(topic)
            if (rule := self._rules(topic, type)) is not None:
                rule(draft.data)
        except (InvalidError, ForbiddenError) as error:
            raise error.at(path, line) from error
        except (ValueError, RecursionError) as error:  # a rule that decodes: a number or a depth that Python can't take
            raise InvalidError(f"{type}: {error}", field="data").at(path, line) from error
        return draft

    def _data(self, raw: msgspec.Raw) -> str:
        """On one line: outside of strings a line break is white space (RFC 8259, 2), and inside it can't be."""
        view = memoryview(raw)
        if view.nbytes > self._data_max:
            raise TooLargeError(f"data has at most {self._data_max} bytes", field="data")
        text = str(view, "utf-8")
        if "\n" in text or "\r" in text:
            text = text.replace("\r", "").replace("\n", "")
        return text

    def _array(self, text: str) -> Steps:
        try:
            items = msgspec.json.decode(text, type=list[msgspec.Raw])
        except (msgspec.DecodeError, RecursionError) as error:
            raise explain_decoding(error) from error
        _check_count(len(items))
        drafts = []
        for n, item in enumerate(items):
            drafts.append(self.one(str(memoryview(item), "utf-8"), path=f"{n}."))
            if n % SLICE_EVENTS == SLICE_EVENTS - 1:
                yield
        return drafts

    def _long_array(self, body: bytes) -> Steps:
        """Element by element, as far as there may be any: see `_value_end`."""
        drafts: list[Draft] = []
        view = memoryview(body)
        position = body.index(b"[") + 1
        seen = position
        while True:
            path = f"{len(drafts)}."
            start, position = position, self._value_end(view, position, path)
            drafts.append(self.one(decode_utf8(body[start:position], start), path))
            if body[position : position + 1] == b"]":
                break
            if body[position : position + 1] != b",":
                raise MalformedError(
                    f"a comma or the array's end is missing at byte {position}", field=path.rstrip(".")
                )
            if len(drafts) == BATCH_MAX:
                _check_count(BATCH_MAX + 1)
            position += 1
            if position - seen > SLICE_BYTES or len(drafts) % SLICE_EVENTS == 0:
                seen = position
                yield
        if body[position + 1 :].strip(_SPACE):
            raise MalformedError(f"something follows the array at byte {position + 1}")
        return drafts

    def _value_end(self, view: memoryview, start: int, path: str) -> int:
        """Where what follows the value at `start` begins: msgspec reads it, and says where it stopped.

        Only as much is shown to it as one event may have, so that a value of megabytes is refused unread.
        """
        shown = view[start : start + self._data_max + ENVELOPE_MAX + 1]
        try:
            self._skip(shown)
        except (msgspec.DecodeError, RecursionError) as error:
            if found := _VALUE_ENDS.search(str(error)):
                return start + int(found[1]) - 1
            if start + len(shown) < len(view) and "truncated" in str(error):
                self._check_size(len(shown), path)
            raise explain_decoding(error, path) from error
        if start + len(shown) < len(view):
            self._check_size(len(shown), path)
        raise MalformedError("Input data was truncated")

    def _lines(self, body: bytes) -> Steps:
        drafts: list[Draft] = []
        position, line = 0, 1
        while position < len(body):
            if position:
                yield
            end = position + SLICE_BYTES
            if end < len(body):
                end = body.find(b"\n", end - 1) + 1 or len(body)
                # What goes beyond the slice is of one line.
                self._check_size(end - position - SLICE_BYTES, "", line + body.count(b"\n", position, end - 1))
            piece = body[position:end]
            found = self._good_lines(piece)
            if found is None:
                found = yield from self._closer_look(piece, line, BATCH_MAX - len(drafts))
                line += piece.count(b"\n")
            else:
                line += len(found)  # none of them is blank
            drafts += found
            position = end
        _check_count(len(drafts))
        return drafts

    def _good_lines(self, body: bytes) -> list[Draft] | None:
        """The drafts of plain lines without a fault, in a third of the time; None if a line needs a closer look.

        What the events of a batch share, topics and types above all, is checked once.
        """
        lines = body.split(b"\n", BATCH_MAX + 1)  # not a million of them
        if not lines[-1]:
            lines.pop()
        if not 0 < len(lines) <= BATCH_MAX or max(map(len, lines)) > self._data_max or b"\r" in body:
            return None
        try:
            found = list(map(self._decode_plain, lines))
            words: dict[str, str] = {}  # each topic and type once in memory, and not once an event
            for topic, type in {(one.topic, one.type) for one in found}:
                check_type(type)
                if self._rules(check_open(check_topic(topic)), type) is not None:
                    return None
            for key in {one.key for one in found if one.key is not None}:
                check_key(key)
            same = words.setdefault
            return [
                Draft(same(one.topic, one.topic), same(one.type, one.type), str(one.data, "utf-8"), one.key)
                for one in found
            ]
        except (msgspec.DecodeError, RecursionError, InvalidError, ForbiddenError, UnicodeDecodeError):
            return None

    def _closer_look(self, body: bytes, first: int, room: int) -> Steps:
        """The drafts of lines of which the first has the number `first`; blank ones are skipped."""
        lines: list[tuple[int, bytes]] = []
        position, number = 0, first
        for found in _LINE.finditer(body):
            number += body.count(b"\n", position, found.start())
            position = found.start()
            lines.append((number, found[0]))
            if len(lines) > room:
                _check_count(BATCH_MAX + 1)
        drafts = []
        for number, line in lines:
            self._check_size(len(line), "", number)
            drafts.append(self.one(decode_utf8(line, line=number), line=number))
            if len(drafts) % SLICE_EVENTS == 0:
                yield
        return drafts


def _check_count(count: int) -> None:
    if not count:
        raise InvalidError("no events in the request")
    if count > BATCH_MAX:
        raise InvalidError(f"a request has at most {BATCH_MAX} events")


def place_of(content_type: str | None, body: bytes, number: int) -> tuple[str, int | None]:
    """Where in a body the draft of this number, from 0, stands: its path, and the line of NDJSON."""
    if (content_type or JSON).partition(";")[0].strip().lower() != NDJSON:
        return f"{number}.", None
    start = next(islice(_LINE.finditer(body), number, None)).start()
    return "", 1 + body.count(b"\n", 0, start)


def decode_utf8(body: bytes, start: int = 0, line: int | None = None) -> str:
    """`start` is where `body` begins in what was sent. Raises MalformedError: JSON text is UTF-8 (RFC 8259, 8.1)."""
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError(f"not UTF-8: {error.reason} at byte {start + error.start}", line=line) from error


def explain_decoding(error: Exception, path: str = "", line: int | None = None) -> InvalidError:
    """What msgspec or the interpreter says of a text, as ours: 400 for what is no JSON, 422 for a wrong shape."""
    if not isinstance(error, msgspec.ValidationError):
        detail = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        return MalformedError(detail, field=path.rstrip(".") or None, line=line)
    detail, _, where = str(error).partition(" - at `$")
    names: list[Any] = [name for name in where.rstrip("`").replace("[", ".").replace("]", "").split(".") if name]
    if "field `" in detail:  # "missing required field `type`", "unknown field `zz`"
        names.append(detail.partition("field `")[2].rstrip("`"))
    return InvalidError(detail.replace("`", "'"), field=f"{path}{'.'.join(names)}".rstrip(".") or None, line=line)
