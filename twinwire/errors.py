"""What goes wrong: errors that reach the program, and faults that end a connection."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

ORDERED_MAX: Final = 600.0
"""Seconds: a longer `Retry-After` is taken as ten minutes. A program must come back some time."""

_PASSING: Final = frozenset({408, 425, 429})
"""Below 500, what another try may help: a proxy's timeout, too early, too many."""

_REFUSED: Final = frozenset({401, 403})
_TOO_LONG: Final = frozenset({414, 431})
"""The URL, or the fields of the request (RFC 9110, 15.5.15; RFC 6585, 5): as long the next time."""

Kind = Literal[
    "network", "timeout", "stalled", "media", "http", "closed", "goodbye", "unsupported", "protocol", "dropped"
]
Refusal = Literal["expired", "revoked", "invalid", "forbidden"]

_SAID: Final[dict[Refusal, tuple[str, str]]] = {
    "expired": ("Token expired", "it has ended, and there is no other"),
    "revoked": ("Token revoked", "it was, and there is no other"),
    "invalid": ("Invalid token", "it is not good any more, and there is no other"),
    "forbidden": ("Right missing", "there is no right to this any more"),
}
"""Of a stream that was open: title and detail, as the service would have answered a request."""


class Problem(msgspec.Struct):
    """A problem of the service (RFC 9457; docs/protocol.md, section 5)."""

    status: int = 0
    title: str = ""
    detail: str = ""
    field: str | None = None
    line: int | None = None


class TwinwireError(Exception):
    """What a request or a stream came to, if not to what was asked for.

    `status` is that of the answer, 0 if there was none from the service; `field` names what is to blame, and `line`
    (from 1) where, in a request of several events; `retry_after` is the seconds that the service asks for;
    `is_passing` tells whether the same may succeed later. `stored`: the ids of those events that were published before
    the ones that it is about, where several requests were made.
    """

    def __init__(
        self,
        detail: str,
        *,
        status: int = 0,
        title: str = "",
        field: str | None = None,
        line: int | None = None,
        retry_after: float | None = None,
        is_passing: bool = False,
    ) -> None:
        super().__init__(detail)
        self.detail: Final = detail
        self.status: Final = status
        self.title: Final = title
        self.field: Final = field
        self.line: Final = line
        self.retry_after: Final = retry_after
        self.is_passing: Final = is_passing
        self.stored: Sequence[str] = ()


class RefusedError(TwinwireError):
    """Nobody without a token, with this one or without the right is let in; `reason` says which of them, as far as the
    service tells: `invalid`, `expired`, `revoked`, `forbidden`."""

    def __init__(self, detail: str, *, reason: Refusal = "invalid", **rest: Any) -> None:
        super().__init__(detail, **rest)
        self.reason: Final = reason


class InvalidError(TwinwireError):
    """What was given can't be sent: no JSON, no URL, no token. Nothing was."""


class ClosedError(TwinwireError):
    """The client, or the subscription, is closed."""


class ForkedError(TwinwireError):
    """A client that was opened before a fork is used after it: its connections are the other process's."""


def why(error: Exception) -> str:
    """As people are told of it in a sentence of ours."""
    if isinstance(error, TwinwireError):
        return error.detail
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a connection ended, or never began. `silence` is the seconds without a byte before it; the rest as in
    `TwinwireError`, or as the service said goodbye."""

    kind: Kind
    detail: str
    status: int = 0
    problem: Problem | None = None
    retry_after: float | None = None
    code: int = 0
    reason: str = ""
    said: str = ""
    silence: float = 0.0
    token: str = field(default="", repr=False)
    """With which it was asked."""
    is_at_once: bool = False
    """The next attempt need not wait."""

    @property
    def refusal(self) -> Refusal | None:
        """Why the credential was refused, visibly (401, 403) or as the service says it on a stream; None if it was
        not."""
        if self.status == 403:
            return "forbidden"
        if self.status == 401:
            return "invalid"
        if self.code != 1008 and self.reason != "auth":
            return None
        said = self.said or self.detail.removeprefix("auth:")
        return said if said in ("expired", "revoked", "forbidden") else "invalid"  # type: ignore[return-value]

    @property
    def is_final(self) -> bool:
        """No retry can change the answer: one that the service itself explained. The same status without a problem
        comes from something in between, and passes; but for what is too long for it."""
        if self.problem is None:
            return self.status in _TOO_LONG
        return 400 <= self.status < 500 and self.status not in _REFUSED | _PASSING

    @property
    def is_answer(self) -> bool:
        """The service itself has answered: another transport would hear the same."""
        return self.refusal is not None or self.is_final or self.retry_after is not None

    def error(self) -> TwinwireError:
        """As the program is told of it."""
        problem = self.problem or Problem()
        said: dict[str, Any] = {
            "status": self.status,
            "title": problem.title,
            "field": problem.field,
            "line": problem.line,
        }
        refusal = self.refusal
        if refusal is not None:
            status = self.status or (403 if refusal == "forbidden" else 401)
            if self.status:
                return RefusedError(self.detail, reason=refusal, **said)
            title, why = _SAID[refusal]
            said |= {"status": status, "title": title}
            return RefusedError(f"{status} {title}: {why}", reason=refusal, **said)
        is_passing = not self.is_final and (not problem.title or self.status in _PASSING or self.status >= 500)
        return TwinwireError(self.detail, retry_after=self.retry_after, is_passing=is_passing, **said)


def bounded(delay: object) -> float | None:
    """A delay in seconds that the service ordered, within sane bounds; None if it is none."""
    is_number = isinstance(delay, int | float) and not isinstance(delay, bool) and delay == delay
    return min(max(float(delay), 0.0), ORDERED_MAX) if is_number else None  # type: ignore[arg-type]
