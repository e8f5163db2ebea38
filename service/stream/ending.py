"""Why the server ends a stream: values, to be told to the client and counted."""

from dataclasses import dataclass
from typing import Final, Self

from service.core.errors import DrainingError, OverloadedError, TwinwireError
from service.core.words import GoodbyeReason


@dataclass(frozen=True, slots=True)
class Ending:
    """`reason` for `goodbye`, None if nobody listens any more; `code` of the WebSocket close (RFC 6455, 7.4)."""

    reason: GoodbyeReason | None
    code: int

    @classmethod
    def of(cls, error: TwinwireError | type[TwinwireError], reason: GoodbyeReason | None = None) -> Self:
        """The end that an error is to a stream: its close code tells whether to come back."""
        return cls(reason, error.close_code)


LOST: Final = Ending(None, 1011)
FAULT: Final = Ending.of(TwinwireError, "restart")
RESTART: Final = Ending.of(DrainingError, "restart")
STALLED: Final = Ending.of(OverloadedError, "stalled")
