"""The settings: one dict, `TWINWIRE`. Each is read when it is needed, and says by its name what is wrong with it.

What the service or the command has as a variable has the same name here, without `TWINWIRE_`, and comes from there if
it is not in the dict: both sides of a key can be set at one place.
"""

import os
from collections.abc import Callable, Mapping
from functools import partial, wraps
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from twinwire.signing import Signer, signer_of
from twinwire.token import Source, is_token

NAME: Final = "TWINWIRE"
KNOWN: Final = ("URL", "PUBLIC_URL", "TOKEN", "TOKEN_KEYS", "TOKEN_AUDIENCE", "TOKEN_TTL", "GRANTS")
_VARIABLES: Final = frozenset({"URL", "TOKEN", "TOKEN_KEYS", "TOKEN_AUDIENCE"})

TTL: Final = 600
"""Seconds that a page's token lives: who signs out is gone with the next one."""

TTL_MIN: Final = 30
"""A shorter one would be asked for all the time."""

TTL_MAX: Final = 86_400
"""What the service takes unless it is told otherwise."""

RELAY_TTL: Final = 3_600
"""Seconds of the relay's own token; it makes another one then."""

Grants = Callable[[Any], Mapping[str, Any] | None]
"""From a request of somebody who is signed in to what he may."""


_Read = TypeVar("_Read")


class _WrongError(ImproperlyConfigured):
    """As it is raised beside the value."""


def _apart(read: Callable[[], _Read]) -> Callable[[], _Read]:
    """What is wrong is raised anew, where no variable has the value: Django's debug page and its mails to admins show
    those of every function that an exception has passed, and so do other reports of errors."""

    @wraps(read)
    def reading() -> _Read:
        try:
            return read()
        except _WrongError as error:
            why, cause = str(error), error.__cause__
        raise ImproperlyConfigured(why) from cause

    return reading


@_apart
def known() -> Mapping[str, Any]:
    """Raises ImproperlyConfigured for what is no dict, or has names that mean nothing."""
    given = getattr(settings, NAME, {})
    if not isinstance(given, Mapping):
        raise _WrongError(f"{NAME} is a dict, and not {type(given).__name__}")
    unknown = sorted(str(name) for name in given if name not in KNOWN)
    if unknown:
        raise _WrongError(f"{NAME} has no {unknown[0]!r}: there are {', '.join(KNOWN)}")
    return given


def _given(name: str) -> Any:
    """None if it is set nowhere."""
    given = getattr(settings, NAME, {})
    value = given.get(name) if isinstance(given, Mapping) else None
    if value is None and name in _VARIABLES:
        return os.environ.get(f"{NAME}_{name}") or None
    return value


def _wrong(name: str, why: object) -> _WrongError:
    return _WrongError(f"{NAME}[{name!r}] {why}")


@_apart
def url() -> str:
    """Where the service is, for the relay; without a slash at its end. Raises ImproperlyConfigured."""
    found = _given("URL")
    if found is None:
        raise _wrong("URL", f"is missing, as {NAME}_URL is: where the service is, such as http://127.0.0.1:8000")
    return _checked("URL", found)


@_apart
def public_url() -> str:
    """Where it is for browsers: a URL, or a path below the project's own; without a slash at its end. Raises
    ImproperlyConfigured."""
    found = _given("PUBLIC_URL")
    if found is None:
        return url()
    if isinstance(found, str) and found.startswith("/") and not found.startswith("//"):
        return found.rstrip("/")
    return _checked("PUBLIC_URL", found)


def _checked(name: str, found: object) -> str:
    try:
        parts = urlsplit(found) if isinstance(found, str) else None
        is_url = parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url or "@" in str(found) or "?" in str(found) or "#" in str(found):  # it is not shown: see the @
        raise _wrong(name, "is no http or https URL without a password and a query")
    return str(found).rstrip("/")


@_apart
def signer() -> Signer | None:
    """What signs tokens; None where the service has no keys. Raises ImproperlyConfigured."""
    keys = _given("TOKEN_KEYS")
    if keys is None:
        return None
    try:
        return signer_of(keys)
    except ValueError as error:
        raise _wrong("TOKEN_KEYS", error) from None


@_apart
def audience() -> str | None:
    """Raises ImproperlyConfigured."""
    found = _given("TOKEN_AUDIENCE")
    if not isinstance(found, str | None):
        raise _wrong("TOKEN_AUDIENCE", "is no text")
    return found


@_apart
def ttl() -> int:
    """Seconds. Raises ImproperlyConfigured."""
    found = _given("TOKEN_TTL")
    if found is None:
        return TTL
    if not isinstance(found, int) or isinstance(found, bool) or not TTL_MIN <= found <= TTL_MAX:
        raise _wrong("TOKEN_TTL", f"is no number of seconds from {TTL_MIN} to {TTL_MAX:,}")
    return found


@_apart
def grants() -> Grants | None:
    """What says who may what; None where the service has no keys. Raises ImproperlyConfigured."""
    if signer() is None:
        return None
    found = _given("GRANTS")
    if found is None:
        raise _wrong("GRANTS", "is missing, and TOKEN_KEYS is there: the path of a function that says who may what")
    if isinstance(found, str):
        try:
            found = import_string(found)
        except ImportError as error:
            raise _wrong("GRANTS", f"can't be imported: {error}") from error
    if not callable(found):
        raise _wrong("GRANTS", "is neither a function nor the path of one")
    made: Grants = found
    return made


@_apart
def relay_token() -> Source | None:
    """What the relay comes with: TOKEN, a text or a function; else one that it makes with TOKEN_KEYS, to publish
    anywhere; None where there is neither. Raises ImproperlyConfigured."""
    found = _given("TOKEN")
    if found is None:
        made, aimed = signer(), audience()
        claims: dict[str, Any] = {"publish": ["**"]} | ({} if aimed is None else {"aud": aimed})
        return None if made is None else partial(made.sign, claims, ttl=RELAY_TTL)
    if isinstance(found, str):
        if not is_token(found.strip()):
            raise _wrong("TOKEN", "is no token")
        return found
    if not callable(found):
        raise _wrong("TOKEN", "is neither a token nor a function that gives one")
    asked: Source = found
    return asked


SETTINGS: Final[tuple[Callable[[], object], ...]] = (known, url, public_url, signer, audience, ttl, grants, relay_token)
"""All that can be wrong."""
