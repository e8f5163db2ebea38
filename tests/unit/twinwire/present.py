"""Members and frames for tests of who is there."""

import json
from datetime import UTC, datetime
from typing import Any

from twinwire.roll import Member, Roll, WirePresence, read_presence

SINCE = datetime(2026, 11, 23, 5, 50, tzinfo=UTC)


def wire(name: str, **data: Any) -> dict[str, Any]:
    """`ada:t1`, or `:t1` for one without a user."""
    user, _, member = name.partition(":")
    since = "2026-11-23T05:50:00.000Z"
    return {"user": user or None, "member": member, "data": data, "since": since, "verified": bool(user)}


def member(name: str, **data: Any) -> Member:
    user, _, id = name.partition(":")
    return Member(user or None, id, data, SINCE, bool(user))


def roll(*names: str, version: int = 1, place: str = "p") -> Roll:
    members = tuple(member(name) for name in names)
    return Roll(place, members, len({name.partition(":")[0] or name for name in names}), len(names), False, version)


def state(version: int, *names: str, place: str = "p") -> str:
    members = [wire(name) for name in names]
    users = len({name.partition(":")[0] or name for name in names})
    told = {"state": members, "users": users, "members": len(members), "truncated": False}
    return json.dumps({"type": "presence", "place": place, "version": version, **told})


def diff(version: int, *, joins: Any = (), updates: Any = (), leaves: Any = (), place: str = "p", **more: Any) -> str:
    """`leaves`: names, with a reason behind a space."""
    gone = []
    for name in leaves:
        user, _, rest = name.partition(":")
        id, _, reason = rest.partition(" ")
        gone.append({"user": user or None, "member": id, "reason": reason or "left"})
    told = {"joins": [wire(name) for name in joins], "updates": list(updates), "leaves": gone}
    return json.dumps({"type": "presence", "place": place, "version": version, "truncated": False, **told, **more})


def counts(version: int, users: int, members: int) -> str:
    told = {"joins": [], "updates": [], "leaves": [], "came": [], "went": [], "truncated": True}
    return json.dumps(
        {"type": "presence", "place": "p", "version": version, "users": users, "members": members, **told}
    )


def read(text: str) -> WirePresence:
    return read_presence(text)
