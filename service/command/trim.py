"""`twinwire trim`: let a running service remove all but the newest events of some topics, and say how far it is."""

from pathlib import Path

import click

from service.command.progress import Progress
from service.command.reaching import connect
from twinwire.command.output import write_line
from twinwire.command.reaching import reaching


@click.command()
@click.argument("topic")
@click.option("--keep", type=click.IntRange(min=0), required=True, help="How many of each topic stay, the newest.")
@reaching
def trim(topic: str, keep: int, url: str, token_file: Path | None) -> None:
    """Remove all but the newest events of each topic that the filter TOPIC matches. Takes a token with the right admin.

    Readers are told (gap). The service goes on with it when this command ends.
    """
    client = connect(url, token_file)
    with Progress() as progress:

        def told(removed: int, left: int | None) -> None:
            progress("removing", removed, 0 if left is None else removed + left)

        removed = client.trim(topic, keep, told)
    write_line(f"removed {removed:,} event{'' if removed == 1 else 's'}")
