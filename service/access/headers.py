"""What every answer says to browsers, whoever gives it."""

from typing import Final

from service.access.origins import Header

EVERY_ANSWER: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
"""Take the media type as it is told (Fetch, "X-Content-Type-Options"); no page of another origin may embed this unasked
(Fetch, "Cross-Origin-Resource-Policy")."""

_PREFLIGHT: Final[tuple[Header, ...]] = (
    (
        b"access-control-allow-headers",
        b"content-type, idempotency-key, last-event-id, authorization, x-twinwire-fetch, traceparent",
    ),
    (b"access-control-max-age", b"3600"),
)


def preflight(allow: str, cors: list[Header]) -> list[Header]:
    """What another origin's page may send (Fetch, "CORS-preflight request"): `allow` are methods, `cors` for whom."""
    if not any(name == b"access-control-allow-origin" for name, _ in cors):
        return cors
    return [*cors, (b"access-control-allow-methods", allow.encode()), *_PREFLIGHT]
