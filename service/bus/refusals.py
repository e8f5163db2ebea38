"""Why the log refused a publish, in one word: what metrics count it by."""

from collections.abc import Mapping
from typing import Final, get_args

from service.core.errors import (
    GuardError,
    OverloadedError,
    ReserveError,
    StorageDownError,
    StorageError,
    StorageFullError,
    TwinwireError,
    UnavailableError,
    UnsupportedError,
)
from service.core.words import PublishRefusal

_WORDS: Final[Mapping[type[TwinwireError], PublishRefusal]] = {
    GuardError: "guard",
    ReserveError: "reserve",
    StorageFullError: "full",
    OverloadedError: "queue",
    UnavailableError: "closed",
    StorageDownError: "down",
    StorageError: "storage",
    UnsupportedError: "unsupported",
}
"""A class stands before those that it is derived from: the first that fits is the one."""

REASONS: Final[tuple[PublishRefusal, ...]] = get_args(PublishRefusal)


def reason_of(error: TwinwireError) -> PublishRefusal:
    if isinstance(error, OverloadedError) and error.field == "topic":
        return "topics"
    return next((word for kind, word in _WORDS.items() if isinstance(error, kind)), "other")
