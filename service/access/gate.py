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
    4. who asks    401 for a credential that is no good, and where one is needed; 400 for one that comes as it should
                   not; 503 while the keys can't be had (`authority.py`)
    5. rights      403 for topics that may not be read; 401 if somebody might; 404 for what is not there comes after it
    6. his share   429 beyond the streams and polls that a subject, or an address, may have (`shares.py`)

What comes in later steps than the request itself, such as the topics of a publish or of a client message, is a
question of the caller's rights: the lease keeps the caller at hand for it, `readable` and `check_publish` answer it,
and a refusal is counted by `refuse`. How much he does is asked of `spending`, through `counted`: 429. A place is
taken in the step in which it was looked for, with no await between the two: no storm passes the bound.
"""

from collections import Counter
from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import Final, Literal, TypeVar

import structlog

from service.access.authority import NO_KEYS, Authority
from service.access.caller import Caller
from service.access.carriers import AUTH
from service.access.drain import Drain
from service.access.hosts import Hosts
from service.access.lease import Lease, Wish
from service.access.origins import NAME_SHOWN, Asker, Header, Origins
from service.access.shares import Most, Shares
from service.access.spending import Spending
from service.core.errors import (
    DrainingError,
    ForbiddenError,
    InvalidError,
    InvalidTokenError,
    MisdirectedError,
    OverloadedError,
    ScopeError,
    TwinwireError,
    UnauthorizedError,
)
from service.core.limits import FILTER_TOPICS_MAX
from service.core.topics import TopicFilter

T = TypeVar("T")

logger = structlog.get_logger(__name__)

Reason = Literal["credential", "draining", "full", "host", "no_upgrade", "origin", "rate", "right", "share"]
"""Why somebody was not let in, as metrics name it."""


class Act(Enum):
    """`PAGE` is a file that anybody may show, `CHANGE` publishes, or changes anything else, `WAIT` is a long poll."""

    PAGE = "page"
    READ = "read"
    CHANGE = "change"
    STREAM = "stream"
    SOCKET = "socket"
    WAIT = "wait"


_PLACED: Final = (Act.STREAM, Act.SOCKET, Act.WAIT)
_GUARDED: Final = (Act.CHANGE, Act.SOCKET)
"""Acts that a foreign page could carry out unasked, since browsers guard reading and not sending."""

_READING: Final = (Act.READ, Act.STREAM, Act.WAIT)
_ALWAYS: Final = (Act.PAGE, Act.READ)
"""Acts that are carried out also while the service goes away."""

PENDING_MAX: Final = 1_000
"""WebSockets that have yet to say who they are: each has a place, and some seconds."""

_SECURE: Final = ("https", "wss")

_NAMELESS: Final = frozenset({"/api/health", "/api/ready"})
_UNSEEN: Final = "pages of this origin can't read the answer; TWINWIRE_ALLOWED_ORIGINS would name it"


class Gate:
    """See the module. `max_places` 0 means no bound; `most` is what one may have of them, `filters` how many patterns
    a stream's filter may have. `spending` None: nobody's doings are counted.
    """

    def __init__(
        self,
        hosts: Hosts,
        origins: Origins,
        drain: Drain,
        authority: Authority,
        *,
        max_places: int,
        most: Most | None = None,
        filters: int = FILTER_TOPICS_MAX,
        spending: Spending | None = None,
    ) -> None:
        self._hosts = hosts
        self._origins = origins
        self.drain: Final = drain
        self.authority: Final = authority
        self.max_places = max_places
        self.places = 0  # taken now; only `_place` and `give_back` write it
        self.refused: Counter[tuple[Act, Reason]] = Counter()
        self.shares: Final = Shares(most or Most())
        self.spending: Final = spending
        self._filters = filters
        self._waiting: dict[Lease, None] = {}  # those that want to be told
        self._pending = 0
        self._is_warned = False

    def knock(self, host: str | None, path: str) -> None:
        """Before anything else is looked at. Raises MisdirectedError, after counting it, for a name that is not ours.

        Whoever asks for health and readiness may not know our name, and learns nothing else. Where nobody may anything
        without a credential, any name will do that the operator has not limited: a page whose name was made to point
        here has no credential, since cookies and tickets are another origin's.
        """
        is_any = path in _NAMELESS or (self.authority.is_closed and not self._hosts.is_limited)
        if not (self._hosts.is_any(host) if is_any else self._hosts.permits(host)):
            raise self._not_ours(Act.READ, host or "", "Host")

    def enter(self, asker: Asker, act: Act, wish: Wish | None = None, *, is_open: bool = False) -> Lease:
        """Let somebody in. `is_open`: for anybody, so who asks is not looked at.

        Raises DrainingError, MisdirectedError, ForbiddenError, OverloadedError, RateLimitedError, UnauthorizedError,
        InvalidError for a credential that comes as it should not, or UnavailableError, after counting it; NotFoundError
        of the wish.
        """
        if self.drain.has_begun and act not in _ALWAYS:
            delay = self.drain.return_delay(self.places) / 1000
            raise self.refuse(act, "draining", DrainingError("the service is restarting", retry_after=delay))
        if self._hosts.is_limited:
            self._check_forwarded(asker, act)
        if act in _GUARDED and not self._origins.permits(asker):
            raise self.refuse(act, "origin", ForbiddenError(self._origins.why_not(asker), field="Origin"))
        if act in _READING and not self._origins.may_read(asker):
            raise self.refuse(act, "origin", ForbiddenError(_UNSEEN, field="Sec-Fetch-Site"))
        if act in _PLACED:
            self._check_room(act)
        if not (self.authority.is_guarded or self._is_warned):
            self._warn_if_public(asker)
        if is_open or act is Act.PAGE:
            return Lease(self.authority.stranger(asker), None)
        try:
            caller, is_pending = self._who(asker, act)
        except TwinwireError as error:
            raise self.refuse_caller(act, error, self.authority.stranger(asker)) from None
        topics = None if wish is None or is_pending else self._wished(caller, act, wish)
        return self._place(act, caller, topics, is_pending) if act in _PLACED else Lease(caller, None, topics)

    def _check_forwarded(self, asker: Asker, act: Act) -> None:
        """The name that a hop's client asked for, if the hop is believed: under that a page is ours or is not."""
        host = self._origins.forwarded_host(asker)
        if host and not self._hosts.permits(host):
            raise self._not_ours(act, host, "X-Forwarded-Host")

    def _not_ours(self, act: Act, host: str, field: str) -> TwinwireError:
        detail = f"this service does not answer for {host[:NAME_SHOWN]!r}; TWINWIRE_HOSTS names its hosts"
        return self.refuse(act, "host", MisdirectedError(detail, field=field))

    def _warn_if_public(self, asker: Asker) -> None:
        """Once: where pages come over https, a proxy stands in front, and everybody behind it may do everything."""
        proto = asker.header(b"x-forwarded-proto")
        if proto is None and asker.scheme not in _SECURE and asker.header(b"origin") is None:
            return  # nearly every publish
        if (proto or "").lower() == "https" or self._origins.is_https(asker):
            self._is_warned = True
            logger.warning("open_behind_https", reason="everybody may do everything: set TWINWIRE_TOKEN_KEYS")

    def _who(self, asker: Asker, act: Act) -> tuple[Caller, bool]:
        """And whether he has yet to say it."""
        is_socket = act is Act.SOCKET
        auth = asker.parameter(AUTH)
        if auth is not None and auth not in ("required", *(("message",) if is_socket else ())):
            raise InvalidError("auth is required, or message on a WebSocket", field=AUTH)
        if auth is not None and not self.authority.is_guarded:
            raise UnauthorizedError(NO_KEYS)
        caller = self.authority.who(asker, is_socket=is_socket)
        if auth == "required" and caller.is_anonymous:
            raise UnauthorizedError("somebody is expected here, and no credential came")
        return caller, auth == "message" and caller.is_anonymous

    # Places

    def _check_room(self, act: Act) -> None:
        if self.max_places and self.places >= self.max_places:
            raise self.refuse(act, "full", OverloadedError(f"all {self.max_places} streams are taken"))

    def place(self, act: Act, caller: Caller) -> Lease:
        """A place for one who was let in before. Raises DrainingError, OverloadedError or RateLimitedError."""
        if self.drain.has_begun:
            raise self.refuse(act, "draining", DrainingError("the service is restarting"))
        self._check_room(act)
        return self._place(act, caller, None, False)

    def _place(self, act: Act, caller: Caller, topics: TopicFilter | None, is_pending: bool) -> Lease:
        """Nothing is awaited between the look for a place and this."""
        if is_pending and self._pending >= PENDING_MAX:
            raise self.refuse(act, "full", OverloadedError("too many have yet to say who they are"))
        lease = Lease(caller, self, topics, is_pending=is_pending)
        self.counted(act, "share", partial(self.shares.take, caller, waits=act is Act.WAIT))
        self.places += 1
        self._pending += is_pending
        if act is Act.WAIT:
            self._waiting[lease] = None
        return lease

    def give_back(self, lease: Lease) -> None:
        """The lease's own: see `Lease.release`."""
        self.places -= 1
        self._pending -= lease.is_pending
        self.shares.give(lease.caller, waits=lease in self._waiting)
        self._waiting.pop(lease, None)

    def admit(self, lease: Lease, token: str, wish: Wish | None) -> TopicFilter:
        """One who is pending says who he is; what he may read of what he wishes. Raises as `enter`."""
        try:
            caller = self.authority.bearer(token).at(lease.caller.address)
        except TwinwireError as error:
            raise self.refuse_caller(Act.SOCKET, error, lease.caller) from None
        topics = TopicFilter.all() if wish is None else self._wished(caller, Act.SOCKET, wish)
        self.become(lease, caller)
        if lease.is_pending:
            self._pending -= 1
            lease.is_pending = False
        return topics

    def become(self, lease: Lease, caller: Caller) -> None:
        """The holder of a place is somebody now. Raises RateLimitedError if he has too many."""
        self.counted(Act.SOCKET, "share", partial(self.shares.become, lease.caller, caller))
        lease.caller = caller

    def recheck(self) -> None:
        """Something was revoked: those who wait, and may not any more, are told."""
        for lease in tuple(self._waiting):
            if lease.told is not None and self.authority.revocations.forbids(lease.caller):
                lease.told()

    # Rights

    def check_still(self, caller: Caller, act: Act) -> None:
        """Of one who was let in before he had said all: raises InvalidTokenError if his credential counts no more."""
        try:
            self.authority.check(caller)
        except InvalidTokenError as error:
            raise self.refuse_caller(act, error, caller) from None

    def _wished(self, caller: Caller, act: Act, wish: Wish) -> TopicFilter:
        """As `readable`. Raises NotFoundError for what is not there, if he may know it."""
        topics = self.readable(caller, act, wish.topics)
        self.check_filter(topics)
        if wish.missing is not None:
            raise wish.missing
        return topics

    def readable(self, caller: Caller, act: Act, topics: TopicFilter | None) -> TopicFilter:
        """`topics` if he may read them all; without, all that he may.

        Raises ScopeError or UnauthorizedError, InvalidError for more patterns than a filter may have here.
        """
        if topics is None:
            topics = caller.rights.readable
            if not topics.patterns:
                raise self.lacking(caller, act, "nothing may be read", "topic")
            return topics
        self.check_filter(topics)
        for pattern in topics.patterns:
            self.check_read(caller, act, pattern)
        return topics

    def check_filter(self, topics: TopicFilter, field: str = "topic") -> None:
        """Raises InvalidError for more patterns than a filter may have here."""
        if len(topics.patterns) > self._filters:
            raise InvalidError(f"at most {self._filters} topics in one filter here", field=field)

    def check_read(self, caller: Caller, act: Act, topic: str, field: str = "topic") -> None:
        """Raises ScopeError or UnauthorizedError if it may not be read."""
        if not caller.rights.may_read(topic):
            raise self.lacking(caller, act, f"no right to read {topic!r}", field)

    def check_any(self, caller: Caller, act: Act) -> None:
        """For lists of what may be read: raises UnauthorizedError for who has no right to anything, and no token."""
        if caller.is_anonymous and not caller.rights.admin and not caller.rights.subscribe:
            raise self.lacking(caller, act, "nothing is listed", None)

    def check_publish(self, caller: Caller, act: Act, topic: str, *, is_kept: bool = True) -> None:
        """Raises ScopeError or UnauthorizedError if it may not be published to, what is kept or what is ephemeral."""
        if not (caller.rights.may_publish(topic) if is_kept else caller.rights.may_send(topic)):
            raise self.lacking(caller, act, f"no right to publish to {topic!r}", "topic")

    def check_run(self, caller: Caller, act: Act, topic: str) -> None:
        """Raises ScopeError or UnauthorizedError if what agents wrote there may not be run at his wish."""
        if not caller.rights.may_run(topic):
            raise self.lacking(caller, act, f"no right to run what is written on {topic!r}", "topic")

    def check_admin(self, caller: Caller, act: Act, *, metrics: bool = False) -> None:
        """For what operators do; `metrics`: or for who may read those. Raises ScopeError or UnauthorizedError."""
        if not (caller.rights.admin or (metrics and caller.rights.metrics)):
            right = "admin or metrics" if metrics else "admin"
            raise self.lacking(caller, act, f"this takes the right {right}", None)

    def lacking(self, caller: Caller, act: Act, detail: str, field: str | None) -> TwinwireError:
        """What is missing is a right; or, of somebody who came without one, a credential."""
        if caller.is_anonymous:
            return self.refuse_caller(act, UnauthorizedError(f"{detail} without a token", field=field), caller)
        return self.refuse_caller(act, ScopeError(detail, field=field), caller)

    # Refusals

    def refuse(self, act: Act, reason: Reason, error: TwinwireError) -> TwinwireError:
        """Count a refusal, also one that is found out elsewhere; returns the error to be raised."""
        self.refused[act, reason] += 1
        return error

    def counted(self, act: Act, reason: Reason, take: Callable[[], T]) -> T:
        """What `take` returns. A refusal that it raises is counted, as `full` if it is not about this caller."""
        try:
            return take()
        except TwinwireError as error:
            raise self.refuse(act, "full" if isinstance(error, OverloadedError) else reason, error) from None

    def refuse_caller(self, act: Act, error: TwinwireError, caller: Caller | None = None) -> TwinwireError:
        """The same of one that is about who asks or what he may: the log has why, which he is not told."""
        reason = self.authority.count(error)
        known = {} if caller is None else caller.known
        why = {"why": error.why} if isinstance(error, InvalidTokenError) and error.why else {}
        logger.info("auth_refused", act=act.value, reason=reason, **why, **known)
        return self.refuse(act, "right" if isinstance(error, ScopeError) else "credential", error)

    def cors(self, asker: Asker) -> list[Header]:
        """Response headers that let a page of an allowed origin read the answer; none for its own, or a stranger's."""
        return self._origins.cors(asker.header(b"origin"))

    def is_https(self, asker: Asker) -> bool:
        """Whether its browser speaks https: see `Origins`."""
        return self._origins.is_https(asker)
