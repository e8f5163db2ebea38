"""Errors as RFC 9457 problems: a status, headers and a JSON body that names the field."""

import json
import math
from collections import Counter
from typing import Any, Final

from service.core.errors import MethodError, TwinwireError, UpgradeRequiredError

MEDIA_TYPE: Final = "application/problem+json"


def _statuses(kind: type[TwinwireError]) -> set[int]:
    """Of a kind of error, and of those below it."""
    return {kind.status}.union(*map(_statuses, kind.__subclasses__()))


told: Final[Counter[int]] = Counter(dict.fromkeys(_statuses(TwinwireError), 0))
"""How many there were since the process began, by status: in answers, and in frames that answer a message. From 0, so
that the first of its status is seen as a rise.
"""


def problem(error: TwinwireError, **members: Any) -> dict[str, Any]:
    """The problem object, which is counted; `members` are extension members (RFC 9457, 3.2)."""
    told[error.status] += 1
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
    }
    if error.field is not None:
        body["field"] = error.field
    if error.line is not None:
        body["line"] = error.line
    return body | dict(error.members) | members


def problem_response(error: TwinwireError, **members: Any) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body."""
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"cache-control", b"no-store")]
    if error.retry_after is not None:
        headers.append((b"retry-after", str(math.ceil(error.retry_after)).encode()))
    if isinstance(error, MethodError):
        headers.append((b"allow", error.allow.encode()))
    if error.challenge is not None:
        headers.append((b"www-authenticate", _challenge(error.challenge)))
    if isinstance(error, UpgradeRequiredError):
        headers += [(b"upgrade", b"websocket"), (b"connection", b"upgrade")]  # RFC 9110, 7.8 wants both
    body = json.dumps(problem(error, **members), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return error.status, headers, body


def _challenge(error: str) -> bytes:
    """RFC 6750, 3; RFC 9110, 11.6.1."""
    return b'Bearer realm="twinwire"' + (f', error="{error}"'.encode() if error else b"")
