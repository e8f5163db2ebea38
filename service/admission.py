"""Who may come in, and how much of what there is may be one caller's, by the settings: a part of the composition."""

import secrets

from service.access.authority import Authority, Template
from service.access.drain import Drain
from service.access.gate import Gate
from service.access.hosts import Hosts
from service.access.keys import KeyRing
from service.access.origins import Origins
from service.access.revocation import Revocations
from service.access.shares import Most
from service.access.spending import Spending
from service.access.tickets import Tickets
from service.access.tokens import Verifier
from service.core.time import Clock
from service.settings import AccessSettings, Settings


def ring_of(access: AccessSettings, clock: Clock) -> KeyRing:
    """The keys that there are. Raises ConfigError."""
    return KeyRing.read(access.token_keys.get_secret_value(), clock, audience=access.token_audience)


def _purpose(access: AccessSettings) -> bytes:
    """What the cookies of tickets are sealed for. Each says what a token granted that was good by these settings, and
    what they granted besides: by others it may be no good, or grant less.
    """
    terms = (
        access.token_audience,
        access.token_max_ttl,
        access.token_without_exp,
        access.everyone_subscribe,
    )
    return b"twinwire cookies of tickets, " + repr(terms).encode()


def authority_of(
    access: AccessSettings, ring: KeyRing, origins: Origins, clock: Clock, *, decides: bool = False
) -> Authority:
    """Who may be somebody, by the settings; `decides`: and by an application's word."""
    verifier = Verifier(
        ring,
        clock,
        audience=access.token_audience,
        max_ttl=access.token_max_ttl,
        without_exp=access.token_without_exp,
    )
    return Authority(
        origins,
        clock,
        Tickets(clock, ring.seal(_purpose(access)) or secrets.token_bytes()),
        Revocations(None if access.token_without_exp else access.token_max_ttl),
        verifier if ring else None,
        decides=decides,
        anonymous=Template(access.anonymous_subscribe, access.anonymous_publish),
        everyone=Template(access.everyone_subscribe, access.everyone_publish),
    )


def most_of(settings: Settings) -> Most:
    """What one may have of the places, by the settings."""
    limits = settings.limits
    by_address = limits.is_on("address_streams", has_keys=True, has_hops=bool(settings.access.trusted_hops))
    return Most(
        limits.subject_streams, limits.address_streams if by_address else 0, limits.caller_polls, limits.max_polls
    )


def spending_of(settings: Settings, clock: Clock, *, has_keys: bool) -> Spending | None:
    """What callers may spend, by the settings; None if nobody's doings are counted."""
    bearers, anonymous = settings.limits.bearers(), settings.limits.anonymous(has_keys=has_keys)
    return None if bearers.is_off and anonymous.is_off else Spending(clock, bearers, anonymous)


def gate_of(
    settings: Settings,
    ring: KeyRing,
    origins: Origins,
    drain: Drain,
    clock: Clock,
    places: int,
    *,
    decides: bool = False,
) -> Gate:
    """The one door, by the settings; `places` is what descriptors allow, where they say no other number. `decides` as
    in `Authority`."""
    return Gate(
        Hosts(settings.access.hosts),
        origins,
        drain,
        authority_of(settings.access, ring, origins, clock, decides=decides),
        max_places=settings.limits.max_streams or places,
        most=most_of(settings),
        filters=settings.limits.stream_filters,
        spending=spending_of(settings, clock, has_keys=decides or bool(ring)),
    )
