"""The one door: every wire and every resource asks the same question here, and nobody decides it elsewhere.

The question is `enter(asker, act)`: may this request do this now? The answer is a `Lease`: it says who asks, as a
frozen `Caller`, and holds a place for as long as the act takes one. A refusal is an error of the tree in
`core/errors.py`, counted here by its reason.

The order is the rule, for every act alike: what concerns everybody comes before what concerns the caller, so that a
service that is going away, or is full, tells a stranger no more than it tells a friend.

    0. host        421 for names that are not ours, before it is looked at what is asked for (`knock`)
    1. draining    503 for acts that take a place or change something; whoever only reads is still answered
    2. origin      403 where a browser would not stop a foreign page by itself: changes, and WebSocket handshakes
                   (RFC 6455, 10.2); and for reads that its browser says are a foreign page's, which can't see the
                   answer, and would only make us work
    3. a place     503 for streams, and for long polls while they wait, beyond the bound

What comes in later steps than the request itself, such as the topics of a publish or of a client message, is a
question of the caller's rights: the lease keeps the caller at hand for it, and a refusal is counted by `refuse`.

A place is taken in the step in which it was looked for: nothing is awaited between the two, so that no storm passes
the bound.
"""

from collections import Counter
from enum import Enum
from types import TracebackType
from typing import Final, Literal, Self

from service.access.caller import Caller
from service.access.drain import Drain
from service.access.hosts import Hosts
from service.access.origins import Asker, Header, Origins
from service.core.errors import DrainingError, ForbiddenError, MisdirectedError, OverloadedError, TwinwireError

Reason = Literal["draining", "full", "host", "no_upgrade", "origin"]
"""Why somebody was not let in, as metrics name it."""


class Act(Enum):
    """What a request is about. `PAGE` is a file that anybody may show; `CHANGE` publishes, or changes anything else;
    `WAIT` is a long poll that waits.
    """

    PAGE = "page"
    READ = "read"
    CHANGE = "change"
    STREAM = "stream"
    SOCKET = "socket"
    WAIT = "wait"


_PLACED: Final = frozenset({Act.STREAM, Act.SOCKET, Act.WAIT})
_GUARDED: Final = frozenset({Act.CHANGE, Act.SOCKET})
"""Acts that a foreign page could carry out unasked, since browsers guard reading and not sending."""

_READING: Final = frozenset({Act.READ, Act.STREAM, Act.WAIT})
_ALWAYS: Final = frozenset({Act.PAGE, Act.READ})
"""Acts that are carried out also while the service goes away."""

_NAMELESS: Final = frozenset({"/api/health", "/api/ready"})
_HOST_SHOWN: Final = 80
"""Characters of a foreign name that are told back."""

_FOREIGN: Final = (
    "pages of this origin may not change anything or connect. If it is this service's own, a proxy has lost Host: pass"
    " it on, or X-Forwarded-Host from an address in TWINWIRE_TRUSTED_HOPS, or set TWINWIRE_ALLOWED_ORIGINS"
)
_UNSEEN: Final = "pages of this origin can't read the answer; TWINWIRE_ALLOWED_ORIGINS would name it"


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

    def __init__(self, hosts: Hosts, origins: Origins, drain: Drain, *, max_places: int) -> None:
        self._hosts = hosts
        self._origins = origins
        self._drain = drain
        self.max_places = max_places
        self.places = 0  # taken now; only `enter` and `Lease.release` write it
        self.refused: Counter[tuple[Act, Reason]] = Counter()

    def knock(self, host: str | None, path: str) -> None:
        """Before anything else is looked at. Raises MisdirectedError, after counting it, for a name that is not ours.

        Whoever asks for health and readiness may not know our name, and learns nothing else.
        """
        if path not in _NAMELESS and not self._hosts.permits(host):
            detail = f"this service does not answer for {(host or '')[:_HOST_SHOWN]!r}; TWINWIRE_HOSTS names its hosts"
            raise self.refuse(Act.READ, "host", MisdirectedError(detail, field="Host"))

    def enter(self, asker: Asker, act: Act) -> Lease:
        """Let somebody in. Raises DrainingError, ForbiddenError or OverloadedError, after counting it."""
        if self._drain.has_begun and act not in _ALWAYS:
            delay = self._drain.return_delay(self.places) / 1000
            raise self.refuse(act, "draining", DrainingError("the service is restarting", retry_after=delay))
        if act in _GUARDED and not self._origins.permits(asker):
            raise self.refuse(act, "origin", ForbiddenError(_FOREIGN, field="Origin"))
        if act in _READING and not self._origins.may_read(asker):
            raise self.refuse(act, "origin", ForbiddenError(_UNSEEN, field="Sec-Fetch-Site"))
        if act in _PLACED:
            if self.max_places and self.places >= self.max_places:
                error_full = OverloadedError(f"all {self.max_places} streams are taken")
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
