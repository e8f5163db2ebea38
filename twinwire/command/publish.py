"""`twinwire publish`: one event, from a shell."""

import sys
from pathlib import Path

import click

from twinwire.command.output import harmless, write_line
from twinwire.command.reaching import connected, reaching
from twinwire.errors import InvalidError, why
from twinwire.event import RawJson


@click.command()
@click.argument("topic")
@click.argument("type")
@click.argument("data")
@click.option("--key", help="Idempotency key: a repeat returns the first id.")
@click.option("--subject", help="What on the topic it is about: DATA replaces its value, null deletes it.")
@click.option("--append", is_flag=True, help="Append DATA to the subject's value instead.")
@click.option("--final", is_flag=True, help="Close the value: nothing more can be appended.")
@click.option(
    "--retry-for",
    type=click.FloatRange(0, 3600),
    default=0.0,
    show_default=True,
    help="Seconds for which it is tried again where nobody answers, or it is to come later; it is published once.",
)
@reaching
def publish(
    topic: str,
    type: str,
    data: str,
    key: str | None,
    subject: str | None,
    append: bool,
    final: bool,
    retry_for: float,
    url: str,
    token_file: Path | None,
) -> None:
    """Publish one event: DATA is JSON, or - to read it from standard input. Prints its id."""
    text = _from_stdin() if data == "-" else data
    with connected(url, token_file, retry_for=retry_for) as live:
        id = live.publish(topic, type, RawJson(text), key=key, subject=subject, append=append, final=final)
    write_line(harmless(id))


def _from_stdin() -> str:
    """UTF-8, whatever the locale; a byte order mark is passed over (RFC 8259, 8.1)."""
    if sys.stdin is None:
        raise InvalidError("standard input is closed")
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except OSError as error:
        raise InvalidError(f"standard input can't be read: {why(error)}") from error
    except UnicodeDecodeError as error:
        raise InvalidError(f"DATA is not UTF-8: {error.reason} at byte {error.start}") from error
