"""Who asks: the one place that knows keys, tickets, cookies, what an application says, and what was revoked.

Without keys there is nobody to be: whoever reaches the port has every right, and credentials are not looked at. With
keys, who brings none is anonymous, and has what the settings give; who brings one is its bearer, or is refused. An
application that tells who asks, of a service that is mounted in it, is as good as keys.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from service.access.caller import Caller
from service.access.carriers import (
    STREAM_COOKIE,
    Credential,
    check_sender,
    cookie_of,
    find_credential,
    find_shown,
    is_borne,
)
from service.access.origins import Asker, Origins
from service.access.revocation import Revocations
from service.access.rights import EVERYTHING, NOTHING, Rights, for_subject
from service.access.tickets import Tickets
from service.core.errors import (
    ForbiddenError,
    InvalidTokenError,
    PresentationError,
    ScopeError,
    TwinwireError,
    UnauthorizedError,
    UnavailableError,
    UnsupportedError,
)
from service.core.time import Clock

LONG: Final = 0.0005
"""Seconds of CPU for one token, beyond which those that are not known wait for a turn. Most signatures take a tenth
of a millisecond; one of ES384 or ES512 takes 0.8, with each key that a token without `kid` may be for."""

LONG_FOR: Final = 1.0
"""Seconds for which they wait after such a one."""

NO_KEYS: Final = "this service has no keys, so nobody is somebody here; TWINWIRE_TOKEN_KEYS would name some"


_REASONS: Final[Mapping[type[TwinwireError], str]] = {
    UnauthorizedError: "missing",
    ScopeError: "scope",
    PresentationError: "presentation",
    ForbiddenError: "cookie",
    UnavailableError: "keys",
}
"""Why, as the log and the metrics name it, where an error does not say it itself."""


class Verifying(Protocol):
    """What reads tokens: `service.access.tokens.Verifier`."""

    def verify(self, text: str) -> Caller:
        """Raises InvalidTokenError, or UnavailableError while the keys can't be had."""

    def recall(self, text: str) -> Caller | None:
        """Who brings it, if it was verified before: that takes no work. None for any other."""


@dataclass(frozen=True, slots=True)
class Template:
    """Filters that settings grant, in which `{sub}` stands for the bearer."""

    subscribe: Sequence[str] = ()
    publish: Sequence[str] = ()

    def of(self, subject: str | None) -> Rights:
        publish = for_subject(self.publish, subject)
        return Rights(for_subject(self.subscribe, subject), publish, publish, publish)


class Authority:
    """`verifier` is None where there are no keys. `decides`: an application tells who asks. `anonymous` is what those
    without a credential have, and nothing else; `everyone` what every bearer has besides.
    """

    def __init__(
        self,
        origins: Origins,
        clock: Clock,
        tickets: Tickets,
        revocations: Revocations,
        verifier: Verifying | None = None,
        *,
        decides: bool = False,
        anonymous: Template | None = None,
        everyone: Template | None = None,
    ) -> None:
        self._origins = origins
        self._clock = clock
        self._verifier = verifier
        self._decides = decides
        self.tickets = tickets
        self.revocations = revocations
        self._everyone = everyone if everyone is not None and (everyone.subscribe or everyone.publish) else None
        self.refused: Counter[str] = Counter()  # credentials and rights, by reason
        self.verified = (0, 0.0)
        """How many tokens were verified that were not known yet, and the seconds of CPU that it took."""
        self._long_until = -math.inf
        own = (anonymous or Template()).of(None)
        self.nobody: Final = Caller(rights=own if self.is_guarded else EVERYTHING)
        """Who comes without a credential."""
        self.is_closed: Final = self.is_guarded and own == NOTHING
        """Whether those without one may nothing at all."""

    @property
    def has_keys(self) -> bool:
        return self._verifier is not None

    @property
    def is_guarded(self) -> bool:
        """Whether it matters who asks."""
        return self._decides or self.has_keys

    @property
    def takes_long(self) -> bool:
        """Whether it took long, of late, to read a token."""
        return self._clock.monotonic() < self._long_until

    def is_new(self, asker: Asker, *, is_socket: bool) -> bool:
        """Whether a token comes with it that is still to be verified."""
        if self._verifier is None:
            return False
        try:
            found = find_credential(asker, self._origins, is_socket=is_socket)
        except TwinwireError:  # is refused unread
            return False
        return found is not None and found.carrier != "ticket" and self._verifier.recall(found.text) is None

    def who(self, asker: Asker, *, is_socket: bool = False) -> Caller:
        """Raises InvalidTokenError, PresentationError, ForbiddenError, InvalidError or UnavailableError."""
        decided = asker.decided
        if decided is not None and (self._verifier is None or find_shown(asker, is_socket=is_socket) is None):
            if isinstance(decided, TwinwireError):
                raise decided.again()
            if not is_borne(asker):
                check_sender(asker, self._origins, is_socket=is_socket)
            return self.decided(decided).at(self._origins.hops.client(asker))
        if self._verifier is None:
            return self.stranger(asker)
        found = find_credential(asker, self._origins, is_socket=is_socket)
        if found is None:
            return self.stranger(asker)
        caller = self._redeemed(found, asker) if found.carrier == "ticket" else self.bearer(found.text)
        return caller.at(self._origins.hops.client(asker))

    def stranger(self, asker: Asker) -> Caller:
        """Who brings no credential, or has not been asked for one."""
        return Caller(address=self._origins.hops.client(asker), rights=self.nobody.rights)

    def bearer(self, token: str) -> Caller:
        """Who comes with a token, and what everyone has besides. Raises InvalidTokenError or UnavailableError."""
        if self._verifier is None:
            raise UnsupportedError("this service does not use tokens", field="op")
        caller = self._verifier.recall(token) or self._verified(self._verifier, token)
        if self.revocations.forbids(caller):
            raise InvalidTokenError(reason="revoked")
        return self._with_everyones(caller)

    def decided(self, caller: Caller) -> Caller:
        """Who it is by an application's word, and what everyone has besides: of who has no name by it what nobody has,
        who is as anonymous as ever. Raises InvalidTokenError."""
        self.check(caller)
        return caller._replace(token=None) if caller.subject is None else self._with_everyones(caller)

    def _with_everyones(self, caller: Caller) -> Caller:
        if self._everyone is None:
            return caller
        return caller._replace(rights=caller.rights.plus(self._everyone.of(caller.subject)))

    def _verified(self, verifier: Verifying, token: str) -> Caller:
        begun = self._clock.worked()
        try:
            caller = verifier.verify(token)
        finally:
            took = self._clock.worked() - begun
            if took > LONG:
                self._long_until = self._clock.monotonic() + LONG_FOR
        count, seconds = self.verified
        self.verified = count + 1, seconds + took
        return caller

    def _redeemed(self, found: Credential, asker: Asker) -> Caller:
        again = self.tickets.unseal(found.text, cookie_of(asker, STREAM_COOKIE))
        caller = again if again is not None else self.tickets.redeem(found.text, "stream").caller
        self.check(caller)
        return caller

    def check(self, caller: Caller) -> None:
        """Whether the credential still counts of one who was let in before. Raises InvalidTokenError."""
        self.still(caller)

    def still(self, caller: Caller) -> float:
        """The same, and for how many more seconds; infinite if it does not end. Raises InvalidTokenError."""
        left = self.seconds_left(caller)
        if not left:
            raise InvalidTokenError(reason="expired")
        if self.revocations.forbids(caller):
            raise InvalidTokenError(reason="revoked")
        return left

    def seconds_left(self, caller: Caller) -> float:
        """Of a caller's credential; infinite if it does not end."""
        return math.inf if caller.expires is None else max(0.0, (caller.expires - self._clock.unix_ms()) / 1000)

    def count(self, error: TwinwireError) -> str:
        """Count a refusal that is about who asks or what he may; returns its reason."""
        reason = error.reason if isinstance(error, InvalidTokenError) else _REASONS.get(type(error), "request")
        self.refused[reason] += 1
        return reason
