"""What somebody may, as the project's own function says it, in a token."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured

from twinwire.contrib.django import conf
from twinwire.token import TOKEN_MAX

RIGHTS: Final = ("subscribe", "publish", "presence", "ephemeral", "run")
"""Lists of filters."""

CLAIMS: Final = frozenset({*RIGHTS, "sub", "admin", "metrics", "info", "streams"})
"""What may be granted (docs/protocol.md, section 9); times and issuer are not the function's."""

FILTERS_MAX: Final = 100
"""In one list, as the service takes it."""

FILTER_MAX: Final = 200
"""Characters of a filter, in which `{sub}` is one, as the service takes it."""

SUBJECT_MAX: Final = 128
"""Characters of `sub`, as the service takes it."""

INFO_MAX: Final = 1024
"""Bytes of `info` in JSON, as the service takes it."""

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
    claims = {"sub": str(request.user.pk), **granted}
    _check_values(claims)
    made = signer.sign(claims | ({} if audience is None else {"aud": audience}), ttl=conf.ttl())
    if len(made) > TOKEN_MAX:
        raise _wrong(f"gives what makes a token of {len(made):,} characters: at most {TOKEN_MAX:,}")
    return made


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
            if not isinstance(one, str) or not _FILTER.match(one) or len(one.replace("{sub}", "_")) > FILTER_MAX:
                raise _wrong(f"gives {one!r} as {name!r}, which is no filter of topics")


def _check_values(claims: Mapping[str, Any]) -> None:
    for name, is_good, what in _VALUES:
        if name in claims and not is_good(claims[name]):
            raise _wrong(f"gives {what} as {name!r}{_USUAL_SUBJECT if name == 'sub' else ''}")


_USUAL_SUBJECT: Final = ", which is the user's primary key unless it is given"


def _is_subject(found: object) -> bool:
    return isinstance(found, str) and found.isprintable() and 0 < len(found) <= SUBJECT_MAX


def _is_flag(found: object) -> bool:
    return isinstance(found, bool)


def _is_info(found: object) -> bool:
    if not isinstance(found, dict):
        return False
    try:
        text = json.dumps(found, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return len(text.encode()) <= INFO_MAX
    except (TypeError, ValueError, RecursionError):  # a date, an infinite number, half a surrogate, too deep
        return False


def _is_count(found: object) -> bool:
    return isinstance(found, int) and not isinstance(found, bool) and found >= 0


_VALUES: Final[tuple[tuple[str, Callable[[object], bool], str], ...]] = (
    ("sub", _is_subject, f"no text of 1-{SUBJECT_MAX} printable characters"),
    ("admin", _is_flag, "neither True nor False"),
    ("metrics", _is_flag, "neither True nor False"),
    ("info", _is_info, f"no dict of at most {INFO_MAX:,} bytes in JSON"),
    ("streams", _is_count, "no number from 0 on"),
)


def _wrong(why: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{conf.NAME}['GRANTS'] {why}")
