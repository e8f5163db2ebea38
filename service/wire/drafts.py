"""From request bodies to drafts. `data` is taken as the text that it arrived as, checked but never decoded."""

from typing import Any, Final

import msgspec

from service.core.errors import ForbiddenError, InvalidError, MalformedError, MediaTypeError, TooLargeError
from service.core.event import Draft, Rule, Rules, check_key, check_type, new_tuple
from service.core.limits import BATCH_MAX
from service.core.topics import check_open, check_topic

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"


class Incoming(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One event as a publisher writes it."""

    topic: str
    type: str
    data: msgspec.Raw
    key: str | None = None


def _no_rule(topic: str, type: str) -> Rule | None:
    return None


class DraftReader:
    """Reads one object, an array, or NDJSON. `data_max` is the bound for one event's data, in bytes."""

    def __init__(self, data_max: int, rules: Rules = _no_rule) -> None:
        self._data_max = data_max
        self._rules = rules
        self._decode = msgspec.json.Decoder(Incoming).decode

    def request(self, content_type: str | None, body: bytes) -> tuple[list[Draft], bool]:
        """The drafts, and whether they came as one bare object.

        Raises MediaTypeError, MalformedError (not JSON), TooLargeError (data) or InvalidError; with the field's
        path, and in NDJSON the line.
        """
        media_type = (content_type or JSON).partition(";")[0].strip().lower()
        if media_type not in (JSON, NDJSON):
            raise MediaTypeError(f"send {JSON} or {NDJSON}, not {media_type[:80]}", field="Content-Type")
        text = decode_utf8(body)
        if media_type == NDJSON:
            return self._good_lines(body) or self._lines(text), False
        if text.lstrip(" \t\r\n")[:1] == "[":
            return self._array(text), False
        return [self.one(text)], True

    def one(self, text: str, path: str = "", line: int | None = None) -> Draft:
        try:
            incoming = self._decode(text)
        except (msgspec.DecodeError, RecursionError) as error:
            raise explain_decoding(error, path, line) from error
        return self.draft(incoming.topic, incoming.type, incoming.data, incoming.key, path, line)

    def draft(
        self, topic: str, type: str, raw: msgspec.Raw, key: str | None, path: str = "", line: int | None = None
    ) -> Draft:
        """A checked draft of decoded fields. Raises InvalidError, TooLargeError or ForbiddenError with its place."""
        try:
            draft = Draft(check_open(check_topic(topic)), check_type(type), self._data(raw), key)
            if key is not None:
                check_key(key)
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

    def _array(self, text: str) -> list[Draft]:
        try:
            items = msgspec.json.decode(text, type=list[msgspec.Raw])
        except (msgspec.DecodeError, RecursionError) as error:
            raise explain_decoding(error) from error
        _check_count(len(items))
        return [self.one(str(memoryview(item), "utf-8"), path=f"{n}.") for n, item in enumerate(items)]

    def _good_lines(self, body: bytes) -> list[Draft] | None:
        """The drafts of a batch without a fault, in a third of the time; None if a line needs a closer look.

        What the events of a batch share, topics and types above all, is checked once.
        """
        lines = body.split(b"\n")
        if not lines[-1]:
            lines.pop()
        if not 0 < len(lines) <= BATCH_MAX or max(map(len, lines)) > self._data_max or b"\r" in body:
            return None
        try:
            found = list(map(self._decode, lines))
            for topic, type in {(one.topic, one.type) for one in found}:
                check_type(type)
                if self._rules(check_open(check_topic(topic)), type) is not None:
                    return None
            for key in {one.key for one in found if one.key is not None}:
                check_key(key)
        except (msgspec.DecodeError, RecursionError, InvalidError, ForbiddenError):
            return None
        return [new_tuple(Draft, (one.topic, one.type, str(one.data, "utf-8"), one.key)) for one in found]

    def _lines(self, text: str) -> list[Draft]:
        drafts = [
            self.one(line, line=number)
            for number, line in enumerate(text.split("\n"), 1)
            if line and not line.isspace()
        ]
        _check_count(len(drafts))
        return drafts


def _check_count(count: int) -> None:
    if not count:
        raise InvalidError("no events in the request")
    if count > BATCH_MAX:
        raise InvalidError(f"a request has at most {BATCH_MAX} events")


def decode_utf8(body: bytes) -> str:
    """Raises MalformedError: JSON text is UTF-8 (RFC 8259, 8.1)."""
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError(f"not UTF-8: {error.reason} at byte {error.start}") from error


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
