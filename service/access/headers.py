"""What every answer says to browsers, whoever gives it."""

from typing import Final

from service.access.origins import Header

EVERY_ANSWER: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
"""Take the media type as it is told (Fetch, "X-Content-Type-Options"); no page of another origin may embed this unasked
(Fetch, "Cross-Origin-Resource-Policy")."""
