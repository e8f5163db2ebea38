"""`twinwire token`: make a token, look at one, make a key to sign them with.

A token and a key are secrets: they go to standard output and nowhere else, and no error shows a piece of one.
"""

import base64
import json
import os
import re
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from service.clock import SystemClock
from service.core.errors import InvalidTokenError, TwinwireError, UnavailableError
from service.core.limits import TOKEN_MAX
from service.core.time import rfc3339
from service.settings import AccessSettings, Settings
from twinwire.command.output import harmless, write_json, write_line
from twinwire.command.reaching import tell
from twinwire.place import DEFAULT_URL

if TYPE_CHECKING:
    from service.access.caller import Caller
    from service.access.keys import KeyRing

SECRET_BYTES: Final = 32
"""Of a key that is made: as many as HMAC-SHA-256 makes use of (RFC 7518, 3.2)."""

_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)([smhd]?)\Z", re.ASCII)
_SECONDS: Final[Mapping[str, int]] = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_RIGHTS: Final = ("subscribe", "publish", "presence", "ephemeral", "run")


def duration(text: str) -> float:
    """Seconds, of `90`, `90s`, `10m`, `1.5h` or `1d`."""
    found = _DURATION.match(text)
    if found is None:
        raise click.BadParameter("it is a number with s, m, h or d, such as 10m", param_hint="--ttl")
    return float(found[1]) * _SECONDS[found[2]]


@click.command()
@click.option("--sub", help="Who bears it: the user's id.")
@click.option("--subscribe", multiple=True, metavar="FILTER", help="Topics that may be read. Any number of times.")
@click.option("--publish", multiple=True, metavar="FILTER", help="Topics that may be published to.")
@click.option("--presence", multiple=True, metavar="FILTER", help="Where it may be present; as --publish by default.")
@click.option("--ephemeral", multiple=True, metavar="FILTER", help="Where it may send ephemeral events; likewise.")
@click.option("--run", multiple=True, metavar="FILTER", help="Projects of which it may have run what agents wrote.")
@click.option(
    "--project",
    multiple=True,
    metavar="ID",
    help="Read and write projects/ID and all below it; to run what agents wrote there takes --run projects/ID too.",
)
@click.option("--admin", is_flag=True, help="Everything, and what operators do.")
@click.option("--metrics", is_flag=True, help="Read the metrics.")
@click.option("--info", metavar="JSON", help="An object that others are told with its presence.")
@click.option(
    "--ttl",
    type=duration,
    default="1h",
    metavar="TIME",
    show_default=True,
    help="How long it is for: 90s, 10m, 1h, 1d.",
)
@click.option("--aud", help="Whom it is for; TWINWIRE_TOKEN_AUDIENCE by default.")
@click.option("--iss", help="Sign as this issuer, with the first secret of it; with the first one of all by default.")
@click.option("--json", "as_json", is_flag=True, help="An object instead of text.")
@click.option(
    "--inspect",
    is_flag=False,
    flag_value="-",
    metavar="[FILE|TOKEN]",
    help="Say whether a token is valid, or why not, and what it may do. Exit status 1 if it is not. It is read from"
    " standard input, or from FILE. A TOKEN is taken too, but everybody on this machine can read the arguments of a"
    " command while it runs, and the shell remembers them.",
)
@click.option(
    "--link",
    "url",
    is_flag=False,
    flag_value="",
    metavar="[URL]",
    help="Print a link to sign in with, in place of the token: for ten minutes, once. The service at URL makes it,"
    " or at TWINWIRE_URL.",
)
@click.option("--new-key", is_flag=True, help="Make a value for TWINWIRE_TOKEN_KEYS, with a random key.")
@click.pass_context
def token(
    context: click.Context, /, inspect: str | None, new_key: bool, as_json: bool, url: str | None, **given: Any
) -> None:
    """Make a token, signed with the first secret of TWINWIRE_TOKEN_KEYS; or look at one; or make a key."""
    if new_key:
        write_line(_new_key())
    elif inspect is not None:
        context.exit(0 if _inspect(_read(inspect), Settings.read().access, as_json) else 1)
    else:
        _make(Settings.read().access, as_json, url, given)


def _new_key() -> str:
    kid = f"{rfc3339(SystemClock().unix_ms())[:10]}-{secrets.token_hex(2)}"
    key = base64.urlsafe_b64encode(secrets.token_bytes(SECRET_BYTES)).decode().rstrip("=")
    return json.dumps([{"kid": kid, "alg": "HS256", "key": key}], separators=(",", ":"))


def _make(settings: AccessSettings, as_json: bool, url: str | None, given: Mapping[str, Any]) -> None:
    from service.access.tokens import mint, split

    claims = _claims(given, settings.token_audience)
    if not claims.keys() - {"aud"}:
        raise click.UsageError("for whom, or for what? Name --sub, or rights such as --subscribe")
    if given["ttl"] > settings.token_max_ttl:
        raise click.UsageError(f"--ttl is over TWINWIRE_TOKEN_MAX_TTL, {settings.token_max_ttl:g} s")
    text = mint(_ring(settings), SystemClock(), claims, ttl=given["ttl"], issuer=given["iss"])
    if url is not None:
        write_line(harmless(_link(url or os.environ.get("TWINWIRE_URL") or DEFAULT_URL, text)))
        return
    if not as_json:
        write_line(text)
        return
    said = split(text).claims
    write_json(msgspec.json.encode({"token": text, "expires": rfc3339(said["exp"] * 1000), "claims": said}))


class _Ticket(msgspec.Struct):
    ticket: str


def _link(url: str, text: str) -> str:
    """Where a browser signs in as the token's bearer. Raises ClientError, which does not show the token."""
    from service.command.client import Client
    from twinwire.command.bearer import Bearer

    found: _Ticket = Client(url, told=tell, bearer=Bearer(text)).ask("POST", "/api/tickets", _Ticket, b'{"login":true}')
    return f"{(url if '://' in url else f'http://{url}').rstrip('/')}/login#ticket={found.ticket}"


def _claims(given: Mapping[str, Any], audience: str) -> dict[str, Any]:
    below = [name for one in given["project"] for name in (f"projects/{one}", f"projects/{one}/**")]
    lists = {name: [*given[name], *(below if name in ("subscribe", "publish") else ())] for name in _RIGHTS}
    try:
        info = None if given["info"] is None else json.loads(given["info"])
    except (ValueError, RecursionError):
        raise click.UsageError("--info is not JSON") from None
    return {
        **({"sub": given["sub"]} if given["sub"] is not None else {}),
        **({"aud": given["aud"] or audience} if given["aud"] or audience else {}),
        **{name: filters for name, filters in lists.items() if filters},
        **{name: True for name in ("admin", "metrics") if given[name]},
        **({"info": info} if given["info"] is not None else {}),
    }


def _ring(settings: AccessSettings) -> "KeyRing":
    from service.access.keys import KeyRing

    return KeyRing.read(settings.token_keys.get_secret_value(), SystemClock(), audience=settings.token_audience)


def _read(where: str) -> str:
    """A token: where it says, or what it is. Raises TwinwireError, which does not show it."""
    if where.startswith("eyJ") and where.count(".") == 2:
        return where
    try:
        if where == "-":
            whole = sys.stdin.buffer.read(4 * TOKEN_MAX) if sys.stdin is not None else b""
        else:
            with Path(where).open("rb") as file:
                whole = file.read(4 * TOKEN_MAX)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no path"
        raise TwinwireError(f"--inspect is neither a token nor a file that can be read: {why}") from None
    return whole.decode("latin-1").strip()


def _inspect(text: str, settings: AccessSettings, as_json: bool) -> bool:
    """Tells whether it is valid; returns it."""
    from service.access.tokens import Verifier, split

    ring = _ring(settings)
    verifier = Verifier(
        ring,
        SystemClock(),
        audience=settings.token_audience,
        max_ttl=settings.token_max_ttl,
        without_exp=settings.token_without_exp,
    )
    reason: str
    try:
        said = split(text)
        faults = []
        for source in ring.sources:
            if source.issuer == said.claims.get("iss"):
                source.want(said.header.get("kid"))
                source.refresh()
                faults.append(source.fault)
        told = _told(verifier.verify(text))
    except InvalidTokenError as error:
        reason, why = error.reason, error.why if ring else "TWINWIRE_TOKEN_KEYS is not set, so there are no keys"
    except UnavailableError as error:
        reason, why = "unavailable", "; ".join(one for one in faults if one) or error.detail
    else:
        _show({"valid": True, **told}, as_json)
        return True
    _show({"valid": False, "reason": reason, "why": why}, as_json)
    return False


def _told(caller: "Caller") -> dict[str, Any]:
    rights, token = caller.rights, caller.token
    return {
        "subject": caller.subject,
        "expires": None if caller.expires is None else rfc3339(caller.expires),
        "issued": None if token is None or token.issued is None else rfc3339(token.issued),
        "id": token and token.jti,
        "key": token and token.key,
        **{name: list(getattr(rights, name).patterns) for name in _RIGHTS},
        "admin": rights.admin,
        "metrics": rights.metrics,
        "streams": caller.streams,
        "info": caller.info,
    }


def _show(told: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        write_json(msgspec.json.encode(told))
        return
    if not told["valid"]:
        write_line(harmless(f"not valid ({told['reason']}): {told['why']}"))
        return
    write_line("valid")
    for name, value in list(told.items())[1:]:
        if isinstance(value, list):
            write_line(harmless(f"{name}: {', '.join(value) or 'nothing'}"))
        elif value is not None and value is not False:
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            write_line(harmless(f"{name}: {shown}"))
