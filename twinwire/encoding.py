"""Drafts as JSON: what Python's own encoder takes, and the values that every application has beside it."""

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from twinwire.errors import InvalidError
from twinwire.event import Draft, RawJson


def _default(value: Any) -> Any:
    """Dates and times as RFC 3339, UUIDs and decimals as text, enumerations, dataclasses and structs, sets as arrays,
    and what is a mapping or a sequence of another kind. Raises TypeError for the rest."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, bytes | bytearray | memoryview | RawJson):  # of which each would become something else
        raise TypeError(f"{type(value).__name__} is no JSON")
    try:
        return msgspec.to_builtins(value)
    except (TypeError, ValueError):
        if isinstance(value, Sequence):
            return list(value)
        raise TypeError(f"{type(value).__name__} is no JSON") from None


_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_default)


def as_json(value: Any) -> bytes:
    """Raises TypeError or ValueError for what is no JSON."""
    return _encoder.encode(value).encode()


def keyed(draft: Draft) -> Draft:
    """With a key, so that a retry never publishes twice."""
    return draft if draft.key is not None else replace(draft, key=secrets.token_urlsafe(16))


def encode(draft: Draft, **more: Any) -> bytes:
    """One event as `POST /api/events` takes it, with `more` members. Raises InvalidError, which names the field."""
    rest = b"".join(b',"' + name.encode() + b'":' + _json_of(name, value) for name, value in more.items())
    return head_of(draft)[:-1] + b',"data":' + data_of(draft.data) + rest + b"}"


def head_of(draft: Draft) -> bytes:
    """All of it but its data, as JSON. Raises InvalidError, which names the field."""
    given = {"topic": draft.topic, "type": draft.type, "key": draft.key, "subject": draft.subject}
    for name, value in given.items():
        if not isinstance(value, str) and (value is not None or name in ("topic", "type")):
            raise InvalidError(f"{name} is {value!r}, and no text", field=name)
    members: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    members |= {name: True for name in ("append", "final") if getattr(draft, name)}
    try:
        return as_json(members)
    except UnicodeEncodeError as error:
        raise InvalidError("topic, type, key or subject is not UTF-8") from error


def data_of(data: Any) -> bytes:
    """Its JSON. Raises InvalidError."""
    return _checked(data.text) if isinstance(data, RawJson) else _json_of("data", data)


def _json_of(field: str, value: Any) -> bytes:
    try:
        return as_json(value)
    except (TypeError, ValueError, RecursionError) as error:  # of which one is what UTF-8 does not take
        raise InvalidError(f"{field} can't be sent as JSON: {error}", field=field) from error


def _checked(text: str) -> bytes:
    try:
        encoded = text.encode()
        msgspec.json.decode(encoded, type=msgspec.Raw)
    except (ValueError, RecursionError) as error:
        raise InvalidError(f"data is not JSON: {error}", field="data") from error
    return encoded.replace(b"\r", b" ").replace(b"\n", b" ")  # between tokens: in a text they are escaped


def lines(encoded: Iterable[bytes]) -> bytes:
    """As NDJSON."""
    return b"\n".join(encoded)
