"""What the claims of a token say: times (RFC 7519, 4.1), who its bearer is, and what it may.

A right is a list of topic filters; what is not one invalidates the whole token, since half of somebody's rights is
what nobody meant. Claims that have no meaning here are passed over.
"""

import json
import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from service.access.caller import Caller, TokenId
from service.access.rights import SUBJECT, Grants, Rights, for_subject
from service.core.errors import InvalidError
from service.core.limits import FILTER_TOPICS_MAX, INFO_MAX, SUBJECT_MAX, TOPIC_MAX
from service.core.topics import check_pattern

MOMENT_MAX: Final = 253_402_300_799
"""Unix seconds at the end of the year 9999: later ones have no text (RFC 3339)."""

ID_MAX: Final = 128
"""Characters of a `jti`: a UUID has 36."""

AUDIENCES_MAX: Final = 100
"""Members of an `aud` that is a list."""


class ClaimError(ValueError):
    """A claim is not what it has to be. The text names the claim and shows nothing of it."""


class Times(NamedTuple):
    """In Unix ms, None for what the token does not say."""

    expires: int | None
    issued: int | None
    begins: int | None


def read_times(claims: Mapping[str, Any]) -> Times:
    """Raises ClaimError."""
    return Times(_moment(claims, "exp"), _moment(claims, "iat"), _moment(claims, "nbf"))


def read_issuer(claims: Mapping[str, Any]) -> str | None:
    """Raises ClaimError."""
    return _text(claims, "iss", None)


def is_for(claims: Mapping[str, Any], audience: str) -> bool:
    """Whether `aud`, a text or a list of them, names this audience. Raises ClaimError."""
    found = claims.get("aud", [])
    names = [found] if isinstance(found, str) else found
    if not isinstance(names, list) or len(names) > AUDIENCES_MAX or not all(isinstance(one, str) for one in names):
        raise ClaimError("aud is neither text nor a list of it")
    return audience in names


def read_caller(claims: Mapping[str, Any], times: Times, key: str | None) -> Caller:
    """Who has these claims, signed with the key of this id. Raises ClaimError."""
    subject = _text(claims, "sub", SUBJECT_MAX)
    subscribe, publish = _grants(claims, "subscribe", subject), _grants(claims, "publish", subject)
    return Caller(
        subject=subject,
        rights=Rights(
            subscribe=subscribe,
            publish=publish,
            presence=_grants(claims, "presence", subject) if "presence" in claims else publish,
            ephemeral=_grants(claims, "ephemeral", subject) if "ephemeral" in claims else publish,
            admin=_flag(claims, "admin"),
            metrics=_flag(claims, "metrics"),
            run=_grants(claims, "run", subject),
        ),
        expires=times.expires,
        token=TokenId(_text(claims, "jti", ID_MAX), times.issued, key),
        streams=_streams(claims),
        info=_info(claims),
    )


def _moment(claims: Mapping[str, Any], name: str) -> int | None:
    """A NumericDate, which may have a fraction, in milliseconds."""
    if name not in claims:
        return None
    seconds = claims[name]
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= MOMENT_MAX:
        raise ClaimError(f"{name} is not a number of seconds since 1970")
    return round(seconds * 1000)


def _text(claims: Mapping[str, Any], name: str, most: int | None) -> str | None:
    if name not in claims:
        return None
    text = claims[name]
    if not isinstance(text, str) or not text.isprintable() or not 0 < len(text) <= (most or math.inf):
        raise ClaimError(f"{name} is not {f'1-{most} ' if most else ''}printable characters")
    return text


def _flag(claims: Mapping[str, Any], name: str) -> bool:
    found = claims.get(name, False)
    if not isinstance(found, bool):
        raise ClaimError(f"{name} is neither true nor false")
    return found


def _grants(claims: Mapping[str, Any], name: str, subject: str | None) -> Grants:
    filters = claims.get(name, [])
    if not isinstance(filters, list):
        raise ClaimError(f"{name} is not a list")
    if len(filters) > FILTER_TOPICS_MAX:
        raise ClaimError(f"{name} has more than {FILTER_TOPICS_MAX} filters")
    for n, text in enumerate(filters):
        if not isinstance(text, str) or not _is_filter(text):
            raise ClaimError(f"{name}.{n} is not a topic filter")
    fitting = (one for one in filters if len(one.replace(SUBJECT, subject or "")) <= TOPIC_MAX)
    return for_subject(fitting, subject)  # a filter that a long name makes too long is none, and grants nothing


def _is_filter(text: str) -> bool:
    """`{sub}` stands for a segment, or for a piece of one."""
    try:
        check_pattern(text.replace(SUBJECT, "_"))
    except InvalidError:
        return False
    return True


def _streams(claims: Mapping[str, Any]) -> int | None:
    if "streams" not in claims:
        return None
    found = claims["streams"]
    if isinstance(found, bool) or not isinstance(found, int) or found < 0:
        raise ClaimError("streams is not a number from 0 on")
    return found


def _info(claims: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if "info" not in claims:
        return None
    found = claims["info"]
    if not isinstance(found, dict):
        raise ClaimError("info is not an object")
    try:
        size = len(json.dumps(found, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode())
    except (ValueError, RecursionError):  # an infinite number, half a surrogate, too deep
        raise ClaimError("info can't be encoded") from None
    if size > INFO_MAX:
        raise ClaimError(f"info has {size} bytes, more than {INFO_MAX}")
    return found
