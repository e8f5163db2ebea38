"""`twinwire state`: the latest of each subject."""

from pathlib import Path

import click

from twinwire.command.events import show
from twinwire.command.output import harmless, write_json
from twinwire.command.reaching import connected, reaching, tell
from twinwire.encoding import as_json as json_of


@click.command()
@click.argument("topics", nargs=-1)
@click.option("--subject", help="Of this one alone.")
@click.option("--join", is_flag=True, help="A text that was appended to is one event.")
@click.option("--json", "as_json", is_flag=True, help="One event a line, as on the wire, and the cursor at last.")
@reaching
def state(
    topics: tuple[str, ...], subject: str | None, join: bool, as_json: bool, url: str, token_file: Path | None
) -> None:
    """Print the latest of each subject on TOPICS (filters; all by default), and the cursor that it includes."""
    with connected(url, token_file) as live:
        found = live.state(*topics, subject=subject, join=join)
    for event in found.events:
        show(event, as_json=as_json)
    if as_json:
        write_json(json_of({"cursor": found.cursor}))
    else:
        tell(f"as of {harmless(found.cursor)}")
