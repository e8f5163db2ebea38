"""How events are shown: a line for people, or the text that they came as, with all its digits."""

from dataclasses import asdict
from typing import Any

import click
import msgspec

from twinwire.command.output import harmless, is_coloured, write_json, write_line
from twinwire.event import Event, Gap


class _Shown(msgspec.Struct):
    """What people see of an event beside what every client reads of it."""

    time: str
    data: msgspec.Raw


def show(found: Event | Gap, *, as_json: bool) -> None:
    """Raises OutputError, or UnreadError where somebody has had enough."""
    if isinstance(found, Gap):
        if as_json:
            write_json(msgspec.json.encode({"type": "gap", **asdict(found)}))
        else:
            write_line(_style(harmless(f"gap ({found.reason}): {found.requested} -> {found.id}"), fg="yellow"))
    elif as_json:
        write_json(found.raw.encode())
    else:
        write_line(_line(found))


def _line(event: Event) -> str:
    try:
        shown = msgspec.json.decode(event.raw, type=_Shown)
    except (ValueError, RecursionError):  # not ours, and as it is
        return harmless(event.raw)
    data = bytes(shown.data).decode("utf-8", "replace")
    moment, topic = _style(harmless(shown.time), dim=True), _style(harmless(event.topic), fg="cyan")
    about = "" if event.subject is None else f"{harmless(event.subject)} {'+=' if event.append else '='} "
    return f"{moment} {harmless(event.id)} {topic} {harmless(event.type)} {about}{harmless(data)}"


def _style(text: str, **how: Any) -> str:
    return click.style(text, **how) if is_coloured() else text
