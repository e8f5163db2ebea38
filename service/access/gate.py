"""The one door: every wire and every resource asks the same question here, and nobody decides it elsewhere.

The question is `enter(asker, act)`: may this request do this now? The answer is a `Lease`: it says who asks, as a
frozen `Caller`, and holds a place for as long as the act takes one. A refusal is an error of the tree in
`core/errors.py`, counted here by its reason.

The order is the rule, for every act alike: what concerns everybody comes before what concerns the caller, so that a
service that is going away, or is full, tells a stranger no more than it tells a friend.

    1. draining    503 for acts that take a place or change something; whoever only reads is still answered
    2. origin      403 where a browser would not stop a foreign page by itself: changes, and WebSocket handshakes
                   (RFC 6455, 10.2). Reads of a foreign page are answered; the browser keeps the answer from it
    3. a place     503 for streams, and for long polls while they wait, beyond the bound

What comes in later steps than the request itself, such as the topics of a publish or of a client message, is a
question of the caller's rights: the lease keeps the caller at hand for it, and a refusal is counted by `refuse`.

A place is taken in the step in which it was looked for: nothing is awaited between the two, so that no storm passes
the bound.
"""

from collections import Counter
from enum import Enum
from types import TracebackType
from typing import Final, Literal, Protocol, Self

from service.access.caller import Caller
from service.access.drain import Drain
from service.access.origins import Header, Origins
from service.core.errors import DrainingError, ForbiddenError, OverloadedError, TwinwireError

Reason = Literal["draining", "full", "no_upgrade", "origin"]
"""Why somebody was not let in, as metrics name it."""


class Act(Enum):
    """What a request is about. `CHANGE` publishes, or changes anything else; `WAIT` is a long poll that waits."""

    READ = "read"
    CHANGE = "change"
    STREAM = "stream"
    SOCKET = "socket"
    WAIT = "wait"


_PLACED: Final = frozenset({Act.STREAM, Act.SOCKET, Act.WAIT})
_GUARDED: Final = frozenset({Act.CHANGE, Act.SOCKET})
"""Acts that a foreign page could carry out unasked, since browsers guard reading and not sending."""


class Asker(Protocol):
    """What the gate looks at of a request."""

    @property
    def address(self) -> str | None:
        """The peer's, as the socket gives it."""

    def header(self, name: bytes) -> str | None:
        """A header by its lower-case name."""


class Lease:
    """`caller` was let in, and has a place until `release`. Give it back in every path: it is a context manager too."""

    __slots__ = ("_gate", "caller")

    def __init__(self, caller: Caller, gate: "Gate | None") -> None:
        self.caller: Final = caller
        self._gate = gate  # None: no place is held, or it was given back

    def release(self) -> None:
        """Idempotent."""
        gate, self._gate = self._gate, None
        if gate is not None:
            gate.places -= 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class Gate:
    """See the module. `max_places` 0 means no bound."""

    def __init__(self, origins: Origins, drain: Drain, *, max_places: int) -> None:
        self._origins = origins
        self._drain = drain
        self._max_places = max_places
        self.places = 0  # taken now; only `enter` and `Lease.release` write it
        self.refused: Counter[tuple[Act, Reason]] = Counter()

    def enter(self, asker: Asker, act: Act) -> Lease:
        """Let somebody in. Raises DrainingError, ForbiddenError or OverloadedError, after counting it."""
        if self._drain.has_begun and act is not Act.READ:
            delay = self._drain.return_delay(self.places) / 1000
            raise self.refuse(act, "draining", DrainingError("the service is restarting", retry_after=delay))
        if act in _GUARDED and not self._origins.permits(asker.header(b"origin"), asker.header(b"host")):
            error = ForbiddenError("pages of this origin may not change anything or connect", field="Origin")
            raise self.refuse(act, "origin", error)
        if act in _PLACED:
            if self._max_places and self.places >= self._max_places:
                error_full = OverloadedError(f"all {self._max_places} streams are taken")
                raise self.refuse(act, "full", error_full)
            self.places += 1
            return Lease(Caller(address=asker.address), self)
        return Lease(Caller(address=asker.address), None)

    def refuse(self, act: Act, reason: Reason, error: TwinwireError) -> TwinwireError:
        """Count a refusal, also one that is found out elsewhere; returns the error to be raised."""
        self.refused[act, reason] += 1
        return error

    def cors(self, asker: Asker) -> list[Header]:
        """Response headers that let a page of an allowed origin read the answer; none for its own, or a stranger's."""
        return self._origins.cors(asker.header(b"origin"))
