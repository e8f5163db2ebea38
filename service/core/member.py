"""What a member may be called, and what it may tell of itself. Pure."""

import re
from typing import Any, Final

import msgspec

from service.core.errors import InvalidError, TooLargeError
from service.core.limits import MEMBER_MAX
from service.core.patch import merged

MEMBER_PATTERN: Final = rf"[A-Za-z0-9_.~-]{{1,{MEMBER_MAX}}}"
"""A regular expression without anchors."""

_MEMBER: Final = re.compile(rf"{MEMBER_PATTERN}\Z", re.ASCII)
_OURS: Final = re.compile(rf":{MEMBER_PATTERN}\Z", re.ASCII)


def check_member(text: str) -> str:
    """Return `text`. Raises InvalidError if it is no member's id."""
    if _MEMBER.match(text) is None or not text.strip("."):
        raise InvalidError(
            f"{text[:MEMBER_MAX]!r} is no member: 1-{MEMBER_MAX} characters of A-Z a-z 0-9 _ . ~ -, not dots alone",
            field="member",
        )
    return text


def is_ours(id: str) -> bool:
    """Whether one who has it is in this process."""
    return id.startswith(":")


def check_ours(text: str) -> str:
    """The same of one who is in this process: behind a colon, so that nobody from outside can be it."""
    if _OURS.match(text) is None:
        raise InvalidError(f"{text[:MEMBER_MAX]!r} is no member's id with a colon before it", field="member")
    return text


def as_object(text: str | bytes | memoryview, field: str, most: int) -> dict[str, Any]:
    """What JSON text says, of `most` bytes at most. Raises InvalidError if it is no object, or TooLargeError."""
    size = len(text.encode()) if isinstance(text, str) else len(text)
    if size > most:
        raise TooLargeError(f"{field} has at most {most} bytes", field=field)
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidError(f"{field}: {error}", field=field) from error
    if not isinstance(found, dict):
        raise InvalidError(f"{field} is a JSON object", field=field)
    return found


def as_data(value: dict[str, Any], before: str | None, field: str, most: int) -> str:
    """The text of an object, or the text `before` if that says the same. Raises InvalidError or TooLargeError."""
    try:
        text = msgspec.json.encode(value).decode()
        if before is not None and text != before and _sorted(value) == _sorted(msgspec.json.decode(before)):
            return before
    except (ValueError, RecursionError) as error:
        raise InvalidError(f"{field}: {error}", field=field) from error
    if len(text.encode()) > most:
        raise TooLargeError(f"data has at most {most} bytes", field=field)
    return text


def patched(before: str, patch: dict[str, Any], most: int) -> str:
    """The text of data with a patch applied (RFC 7396). Raises InvalidError or TooLargeError, of `merge`."""
    try:
        value = merged(msgspec.json.decode(before), patch)
    except RecursionError as error:
        raise InvalidError("merge is too deep", field="merge") from error
    return as_data(value, before, "merge", most)


def _sorted(value: Any) -> bytes:
    return msgspec.json.encode(value, order="sorted")
