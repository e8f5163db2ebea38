"""Why the server ends a stream: values, to be told to the client and counted."""

from dataclasses import dataclass
from typing import Final, Self

from service.core.errors import (
    DrainingError,
    InvalidTokenError,
    OverloadedError,
    RateLimitedError,
    ScopeError,
    TwinwireError,
    UnauthorizedError,
)
from service.core.words import AuthDetail, GoodbyeReason


@dataclass(frozen=True, slots=True)
class Ending:
    """`reason` for `goodbye`, None if nobody listens any more; `code` of the WebSocket close (RFC 6455, 7.4).

    `detail` of an end for what the client may or may not.
    """

    reason: GoodbyeReason | None
    code: int
    detail: AuthDetail | None = None

    @property
    def is_final(self) -> bool:
        """Whether the client should not come back as it is: `goodbye` has no `retry` then."""
        return self.reason == "auth"

    @property
    def words(self) -> str:
        """For the Close frame of a WebSocket, for who can't read `goodbye`."""
        return f"{self.reason}:{self.detail}" if self.detail else self.reason or ""

    @classmethod
    def of(cls, error: TwinwireError | type[TwinwireError], reason: GoodbyeReason | None = None) -> Self:
        """The end that an error is to a stream: its close code tells whether to come back."""
        return cls(reason, error.close_code)


LOST: Final = Ending(None, 1011)
FAULT: Final = Ending.of(TwinwireError, "restart")
RESTART: Final = Ending.of(DrainingError, "restart")
STALLED: Final = Ending.of(OverloadedError, "stalled")
EXPIRED: Final = Ending("auth", UnauthorizedError.close_code, "expired")
REVOKED: Final = Ending("auth", UnauthorizedError.close_code, "revoked")
INVALID: Final = Ending("auth", UnauthorizedError.close_code, "invalid")
FORBIDDEN: Final = Ending("auth", ScopeError.close_code, "forbidden")
FULL: Final = Ending.of(OverloadedError, "limit")

_FAULTS: Final = {"expired": EXPIRED, "revoked": REVOKED}


def ending_of(error: TwinwireError) -> Ending:
    """What a refusal is to one who hears nothing but streams."""
    if isinstance(error, InvalidTokenError):
        return _FAULTS.get(error.reason, INVALID)
    if isinstance(error, UnauthorizedError):
        return INVALID
    if isinstance(error, ScopeError):
        return FORBIDDEN
    if isinstance(error, DrainingError):
        return RESTART
    return FULL if isinstance(error, (RateLimitedError, OverloadedError)) else Ending.of(error, "restart")


def fault_of(error: TwinwireError) -> Ending:
    """What an error is to a stream that runs: a limit, or a fault of ours."""
    return FULL if isinstance(error, (RateLimitedError, OverloadedError)) else FAULT
