"""`twinwire tail`: events as they come, or what there is, for people or for programs."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from twinwire.command.events import show
from twinwire.command.reaching import Telling, connected, reaching
from twinwire.event import Event, Gap

if TYPE_CHECKING:
    from twinwire.blocking import Twinwire

PAGE: Final = 1_000
"""Events of one answer."""


@click.command()
@click.argument("topics", nargs=-1)
@click.option("--after", help="A cursor, earliest or latest (the default).")
@click.option("--json", "as_json", is_flag=True, help="One event a line, as on the wire.")
@click.option("--once", is_flag=True, help="Print what there is and end, instead of following.")
@reaching
def tail(
    topics: tuple[str, ...], after: str | None, as_json: bool, once: bool, url: str, token_file: Path | None
) -> None:
    """Follow TOPICS (filters; all that the token is for by default), across restarts of the service."""
    telling = Telling()
    with connected(url, token_file, telling=telling) as live:
        for found in _kept(live, topics, after) if once else live.subscribe(*topics, after=after or "latest"):
            show(found, as_json=as_json)
            telling.forget()


def _kept(live: "Twinwire", topics: tuple[str, ...], after: str | None) -> Iterator[Event | Gap]:
    after, more = after or "latest", True
    while more:
        page = live.history(*topics, after=after, limit=PAGE)
        if page.gap is not None:
            yield page.gap
        yield from page.events
        after, more = page.cursor, page.more
