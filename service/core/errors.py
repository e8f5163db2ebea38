"""One tree of errors. Each knows its HTTP status, its WebSocket close code and whether a retry helps.

    TwinwireError                500  1011
    ├── InvalidError             422        a value breaks the contract; names the field
    │   ├── MalformedError       400        not JSON at all
    │   ├── TooLargeError        413  1009
    │   │   └── LongTextError    413  1009
    │   ├── MediaTypeError       415
    │   └── PresentationError    400        a credential is not presented as it should be
    ├── UnauthorizedError        401  1008  a credential is needed
    │   └── InvalidTokenError    401  1008  the one that came is no good
    ├── NotFoundError            404
    ├── GoneError                410  1008  it can't be had any more
    ├── MethodError              405
    ├── RequestTimeoutError      408  1008  a body does not get on
    ├── ConflictError            409
    │   ├── ClosedSubjectError   409        nothing more is appended to this value
    │   └── GuardError           409        a guard of an append did not hold; tells what it found
    ├── ForbiddenError           403  1008
    │   └── ScopeError           403  1008  a right is missing
    ├── MisdirectedError         421  1008  asked under a name that is not the service's
    ├── UpgradeRequiredError     426
    ├── RateLimitedError         429  1013  retry
    ├── UnavailableError         503  1013  retry
    │   ├── DrainingError        503  1012  retry
    │   ├── OverloadedError      503  1013  retry
    │   └── StorageFullError     503  1013  retry
    │       └── ReserveError     503  1013  retry  what is left of the disk is kept for making room
    ├── UnsupportedError         501
    ├── StorageError             500  1011  the database can't be used; says why
    │   ├── StorageDownError     503  1013  retry  it can't be trusted at the moment
    │   ├── LockedError          500  1011  another process has it
    │   └── MigrationError       500  1011
    └── ConfigError              500  1011  what the service was told to start with does not make sense

An error is a value: all that it tells is given when it is made, and the type checker refuses what would change it
later. `at` makes another one of it. Errors become problems (RFC 9457) in `wire/problems.py`: answers of the wires in
`wire/request.py`, of Quart's resources in `web/problems.py`, `problem` frames in `wire/websocket.py`. Nowhere else.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Self

from service.core.words import TokenFault


class TwinwireError(Exception):
    """Base of everything this service raises on purpose."""

    status: ClassVar[int] = 500
    close_code: ClassVar[int] = 1011
    title: ClassVar[str] = "Internal error"
    retry_after: ClassVar[float | None] = None
    """Seconds after which the same request may succeed; None if a retry alone does not help."""
    members: ClassVar[Mapping[str, Any]] = {}
    """What its problem tells beside (RFC 9457, 3.2: extension members)."""
    challenge: ClassVar[str | None] = None
    """What `WWW-Authenticate` says is wrong (RFC 6750, 3); "" for nothing in particular, None for no such field."""

    def __init__(
        self,
        detail: str,
        *,
        field: str | None = None,
        line: int | None = None,
        status: int | None = None,
        title: str | None = None,
        retry_after: float | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        """`status`, `title`, `retry_after` and `members` are the class's unless they are given."""
        super().__init__(detail)
        self.detail: Final = detail
        self.field: Final = field
        self.line: Final = line
        self._override(status=status, title=title, retry_after=retry_after, members=members)

    def at(self, path: str, line: int | None = None) -> Self:
        """The same error, found under `path` (`2.`, with the dot) of what was sent, on `line` of it."""
        found = self.again()
        field = f"{path}{self.field}" if self.field else path.rstrip(".") or None
        vars(found).update(field=field, line=line)
        return found

    def again(self) -> Self:
        """The same error for somebody else: each that is raised has a traceback of its own."""
        found = type(self)(self.detail)
        vars(found).update(vars(self))
        return found

    def _override(self, **given: Any) -> None:
        """Past the type checker, for which a class variable can't be set on an instance: here alone it may be."""
        vars(self).update({name: value for name, value in given.items() if value is not None})


def unforeseen() -> TwinwireError:
    """What a client is told of a fault of ours; the log has the rest."""
    return TwinwireError("the service failed; its log says why")


class InvalidError(TwinwireError):
    """A value breaks the contract; `field` is its path (`2.topic`), `line` its NDJSON line from 1."""

    status = 422
    close_code = 1008
    title = "Invalid request"


class MalformedError(InvalidError):
    """The body is not JSON (RFC 8259)."""

    status = 400
    title = "Malformed JSON"


class TooLargeError(InvalidError):
    """A body, a message or a value exceeds its bound."""

    status = 413
    close_code = 1009
    title = "Too large"


class MediaTypeError(InvalidError):
    """The Content-Type is not one that this resource reads."""

    status = 415
    title = "Unsupported media type"


class PresentationError(InvalidError):
    """A credential is presented twice, in pieces, or by a scheme that is not ours (RFC 6750, 3.1: invalid_request)."""

    status = 400
    title = "Malformed credential"
    challenge = "invalid_request"


class UnauthorizedError(TwinwireError):
    """Who came without a credential may not, and somebody may (RFC 9110, 15.5.2)."""

    status = 401
    close_code = 1008
    title = "Unauthorized"
    challenge = ""


class InvalidTokenError(UnauthorizedError):
    """A token that is not valid (RFC 6750, 3.1).

    `reason` and `why` are for the log and for operators: what is wrong with it helps whoever forges one. Neither holds
    a piece of it.
    """

    title = "Invalid token"
    challenge = "invalid_token"

    def __init__(
        self,
        detail: str = "the token is not valid",
        *,
        reason: TokenFault = "malformed",
        why: str | None = None,
        **rest: Any,
    ) -> None:
        super().__init__(detail, **rest)
        self.reason: Final = reason
        self.why: Final = why


class NotFoundError(TwinwireError):
    """`topics` are those that whoever asks has to be allowed to read to be told so."""

    status = 404
    close_code = 1008
    title = "Not found"

    def __init__(self, detail: str, *, topics: tuple[str, ...] = (), **rest: Any) -> None:
        super().__init__(detail, **rest)
        self.topics: Final = topics


class GoneError(TwinwireError):
    """It was there, and can't be had any more (RFC 9110, 15.5.11)."""

    status = 410
    close_code = 1008
    title = "Gone"


class MethodError(TwinwireError):
    """`allow` lists the methods that the resource has (RFC 9110, 10.2.1)."""

    allow: ClassVar[str] = "GET, HEAD"
    status = 405
    close_code = 1008
    title = "Method not allowed"

    def __init__(self, detail: str, *, allow: str | None = None, **rest: Any) -> None:
        super().__init__(detail, **rest)
        self._override(allow=allow)


class RequestTimeoutError(TwinwireError):
    """A body that is not complete brings too little for too long (RFC 9110, 15.5.9)."""

    status = 408
    close_code = 1008
    title = "Request timeout"


class ConflictError(TwinwireError):
    status = 409
    close_code = 1008
    title = "Conflict"


class GuardError(ConflictError):
    """What an append depended on is not so; `row` is what was found in place of what was expected, if anything."""

    title = "Condition not met"

    def __init__(self, detail: str, *, row: tuple[Any, ...] | None = None, **rest: Any) -> None:
        super().__init__(detail, **rest)
        self.row: Final = row


class ClosedSubjectError(ConflictError):
    """Something was to be appended to a subject's value after its end; `number` is the draft's, from 0."""

    title = "Subject closed"

    def __init__(self, detail: str, *, number: int = 0, **rest: Any) -> None:
        super().__init__(detail, **rest)
        self.number: Final = number


class LongTextError(TooLargeError):
    """Something was to be appended to a text that is too long with it; `number` is the draft's, from 0."""

    title = "Text too long"

    def __init__(self, detail: str, *, number: int = 0, **rest: Any) -> None:
        super().__init__(detail, **rest)
        self.number: Final = number


class ForbiddenError(TwinwireError):
    status = 403
    close_code = 1008
    title = "Forbidden"


class ScopeError(ForbiddenError):
    """The caller has no right to it (RFC 6750, 3.1: insufficient_scope)."""

    title = "Right missing"
    challenge = "insufficient_scope"


class MisdirectedError(TwinwireError):
    """The request is for a host that this service does not answer for (RFC 9110, 15.5.20)."""

    status = 421
    close_code = 1008
    title = "Misdirected request"


class UpgradeRequiredError(TwinwireError):
    """A plain GET reached the WebSocket URL: something on the way strips `Upgrade` (RFC 9110, 15.5.22)."""

    status = 426
    title = "Upgrade required"


class RateLimitedError(TwinwireError):
    """Too much for this caller, while others are served (RFC 6585, 4); `retry_after` says when there is room."""

    status = 429
    close_code = 1013
    title = "Too many requests"
    retry_after = 1.0


class UnsupportedError(TwinwireError):
    status = 501
    close_code = 1008
    title = "Not supported"


class UnavailableError(TwinwireError):
    status = 503
    close_code = 1013
    title = "Unavailable"
    retry_after = 5.0


class DrainingError(UnavailableError):
    close_code = 1012
    title = "Restarting"


class OverloadedError(UnavailableError):
    title = "Overloaded"


class StorageFullError(UnavailableError):
    title = "Storage full"
    retry_after = 10.0


class ReserveError(StorageFullError):
    """The disk is not full yet: what is left is kept for removing events, and for whoever reads."""

    title = "Storage nearly full"


class StorageError(TwinwireError):
    """The database can't be used: locked, corrupt, read-only, newer than this program, or failing."""

    title = "Storage failure"


class StorageDownError(StorageError):
    """The log is locked by somebody, its disk fails, or its files are not where they were. It is asked again soon."""

    status = 503
    close_code = 1013
    title = "Storage unavailable"
    retry_after = 2.0


class LockedError(StorageError):
    """Another process serves the database: there is one for each."""

    title = "Storage locked"


class MigrationError(StorageError):
    """The recorded migrations and the files on disk disagree."""


class ConfigError(TwinwireError):
    """Settings, or the server's configuration file, that can't be served with; `field` names the setting."""

    title = "Configuration error"
