"""What somebody may, as the project's own function says it, in a token."""

import re
from collections.abc import Mapping
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured

from twinwire.contrib.django import conf

RIGHTS: Final = ("subscribe", "publish", "presence", "ephemeral")
"""Lists of filters."""

CLAIMS: Final = frozenset({*RIGHTS, "sub", "admin", "metrics", "info", "streams"})
"""What may be granted (docs/protocol.md, section 9); times and issuer are not the function's."""

FILTERS_MAX: Final = 100
"""In one list, as the service takes it."""

_SEGMENT: Final = r"(?:[A-Za-z0-9_.~-]|\{sub\})+"
_FILTER: Final = re.compile(rf"(?:(?:{_SEGMENT}|\*)/)*(?:{_SEGMENT}|\*|\*\*)\Z", re.ASCII)


def token_for(request: Any) -> str | None:
    """A token for who is signed in at this request: its subject is the user's primary key, unless GRANTS names another
    one. None for whom GRANTS gives nothing.

    Raises ImproperlyConfigured where there are no keys, and for what can't be granted.
    """
    signer, grants = conf.signer(), conf.grants()
    if signer is None or grants is None:
        raise ImproperlyConfigured(f"{conf.NAME}['TOKEN_KEYS'] is missing: without it nobody needs a token")
    granted = grants(request)
    if granted is None:
        return None
    _check(granted)
    audience = conf.audience()
    claims = {"sub": str(request.user.pk), **granted} | ({} if audience is None else {"aud": audience})
    return signer.sign(claims, ttl=conf.ttl())


def _check(granted: object) -> None:
    """A token that is no good would be refused without a word: what is wrong is told to whoever wrote the function."""
    if not isinstance(granted, Mapping):
        raise _wrong(f"gives {type(granted).__name__}, where a dict or None is asked for")
    unknown = sorted(str(name) for name in granted if name not in CLAIMS)
    if unknown:
        raise _wrong(f"gives {unknown[0]!r}: there are {', '.join(sorted(CLAIMS))}")
    for name in RIGHTS:
        filters = granted.get(name, ())
        if isinstance(filters, str) or not isinstance(filters, list | tuple) or len(filters) > FILTERS_MAX:
            raise _wrong(f"gives no list of {FILTERS_MAX} filters at most as {name!r}")
        for one in filters:
            if not isinstance(one, str) or not _FILTER.match(one):
                raise _wrong(f"gives {one!r} as {name!r}, which is no filter of topics")


def _wrong(why: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{conf.NAME}['GRANTS'] {why}")
