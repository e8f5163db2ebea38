"""`twinwire who`: who is at a place, or comes and goes, for people or for programs."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from twinwire.command.output import harmless, is_coloured, plain, write_json, write_line
from twinwire.command.reaching import Telling, connected, reaching, tell
from twinwire.encoding import as_json as json_of
from twinwire.roll import Change, Member, Roll

NOBODY = "-"
"""In place of a user's name, of one who came without."""


@click.command()
@click.argument("places", nargs=-1, required=True)
@click.option("--follow", is_flag=True, help="Go on with who comes, goes and changes.")
@click.option("--json", "as_json", is_flag=True, help="One member a line; with --follow one change.")
@reaching
def who(places: tuple[str, ...], follow: bool, as_json: bool, url: str, token_file: Path | None) -> None:
    """Print who is at PLACES (topics and filters), all of them; or follow, across restarts of the service."""
    if follow:
        telling = Telling()
        with connected(url, token_file, telling=telling) as live, live.watch(*places) as watch:
            for change in watch:
                _show_change(change, as_json=as_json)
                telling.forget()
        return
    with connected(url, token_file) as live:
        rolls = live.who(*places)
    for roll in rolls:
        _show_roll(roll, as_json=as_json)
    if not any(roll.members for roll in rolls):
        tell(f"nobody is at {', '.join(places)}")


def _show_roll(roll: Roll, *, as_json: bool) -> None:
    """A table for people. Raises OutputError, or UnreadError where somebody has had enough."""
    if as_json:
        for member in roll.members:
            write_json(json_of({"place": roll.place, **_as_wire(member)}))
    elif roll.members:
        write_line(f"{_style(harmless(roll.place), fg='cyan')}: {_counted(roll.user_count, roll.member_count)}")
        rows = [(plain(one.user or NOBODY), plain(one.member), _time(one.since)) for one in roll.members]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        for row, member in zip(rows, roll.members, strict=True):
            cells = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            write_line(f"  {cells}  {_data(member)}")


def _show_change(change: Change, *, as_json: bool) -> None:
    """A line for each member. Raises as `_show_roll`."""
    if as_json:
        write_json(json_of(_change_as_wire(change)))
        return
    if change.truncated:
        _line(_now(), change.place, _counted(change.user_count, change.member_count))
    came, went = ({one.member for user in users for one in user.members} for users in (change.came, change.went))
    for left in change.left:
        member, why = left.member, f" ({harmless(left.reason)})" if left.reason else ""
        deed = "went" if member.member in went or member.user is None else "left"
        _line(_now(), change.place, f"{deed} {_named(member)}{why}")
    for member in change.joined:
        deed = "came" if member.member in came or member.user is None else "joined"
        _line(_time(member.since), change.place, f"{deed} {_named(member)} {_data(member)}")
    for member in change.updated:
        _line(_now(), change.place, f"changed {_named(member)} {_data(member)}")


def _line(moment: str, place: str, told: str) -> None:
    write_line(f"{_style(moment, dim=True)} {_style(harmless(place), fg='cyan')} {told}")


def _counted(users: int, members: int) -> str:
    return f"{users:,} user{'s' * (users != 1)}, {members:,} member{'s' * (members != 1)}"


def _named(member: Member) -> str:
    return f"{harmless(member.user or NOBODY)} {harmless(member.member)}"


def _data(member: Member) -> str:
    return harmless(json_of(member.data).decode("utf-8", "replace"))


def _now() -> str:
    return _time(datetime.now(UTC))


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _as_wire(member: Member) -> dict[str, Any]:
    told = {"user": member.user, "member": member.member, "data": member.data, "since": _time(member.since)}
    return told | {"verified": member.verified} | ({} if member.info is None else {"info": member.info})


def _change_as_wire(change: Change) -> dict[str, Any]:
    """As a frame of the service."""
    leaves: Iterable[Any] = (
        {"user": left.member.user, "member": left.member.member, "reason": left.reason} for left in change.left
    )
    return {
        "type": "presence",
        "place": change.place,
        "joins": [_as_wire(member) for member in change.joined],
        "updates": [_as_wire(member) for member in change.updated],
        "leaves": list(leaves),
        "came": [user.user for user in change.came],
        "went": [user.user for user in change.went],
        "users": change.user_count,
        "members": change.member_count,
        "truncated": change.truncated,
    }


def _style(text: str, **how: Any) -> str:
    return click.style(text, **how) if is_coloured() else text
