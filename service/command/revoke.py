"""`twinwire revoke`: end what tokens may, while a service runs; say what is revoked; allow it again."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import click
import msgspec

from service.command.reaching import connect
from service.command.tokens import duration
from twinwire.command.output import harmless, write_line
from twinwire.command.reaching import reaching

if TYPE_CHECKING:
    from service.command.client import Client

PAGE: Final = 1_000
"""Revocations that are asked for at a time: as many as there may be in an answer."""

_PATH: Final = "/api/auth/revoke"


class _Ended(msgspec.Struct):
    ended: int


class _Revoked(msgspec.Struct):
    time: str
    jti: str | None = None
    sub: str | None = None
    issued_before: str | None = None


class _Listed(msgspec.Struct):
    revocations: list[_Revoked]
    more: bool
    cursor: str


def _grace(context: click.Context, parameter: click.Parameter, text: str | None) -> float | None:
    try:
        return None if text is None else duration(text)
    except click.BadParameter as error:
        raise click.BadParameter(error.message) from None


@click.command()
@click.option("--sub", help="Every token of this user that was issued so far.")
@click.option("--jti", help="The one token of this id.")
@click.option("--connection", help="One open stream, by its id; its token stays good.")
@click.option("--all", "everything", is_flag=True, help="Every token that was issued so far, yours too.")
@click.option(
    "--issued-before", metavar="TIME", help="With --sub or --all: issued until then, such as 2026-11-28T12:00:00Z."
)
@click.option(
    "--grace", callback=_grace, metavar="TIME", help="Tell the streams first, and end them after so long: 30s."
)
@click.option("--lift", is_flag=True, help="Allow it again.")
@click.option("--list", "listed", is_flag=True, help="Say what is revoked.")
@reaching
def revoke(
    sub: str | None,
    jti: str | None,
    connection: str | None,
    everything: bool,
    issued_before: str | None,
    grace: float | None,
    lift: bool,
    listed: bool,
    url: str,
    token_file: Path | None,
) -> None:
    """Revoke tokens, and end the streams that were opened with them. Takes a token with the right admin."""
    named = {"sub": sub, "jti": jti, "connection": connection, "all": everything or None, "list": listed or None}
    target = {name: value for name, value in named.items() if value is not None}
    more = {"issued_before": issued_before, "grace": grace}
    given = {name: value for name, value in more.items() if value is not None}
    if len(target) != 1:
        raise click.UsageError("name one: --sub, --jti, --connection, --all, or --list")
    if (lift or listed) and (given or connection is not None or (lift and listed)):
        raise click.UsageError("--lift takes --sub, --jti or --all, and nothing else; --list stands alone")
    client = connect(url, token_file)
    if listed:
        _list(client)
    elif lift:
        client.ask("DELETE", _PATH, None, _body(target))
        write_line("lifted")
    else:
        ended = client.ask("POST", _PATH, _Ended, _body({**target, **given})).ended
        streams = f"{ended:,} stream{'' if ended == 1 else 's'}"
        write_line(f"ended {streams}" if not grace else f"{streams} will end within {grace:g} s")


def _body(members: Mapping[str, Any]) -> bytes:
    return json.dumps(members).encode()


def _list(client: "Client") -> None:
    """One a line, the oldest first."""
    page = _Listed([], more=True, cursor="0")
    while page.more:
        page = client.ask("GET", f"{_PATH}?limit={PAGE}&after={quote(page.cursor)}", _Listed)
        for one in page.revocations:
            what = f"jti {one.jti}" if one.jti is not None else "all" if one.sub is None else f"sub {one.sub}"
            until = f", issued before {one.issued_before}" if one.issued_before is not None else ""
            write_line(harmless(f"{one.time} {what}{until}"))
